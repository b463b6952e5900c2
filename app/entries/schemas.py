"""Shapes of entries in the API."""

from datetime import datetime
from typing import Annotated, Literal

import pycountry
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyAddress,
    field_validator,
    model_validator,
)

from app.core.collateral import SuffixClass
from app.core.legal import Ground, Material
from app.core.lifecycle import DelistReason, Status, Takedown
from app.core.reasons import Statement
from app.core.terms import (
    Channel,
    ContactKind,
    Decision,
    EntryScope,
    ErasureReason,
    HoldReason,
    Measure,
    RecheckOutcome,
    Rule,
)
from app.platform.clock import Moment

COUNTRIES = frozenset(country.alpha_2 for country in pycountry.countries)
Text = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
Line = r"^[^\x00-\x1f\x7f]*$"


def _say_something(text: str) -> str:
    if not any(character.isalnum() for character in text):
        raise ValueError("write it in words")
    return text


InWords = AfterValidator(_say_something)
"""Of a text that somebody is to read: it is neither blank nor all marks."""


Measures = list[Measure]
"""The shapes below have a field called list, which hides the type inside the class."""


class NewEntry(BaseModel):
    """One URL a hotline assessed. `hosting_country` is ISO 3166-1 alpha-2, as assessed."""

    model_config = ConfigDict(extra="forbid")

    url: str
    scope: EntryScope
    measures: Annotated[Measures, Field(min_length=1, max_length=2)]
    list: Annotated[str, Field(min_length=1, max_length=63, pattern=Line)]
    legal_ground: Ground
    material: Material
    assessed_at: Moment
    statement: Annotated[str, Field(min_length=20, max_length=2000, pattern=Text), InWords]
    hosting_country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    hotline_reference: Annotated[str, Field(min_length=1, max_length=200, pattern=Line)] | None = None
    scope_reason: Annotated[str, Field(min_length=20, max_length=2000, pattern=Text), InWords] | None = None
    """Why a narrower scope fails; host and domain need it."""
    hosting_provider: Annotated[str, Field(min_length=1, max_length=200, pattern=Line)] | None = None
    """Who hosts it, as assessed; with its IP address this finds whom to tell."""
    hosting_address: IPvAnyAddress | None = None

    @field_validator("measures")
    @classmethod
    def _each_once(cls, measures: Measures) -> Measures:
        if len(set(measures)) != len(measures):
            raise ValueError("name each measure once")
        return measures

    @field_validator("hosting_address", mode="before")
    @classmethod
    def _an_address_as_text(cls, address: object) -> object:
        if not isinstance(address, str | None) or "%" in (address or ""):
            raise ValueError("write an IP address as text, without a zone")
        return address

    @field_validator("hosting_country")
    @classmethod
    def _a_country(cls, code: str) -> str:
        if code not in COUNTRIES:
            raise ValueError("not an ISO 3166-1 alpha-2 code")
        return code


class NewEntries(BaseModel):
    """A batch: all of it is taken, or nothing."""

    model_config = ConfigDict(extra="forbid")

    entries: Annotated[list[NewEntry], Field(min_length=1, max_length=1000)]


class Erasure(BaseModel):
    """Why an entry is to be erased."""

    model_config = ConfigDict(extra="forbid")

    reason: ErasureReason


class ErasureView(BaseModel):
    """An erased entry; its secret is destroyed once its leaf is public."""

    entry: str
    status: Status
    reason: ErasureReason


class NewHold(BaseModel):
    """A stay on an entry's erasure, until a moment at most 90 days ahead."""

    model_config = ConfigDict(extra="forbid")

    reason: HoldReason
    until: Moment


class HoldView(BaseModel):
    """A legal hold. `lifted` when it was ended before its date."""

    entry: str
    reason: HoldReason
    placed_at: datetime
    until: datetime
    lifted: bool = False


class Emergency(BaseModel):
    """What must leave its list now: entries by id, or everything of one batch."""

    model_config = ConfigDict(extra="forbid")

    entries: Annotated[
        list[Annotated[str, Field(max_length=64, pattern=Line)]], Field(max_length=10_000)
    ] = []
    batch: Annotated[str, Field(max_length=64, pattern=Line)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Emergency":
        if bool(self.entries) == bool(self.batch):
            raise ValueError("name entries, or a batch")
        return self


class EmergencyView(BaseModel):
    """Entries that left, or will not enter, their list; the others had left already."""

    delisted: list[str]


class NewRecheck(BaseModel):
    """What a hotline found when it looked again. `changed` and `removed` end a listing at once."""

    model_config = ConfigDict(extra="forbid")

    outcome: RecheckOutcome
    checked_at: Moment


class Collateral(BaseModel):
    """What else the entry's host carries: other known entries, who submitted them, and its kind."""

    suffix_class: SuffixClass
    is_protected: bool
    other_entries: int
    other_organisations: int


class RoutedBy(BaseModel):
    """Somebody whom an entry's notice goes to, and the rule that chose it; a contact by id and version.

    Those of one `turn` are told at once, those of the next when these do not act. Turn 0 is law enforcement.
    """

    turn: int
    rule: Rule
    contact: str
    version: int
    kind: ContactKind
    channel: Channel


Steps = list[RoutedBy]


class EntryView(BaseModel):
    """An entry. The last seven fields are null for whoever only corroborated it, and once erased.

    `notice_at` is since when a notice to remove is on record, or a reason why none is possible; `routed_by`
    who is told in turn, empty until its takedown has begun.
    """

    id: str
    status: Status
    list: str
    scope: EntryScope
    measures: Measures
    legal_ground: Ground
    material: Material
    hosting_country: str
    assessed_at: datetime
    submitted_at: datetime
    submitted_by: str
    corroborations: int
    recheck_by: datetime | None
    takedown: Takedown
    notice_at: datetime | None
    routed_by: Steps
    commitment: str
    digest: str
    listed_in: int | None
    delisted_in: int | None
    delist_reason: DelistReason | None
    batch_id: str | None
    quorum: int
    collateral: Collateral | None
    canonical_url: str | None
    commitment_key: str | None
    statement: str | None
    scope_reason: str | None
    hotline_reference: str | None
    hosting_provider: str | None
    hosting_address: str | None


class Entries(BaseModel):
    """Entries in the order asked for. `next_cursor` continues; `batch` names what was submitted at once."""

    entries: "list[EntryView]"
    batch: str | None = None
    next_cursor: str | None = None


class Redress(BaseModel):
    """How a decision is contested: to a body that took no part in it, and in court."""

    appeal: Literal["/v1/appeals"] = "/v1/appeals"
    decided_within_days: int
    judicial: str


Words = list[str]


class StatementOfReasons(Statement):
    """A decision's reasons: the DSA Transparency Database's fields, then what they have no place for.

    `decision_facts` and `scope_reason` (why a narrower scope does not suffice) are null for whoever only
    corroborated. `bodies` is how many decided so, `quorum` how many the policy asked for.
    """

    entry: str
    list: str
    status: Status
    decision: Decision
    decided_at: datetime
    bodies: int
    quorum: int
    unmet_criteria: Words
    scope: EntryScope
    scope_reason: str | None
    measures: Measures
    delist_reason: DelistReason | None
    redress: Redress
