"""Shapes of exports and quality figures in the API."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from app.audit.models import State
from app.core.terms import Kind
from app.platform.clock import Moment


class NewExport(BaseModel):
    """What to export. The log is always whole; list and dates choose the manifests and openings.

    `reveal` adds the openings (commitment key and URL), sealed with age to the auditor's key.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    list: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = None
    since: Annotated[Moment | None, Field(alias="from")] = None
    until: Annotated[Moment | None, Field(alias="to")] = None
    reveal: StrictBool = False


class ExportView(BaseModel):
    """An export's progress, in leaves. Once `ready`, the same address answers with the file."""

    id: str
    state: State
    list: str | None
    reveal: bool
    done: int
    total: int
    created_at: datetime


class HotlineQuality(BaseModel):
    """A hotline's entries in figures. `overturned` and `stale` count listed ones, and are shares of them.

    A rate or share is null below five cases. Times run from submission to the decision. `flagged_on` names
    lists on which its overturn rate is over the policy's: a flag for suspension, never a suspension.
    """

    organisation: str
    kind: Kind
    submitted: int
    approved: int
    rejected: int
    listed: int
    overturned: int
    overturn_rate: float | None
    stale: int
    stale_share: float | None
    decision_seconds_median: int | None
    decision_seconds_p90: int | None
    flagged: bool
    flagged_on: list[str]


class ReviewBodyQuality(BaseModel):
    """A review body's votes in figures. `overturned` counts approvals of entries whose appeal was upheld.

    Times run from submission to its vote. `opinions_asked` and `opinions_answered` are other bodies' second
    opinions on what it decided, `agreement_share` the share of answers that say the same.
    """

    organisation: str
    kind: Kind
    decisions: int
    approvals: int
    overturned: int
    overturn_rate: float | None
    decision_seconds_median: int | None
    decision_seconds_p90: int | None
    opinions_given: int
    opinions_asked: int
    opinions_answered: int
    agreement_share: float | None


Hotlines = list[HotlineQuality]
ReviewBodies = list[ReviewBodyQuality]


class QualityView(BaseModel):
    """Figures about entries submitted in a time, to one list or all."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    list: str | None
    since: Annotated[datetime | None, Field(alias="from")]
    until: Annotated[datetime | None, Field(alias="to")]
    hotlines: Hotlines
    review_bodies: ReviewBodies
