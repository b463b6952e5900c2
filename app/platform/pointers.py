"""The published files that are replaced, and which of two is the newer one.

Each has a number that only grows: the version of a TUF timestamp and of a list's newest manifest, the size of
a checkpoint. Two with one number are the same; of a checkpoint only the cosignatures may differ.
"""

import json

from app.core import note

TIMESTAMP, CHECKPOINT, LATEST = "tuf/metadata/timestamp.json", "log/checkpoint", "tuf/latest/"


class Differs(Exception):
    """Other bytes under a name or number that stands for one thing: a restored backup, or another's files."""


def is_pointer(key: str) -> bool:
    """Whether the file of this name, relative to the installation's folder, is ever replaced."""
    return key in (TIMESTAMP, CHECKPOINT) or key.startswith(LATEST)


def is_newer(key: str, found: bytes, ours: bytes) -> bool:
    """Whether what was found is newer than ours; what cannot be read is not. Raises Differs."""
    try:
        number, content = _read(key, found)
    except (ValueError, KeyError, TypeError, note.Malformed):
        return False
    own, own_content = _read(key, ours)
    if number == own and content != own_content:
        raise Differs(f"{key.rsplit('/', 1)[-1]} is there with the same number and other content")
    return number > own


def number(key: str, body: bytes) -> int:
    """The number of a pointer. Raises ValueError, KeyError, TypeError or note.Malformed."""
    return _read(key, body)[0]


def _read(key: str, body: bytes) -> tuple[int, bytes]:
    if key == CHECKPOINT:
        text = body.partition(b"\n\n")[0] + b"\n"
        checkpoint = note.Checkpoint.parse(text)
        return checkpoint.size, checkpoint.root
    stated = json.loads(body)
    if key == TIMESTAMP:
        return int(stated["signed"]["version"]), body
    return int(stated["version"]), body
