"""Shapes of takedowns in the API."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from app.core.lifecycle import Status, Takedown
from app.core.terms import (
    Channel,
    ContactKind,
    Deconfliction,
    Excuse,
    NoticeKind,
    NoticeOutcome,
    ProviderAnswer,
    ProviderClass,
    RefusalReason,
    TakedownReport,
)
from app.entries.schemas import RoutedBy
from app.platform.clock import Moment

OF_A_HOTLINE = frozenset(Excuse) - {Excuse.LAW_ENFORCEMENT_HOLD}
"""Reasons without a notice that a hotline may give; a hold is law enforcement's."""


class NewAnswer(BaseModel):
    """What whoever was told answers by its link; a refusal has a reason."""

    model_config = ConfigDict(extra="forbid")

    answer: ProviderAnswer
    reason: Annotated[RefusalReason | None, Field(validate_default=True)] = None

    @field_validator("reason")
    @classmethod
    def _of_a_refusal(cls, reason: RefusalReason | None, said: ValidationInfo) -> RefusalReason | None:
        answer = said.data.get("answer")
        if answer and (answer is ProviderAnswer.REFUSED) != (reason is not None):
            raise ValueError("give a reason with refused, and with nothing else")
        return reason


class NextLink(BaseModel):
    """Where to answer later on: a page for people, and the address for programs. It works once."""

    page: str
    answer: str
    expires_at: datetime


class AnswerView(BaseModel):
    """An answer that was taken in. `next` after `acknowledged` only."""

    notice: str
    answer: ProviderAnswer
    answered_at: datetime
    next: NextLink | None = None


class NewEvent(BaseModel):
    """What a hotline says: `refused` and `no_notice` have a reason, each of its own kind."""

    model_config = ConfigDict(extra="forbid")

    event: TakedownReport
    reason: Annotated[RefusalReason | Excuse | None, Field(validate_default=True)] = None

    @field_validator("reason")
    @classmethod
    def _of_its_kind(
        cls, reason: RefusalReason | Excuse | None, said: ValidationInfo
    ) -> RefusalReason | Excuse | None:
        event = said.data.get("event")
        if event is TakedownReport.REFUSED:
            if not isinstance(reason, RefusalReason):
                raise ValueError("give a reason with refused: " + ", ".join(RefusalReason))
        elif event is TakedownReport.NO_NOTICE:
            if reason not in OF_A_HOTLINE:
                raise ValueError("give a reason with no_notice: " + ", ".join(sorted(OF_A_HOTLINE)))
        elif event is not None and reason is not None:
            raise ValueError("give a reason with refused or no_notice only")
        return reason


class NewTakedownHold(BaseModel):
    """Nobody is to be told before `until`, at most 14 days ahead."""

    model_config = ConfigDict(extra="forbid")

    reason: Deconfliction
    until: Moment


class TakedownHold(BaseModel):
    """A hold in force. `organisation` is who asked for it, null where the list's policy does."""

    reason: Deconfliction
    until: datetime
    organisation: str | None


class NoticeView(BaseModel):
    """One message to one contact. `failure` is a code; `contact_name` is for its hotline and operators."""

    id: str
    kind: NoticeKind
    turn: int
    contact: str
    contact_version: int
    contact_kind: ContactKind
    contact_name: str | None
    channel: Channel
    made_at: datetime
    attempts: int
    outcome: NoticeOutcome | None
    failure: str | None
    done_at: datetime | None
    answers: int


class Happened(BaseModel):
    """Something that the public log holds of a takedown, in the words of docs/log.md."""

    at: datetime
    what: str
    by: str | None = None
    reason: str | None = None
    outcome: str | None = None
    channel: str | None = None
    to: str | None = None
    until: datetime | None = None
    organisation: str | None = None


class TakedownView(BaseModel):
    """Where the removal of an entry stands; `id` is the entry's.

    What the clock knows is null until it runs. `canonical_url` is shown to law enforcement alone, and only
    while a list that asks it first waits for its word.
    """

    id: str
    state: Takedown
    list: str
    country: str
    status: Status
    submitted_by: str
    opened_at: datetime | None
    first_notice_at: datetime | None
    acknowledge_due_at: datetime | None
    acknowledged_at: datetime | None
    removal_due_at: datetime | None
    removed_at: datetime | None
    confirmed_at: datetime | None
    ended_at: datetime | None
    is_overdue: bool
    to_confirm: bool
    excuse: Excuse | None
    refusal: RefusalReason | None
    provider_class: ProviderClass | None
    hold: TakedownHold | None
    canonical_url: str | None


Steps = list[RoutedBy]
Notices = list[NoticeView]
History = list[Happened]


class TakedownDetail(TakedownView):
    """A takedown with whom it goes to in turn, every notice, and what happened."""

    routed_by: Steps
    notices: Notices
    happened: History


class Takedowns(BaseModel):
    """Takedowns in the order in which their entries were submitted; `next_cursor` continues."""

    takedowns: list[TakedownView]
    next_cursor: str | None = None


class Spans(BaseModel):
    """How long something took, in whole seconds; 9 of 10 took no longer than `p90`."""

    count: int
    median: int | None
    p90: int | None


class Group(BaseModel):
    """Figures of some takedowns. `overdue` of those `with_deadline` were not removed by it."""

    takedowns: int
    to_first_notice: Spans
    to_acknowledgement: Spans
    to_removal: Spans
    with_deadline: int
    overdue: int
    overdue_percent: float | None


class FiguresView(BaseModel):
    """From approval to the first notice, and from there on; by country, and by class of who was told first.

    `unknown` is the class where nobody was told by the service yet.
    """

    since: datetime | None
    until: datetime | None
    every: Group
    by_country: dict[str, Group]
    by_provider_class: dict[str, Group]
