"""The head of the public log as it stands in the checkpoint, and which witnesses cosigned it.

Source: C2SP tlog-checkpoint, tlog-cosignature.
"""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlmodel import Session

from app.core import note
from app.log import service as log
from app.log.tiles import public_log
from app.platform.context import Platform


@dataclass(frozen=True)
class Head:
    """`newest_at` is when the last leaf was committed; a cosignature has its witness's name and its time."""

    origin: str
    size: int
    root: str
    newest_at: datetime | None
    cosignatures: tuple[tuple[str, datetime], ...]
    vkey: str


def head(context: Platform, session: Session) -> Head | None:
    """The published head; None before the first. Raises note.Malformed when the file is not ours."""
    published = public_log(context.settings, context.keyring)
    try:
        signed = (context.settings.log / "checkpoint").read_bytes()
    except FileNotFoundError:
        return None
    witnesses = [verifier for verifier, _ in context.settings.witnesses_configured]
    text, signatures = note.read(signed, [*published.verifiers, *witnesses])
    found = note.Checkpoint.parse(text)
    newest = log.leaves(session, found.size - 1, found.size)
    return Head(
        origin=found.origin,
        size=found.size,
        root=base64.b64encode(found.root).decode(),
        newest_at=datetime.fromisoformat(json.loads(newest[0])["at"]) if newest else None,
        cosignatures=tuple(
            (one.name, datetime.fromtimestamp(one.moment, UTC))
            for one in signatures
            if one.moment is not None
        ),
        vkey=str(published.verifier),
    )
