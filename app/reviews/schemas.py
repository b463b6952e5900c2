"""Shapes of reviews in the API."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from app.core.lifecycle import Status
from app.core.terms import Decision
from app.entries.schemas import EntryView, InWords, Text


class Criteria(BaseModel):
    """The questions a reviewer answers one by one; an approval needs every answer to be true."""

    model_config = ConfigDict(extra="forbid")

    depicts_child: StrictBool
    sexually_explicit: StrictBool
    url_in_scope: StrictBool
    narrowest_scope: StrictBool
    removal_pursued: StrictBool


class NewReview(BaseModel):
    """A decision. `signature` is a compact JWS (ES256) over the statement of core/decision."""

    model_config = ConfigDict(extra="forbid")

    decision: Decision
    criteria: Criteria
    reason: Annotated[str, Field(min_length=1, max_length=2000, pattern=Text), InWords]
    signature: Annotated[str, Field(min_length=1, max_length=8192)]


class ReviewView(BaseModel):
    """A decision that was taken in, and how the entry now stands. `quorum` is organisations needed."""

    id: str
    entry: str
    decision: Decision
    status: Status
    approvals: int
    rejections: int
    quorum: int


class Queue(BaseModel):
    """Entries that wait for this reviewer, oldest first."""

    entries: list[EntryView]
    next_cursor: str | None = None
