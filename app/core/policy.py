"""A list's policy: every knob that decides what gets on a list, how long it stays, and what stops a version.

A policy is logged whole when the list is created (version 1) and at every change, so that a stranger who
replays the log counts quorums and dates under the policy in force then. Sources: design section 3; Lanzarote
Convention art. 20; Directive 2011/93/EU art. 25 (necessary and proportionate, with redress).
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from app.core.terms import Confidentiality, EntryScope, Format, ProviderNotices

WIDE = frozenset({EntryScope.HOST, EntryScope.DOMAIN})
"""Scopes that cover a whole host: they need a stated reason and more bodies than a URL."""
Scopes = list[EntryScope]
Formats = list[Format]
Bodies = Annotated[int, Field(ge=1, le=9, strict=True)]
Percent = Annotated[int, Field(ge=0, le=100, strict=True)]
Hours = Annotated[int, Field(ge=0, le=720, strict=True)]
Name = Annotated[str, Field(max_length=200, pattern=r"^(?:[a-z0-9_-]{1,63}\.)+[a-z0-9-]{2,63}$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


NO_BRAKE = 10_000_000
"""More changes than any list has."""


def default_quorum(scope: EntryScope, url: int) -> int:
    """Organisations asked for when a policy does not say; wide scopes always more than a URL."""
    least = {EntryScope.URL: 1, EntryScope.PATH: 2, EntryScope.HOST: 2, EntryScope.DOMAIN: 3}[scope]
    return max(least, url + 1) if scope in WIDE else least


class Policy(BaseModel):
    """Days are whole days, shares are percent. `quorum` holds a number for each of `scopes`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scopes: Annotated[Scopes, Field(min_length=1, max_length=4)]
    quorum: dict[EntryScope, Bodies] = {}
    confidentiality: Confidentiality = Confidentiality.SEALED
    recheck_days: Annotated[int, Field(ge=1, le=365, strict=True)] = 30
    retention_days: Annotated[int, Field(ge=1, le=3650, strict=True)] = 180
    min_poll_seconds: Annotated[int, Field(ge=1, le=86400, strict=True)] = 60
    formats: Annotated[Formats, Field(min_length=1, max_length=len(Format))] = list(Format)
    """What each version is written as; `jsonl`, the reference form, always among them."""
    delta_versions: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 512
    """How many newest versions keep their delta."""
    match_key_days: Annotated[int, Field(ge=1, le=365, strict=True)] = 30
    """How long the key of the `hashes` format is used; it also changes when a subscriber leaves."""
    walled_garden: Name | None = None
    """Name that `rpz` answers lead to; without one a listed name does not exist."""
    jurisdiction: Country | None = None
    """ISO 3166-1 alpha-2 of the state whose law the list applies."""
    block_in_jurisdiction: Annotated[bool, Field(strict=True)] = False
    """Whether what is hosted inside the jurisdiction may be blocked besides taken down."""
    reserved_grounds: Annotated[list[str], Field(max_length=6)] = []
    """Legal grounds that the jurisdiction declared itself not bound by."""
    protected_quorum: Bodies = 3
    """Organisations asked for when a host or domain entry covers a protected host."""
    second_opinion_percent: Percent = 0
    """Share of decided entries that go to another body unseen."""
    brake_changes: Annotated[int, Field(ge=1, le=10_000_000, strict=True)] = 2000
    """A version with which a day adds, or takes back, more than this many entries is held."""
    brake_percent: Annotated[int, Field(ge=1, le=100, strict=True)] = 20
    """So is one that adds, or takes back, more than this share of the live entries,"""
    brake_free: Annotated[int, Field(ge=0, le=10_000_000, strict=True)] = 250
    """unless it is no more than this many."""
    canaries: Annotated[list[Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]], Field(max_length=50)] = []
    """Subscribers (organisation ids) that get a version first."""
    canary_minutes: Annotated[int, Field(ge=1, le=1440, strict=True)] = 10
    """How long a version stays with the canaries when none of them says it failed."""
    appeal_days: Annotated[int, Field(ge=1, le=90, strict=True)] = 15
    overturn_percent: Annotated[int, Field(ge=1, le=100, strict=True)] = 10
    """A hotline with a larger share of overturned listings is flagged,"""
    overturn_after: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 20
    """once it has this many listings."""
    notice_first: Annotated[bool, Field(strict=True)] = False
    """Whether an entry is listed only once a notice to remove is on record, or why none is possible;"""
    notice_window_hours: Hours = 0
    """and that long after."""
    provider_notices: ProviderNotices = ProviderNotices.WITHOUT_PARTNER
    """Whether providers are told where the hosting country has a partner hotline."""
    law_enforcement_hours: Annotated[int, Field(ge=0, le=168, strict=True)] = 0
    """How long law enforcement is heard before anybody is told."""
    acknowledge_hours: Annotated[int, Field(ge=1, le=720, strict=True)] = 24
    """Until whoever was told must have answered; a reminder has as long again."""
    removal_hours: Annotated[int, Field(ge=1, le=720, strict=True)] = 72
    """Until the material must be gone, from the first notice."""
    reminders: Annotated[int, Field(ge=0, le=5, strict=True)] = 1
    """To each contact, before the next one is told."""

    @model_validator(mode="before")
    @classmethod
    def _fill_quorum(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("quorum", {}), dict):
            return given
        asked = {str(scope): needed for scope, needed in given.get("quorum", {}).items()}
        try:
            url = int(asked.get("url", 1))
            scopes = [EntryScope(scope) for scope in given["scopes"]]
        except (KeyError, TypeError, ValueError):
            return given
        return {**given, "quorum": {one.value: default_quorum(one, url) for one in scopes} | asked}

    @field_validator("scopes")
    @classmethod
    def _each_once(cls, scopes: Scopes) -> Scopes:
        if len(set(scopes)) != len(scopes):
            raise ValueError("name each scope once")
        return scopes

    @field_validator("formats")
    @classmethod
    def _with_reference_form(cls, formats: Formats) -> Formats:
        if len(set(formats)) != len(formats) or Format.JSONL not in formats:
            raise ValueError("name each format once, jsonl among them")
        return formats

    @field_validator("quorum")
    @classmethod
    def _wide_needs_more(cls, quorum: dict[EntryScope, int], info: ValidationInfo) -> dict[EntryScope, int]:
        scopes = set(info.data.get("scopes", quorum))
        if scopes != quorum.keys():
            raise ValueError("name a number for scopes of this list only")
        if any(quorum[scope] <= quorum.get(EntryScope.URL, 1) for scope in WIDE & scopes):
            raise ValueError("host and domain need a higher quorum than url, and at least 2")
        return quorum

    def needed(self, scope: EntryScope, is_protected: bool = False) -> int:
        """How many organisations must agree on an entry, also of a scope the list no longer takes."""
        url = self.quorum.get(EntryScope.URL, 1)
        asked = self.quorum.get(scope) or default_quorum(scope, url)
        return max(asked, self.protected_quorum) if is_protected and scope in WIDE else asked

    def to_json(self) -> dict[str, Any]:
        """Every knob, as it stands in leaves and in the API."""
        return self.model_dump(mode="json")

    @classmethod
    def recorded(cls, record: Mapping[str, Any]) -> "Policy":
        """The policy in a leaf `list.created` or `policy.changed`, or in the database. Raises ValueError.

        A record from before there were brakes is what it was: without one, and with its own quorum.
        """
        known = {name: record[name] for name in cls.model_fields if name in record}
        if "brake_changes" in known:
            return cls.model_validate(known)
        quorum = {EntryScope(scope): int(needed) for scope, needed in known.pop("quorum", {}).items()}
        old = cls.model_validate({**known, "brake_changes": NO_BRAKE, "brake_free": NO_BRAKE})
        return old.model_copy(update={"quorum": quorum})
