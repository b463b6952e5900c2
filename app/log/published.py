"""The checkpoint as it lies here for readers: its size, its age, and which witnesses cosigned it, and when.

Whether our own key signed it is for its readers to verify, and for app/log/tiles.py before it signs the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.core import note
from app.core.note import Verifier


@dataclass(frozen=True)
class Published:
    """`written_at` is when the file was; `cosigned` has the time of each witness whose cosignature holds."""

    size: int
    written_at: datetime
    cosigned: dict[str, datetime]


def published(folder: Path, witnesses: Sequence[Verifier]) -> Published | None:
    """None before the first. Raises note.Malformed or OSError."""
    file = folder / "checkpoint"
    try:
        signed, written = file.read_bytes(), file.stat().st_mtime
    except FileNotFoundError:
        return None
    checkpoint = note.Checkpoint.parse(signed.partition(b"\n\n")[0] + b"\n")
    return Published(checkpoint.size, datetime.fromtimestamp(written, UTC), _cosigned(signed, witnesses))


def _cosigned(signed: bytes, witnesses: Sequence[Verifier]) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for one in witnesses:
        try:
            signatures = note.read(signed, [one])[1]
        except note.Malformed:
            # It has not signed, or not this: both are a cosignature that is missing.
            continue
        found |= {by.name: datetime.fromtimestamp(by.moment, UTC) for by in signatures if by.moment}
    return found
