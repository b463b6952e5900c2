"""Shapes of the exchange between peers that are not sealed."""

from datetime import datetime

from pydantic import BaseModel

from app.core.legal import Ground, Material
from app.core.lifecycle import Status, Takedown
from app.core.terms import EntryScope, Measure


class Taken(BaseModel):
    """A message that was taken in. `repeated`: it was before, and nothing was done again."""

    message: str
    repeated: bool


Measures = list[Measure]


class ReferredEntry(BaseModel):
    """An entry that a peer referred here, as its own hotline assessed it."""

    entry: str
    status: Status
    takedown: Takedown
    list: str
    scope: EntryScope
    measures: Measures
    legal_ground: Ground
    material: Material
    hosting_country: str
    hosting_provider: str | None
    assessed_at: datetime
    submitted_at: datetime
    canonical_url: str
    statement: str


class ReferredEntries(BaseModel):
    """What was referred, oldest first. `next_cursor` continues."""

    referrals: list[ReferredEntry]
    next_cursor: str | None
