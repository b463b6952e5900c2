"""What is on record of an entry, step by step: by its leaves, without who did what.

While a second opinion is asked for unseen, a review body reads no further than the submission.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlmodel import Session

from app.core.terms import Kind
from app.entries.models import Entry
from app.identity.service import Caller
from app.log import service as log

_BEFORE_REVIEW = ("entry.submitted", "entry.corroborated")
_NOTES = ("reason", "outcome")


class Step(NamedTuple):
    """Something that happened: the leaf's type, and what it says of why, until when, and in which version."""

    at: datetime
    what: str
    note: str | None
    until: datetime | None
    version: int | None


def of(session: Session, caller: Caller, entry: Entry) -> list[Step]:
    """Everything about the entry that the log holds, oldest first; second opinions are left out."""
    is_blind = caller.kind is Kind.REVIEW_BODY and entry.opinion_open
    found = (json.loads(body) for body in log.about(session, entry.id))
    shown = (leaf for leaf in found if leaf["type"].startswith(("entry.", "takedown.")))
    return [_step(leaf) for leaf in shown if not is_blind or leaf["type"] in _BEFORE_REVIEW]


def _step(leaf: Mapping[str, Any]) -> Step:
    until = leaf.get("until") or leaf.get("recheck_by")
    return Step(
        at=datetime.fromisoformat(leaf["at"]),
        what=leaf["type"],
        note=next((leaf[name] for name in _NOTES if name in leaf), None),
        until=datetime.fromisoformat(until) if until else None,
        version=leaf.get("version"),
    )
