"""When the last backup of an installation was finished, as its folder says: an alert goes by it.

A folder of its own holds the file, so that a container can be given that alone and sees each new one.
"""

from datetime import datetime
from pathlib import Path

from app.platform.clock import instant
from app.platform.files import private_folder, write_atomically

_FILE = Path("backup", "last")


def record(home: Path, at: datetime) -> None:
    """A backup is whole and where it was asked for. Raises OSError."""
    private_folder((home / _FILE).parent)
    write_atomically(home / _FILE, f"{instant(at)}\n".encode(), mode=0o600)


def read(home: Path) -> datetime | None:
    """None where none was ever made, or none from this folder. Raises OSError or ValueError."""
    try:
        return datetime.fromisoformat((home / _FILE).read_text().strip())
    except FileNotFoundError:
        return None
