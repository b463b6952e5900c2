"""The high-water mark: the largest head that was ever signed, in a file outside the database and its backups.

`{"root","size"}`, the root in base64. Whoever moves it holds its folder's lock: app/log/tiles.py.
"""

import base64
import json
from pathlib import Path

from app.log.service import Head
from app.platform.files import write_atomically


class Unreadable(ValueError):
    """The file is no mark."""


def read(path: Path) -> Head | None:
    """None where nothing was signed yet. Raises Unreadable and OSError."""
    try:
        found = json.loads(path.read_bytes())
        return Head(int(found["size"]), base64.b64decode(found["root"], validate=True))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise Unreadable(f"the mark {path} cannot be read") from None


def write(path: Path, head: Head) -> None:
    """Replace it, durably; only its owner can read it. Raises OSError."""
    body = {"size": head.size, "root": base64.b64encode(head.root).decode()}
    write_atomically(path, json.dumps(body).encode(), mode=0o600)
