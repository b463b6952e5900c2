"""Shapes of the transparency report: the document of a closed month, and what is told of months still open.

`docs/transparency.md` says what each figure counts. A `Shown` count may be "<5" or "withheld"
(app/core/suppression.py); plain counts are those that the public log shows by itself.
"""

import datetime as dates
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.core.suppression import Shown

MEASURES = (
    "submitted",
    "approved",
    "rejected",
    "withdrawn",
    "reopened",
    "listed",
    "taken_back",
    "reinstated",
    "erased",
)
"""Fields of `Counts` that are one number."""
BROKEN_DOWN = ("submitted", "approved", "rejected", "listed", "delisted", "overturned")
"""What is told by legal ground and by hosting country."""


class Strict(BaseModel):
    """What is signed holds nothing unforeseen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Votes(Strict):
    """Signed decisions of reviewers, whether or not they completed a quorum."""

    approve: int = 0
    reject: int = 0


class Delisted(Strict):
    """What left its list, or its way there, by the reason first given."""

    removed_at_source: int = 0
    expired: int = 0
    not_reaffirmed: int = 0
    appeal_upheld: int = 0
    withdrawn: int = 0
    emergency: int = 0

    @property
    def total(self) -> int:
        """For all reasons."""
        return sum(self.model_dump().values())


class Counts(Strict):
    """What happened to entries in the month, as the public log shows it."""

    submitted: int = 0
    votes: Votes = Votes()
    approved: int = 0
    rejected: int = 0
    withdrawn: int = 0
    reopened: int = 0
    listed: int = 0
    taken_back: int = 0
    reinstated: int = 0
    delisted: Delisted = Delisted()
    erased: int = 0


class Appeals(Strict):
    """Complaints against listings; the log names no list with them."""

    complaints_submitted: int = 0
    decisions_reversed: int = 0
    decisions_maintained: int = 0
    overdue: int = 0
    lapsed: int = 0
    overturn_rate: float | None = None


class Span(Strict):
    """How long something took, by nearest rank; the times are null below five cases."""

    cases: Shown
    median_seconds: int | None = None
    p90_seconds: int | None = None


class Times(Strict):
    """From submission to decision, from first notice to removal, from delisting to a version without."""

    decision: Span
    removal: Span
    unblock: Span
    unblock_not_available: Shown


class Day(Strict):
    """How many entries stood on the list, or all lists, at the end of a day."""

    date: dates.date
    entries: int


Days = list[Day]


class Figures(Strict):
    """Of one list, or of all. `overturn_rate`: what appeals ended for each entry listed, null below five."""

    counts: Counts
    overturn_rate: float | None
    times: Times
    live_entries: Days


class Table(Strict):
    """One measure by ground or country. `total` is the log's; `cells` is null when none may be told."""

    total: int
    cells: dict[str, Shown] | None


class Document(Strict):
    """A closed month. `reporting_period_end` is the first moment that is not in it."""

    format: Literal["wardlist-report/v1"] = "wardlist-report/v1"
    period: str
    reporting_period_start: str
    reporting_period_end: str
    published_at: str
    every: Figures
    lists: dict[str, Figures]
    appeals: Appeals
    by_legal_ground: dict[str, Table]
    by_hosting_country: dict[str, Table]


class Closed(BaseModel):
    """A closed month with what proves it. `leaf_index` is null for the second until the log has its place."""

    period: str
    sha256: str
    leaf_index: int | None
    jws: str
    document: Document


class Preliminary(BaseModel):
    """A month still open, as far as it is counted: nothing but what the public log shows by itself."""

    period: str
    counted_at: dates.datetime
    every: Counts
    lists: dict[str, Counts]
    appeals: Appeals
    live_entries: Days


class Answer(BaseModel):
    """Months from the first to the last, both included: closed ones, oldest first, and those still open."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    since: Annotated[str, Field(alias="from")]
    until: Annotated[str, Field(alias="to")]
    reports: list[Closed]
    preliminary: list[Preliminary]
