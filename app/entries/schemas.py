"""Shapes of entries in the API."""

from datetime import datetime
from typing import Annotated

import pycountry
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from app.core.legal import Ground, Material
from app.core.lifecycle import DelistReason, Status, Takedown
from app.core.terms import EntryScope, ErasureReason, HoldReason, Measure

COUNTRIES = frozenset(country.alpha_2 for country in pycountry.countries)
Text = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
Line = r"^[^\x00-\x1f\x7f]*$"


Measures = list[Measure]
"""The shapes below have a field called list, which hides the type inside the class."""


class NewEntry(BaseModel):
    """One URL a hotline assessed. `hosting_country` is ISO 3166-1 alpha-2, as assessed."""

    model_config = ConfigDict(extra="forbid")

    url: str
    scope: EntryScope
    measures: Annotated[Measures, Field(min_length=1, max_length=2)]
    list: Annotated[str, Field(min_length=1, max_length=63)]
    legal_ground: Ground
    material: Material
    assessed_at: AwareDatetime
    statement: Annotated[str, Field(min_length=20, max_length=2000, pattern=Text)]
    hosting_country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    hotline_reference: Annotated[str, Field(min_length=1, max_length=200, pattern=Line)] | None = None

    @field_validator("measures")
    @classmethod
    def _each_once(cls, measures: Measures) -> Measures:
        if len(set(measures)) != len(measures):
            raise ValueError("name each measure once")
        return measures

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
    until: AwareDatetime


class HoldView(BaseModel):
    """A legal hold. `lifted` when it was ended before its date."""

    entry: str
    reason: HoldReason
    placed_at: datetime
    until: datetime
    lifted: bool = False


class EntryView(BaseModel):
    """An entry. The last four fields are null for whoever only corroborated it, and once erased."""

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
    commitment: str
    digest: str
    listed_in: int | None
    delisted_in: int | None
    delist_reason: DelistReason | None
    canonical_url: str | None
    commitment_key: str | None
    statement: str | None
    hotline_reference: str | None


class Entries(BaseModel):
    """Entries in the order of submission. `next_cursor` continues the listing."""

    entries: "list[EntryView]"
    next_cursor: str | None = None
