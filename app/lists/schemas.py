"""Shapes of lists in the API."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.core.terms import Confidentiality, EntryScope

RESERVED_NAMES = frozenset({"root", "targets", "snapshot", "timestamp", "register"})
DEFAULT_QUORUM = {EntryScope.URL: 1, EntryScope.PATH: 2, EntryScope.HOST: 2, EntryScope.DOMAIN: 3}
ListName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class NewList(BaseModel):
    """A list and its policy. Scopes left out of `quorum` take url 1, path 2, host 2, domain 3."""

    model_config = ConfigDict(extra="forbid")

    name: ListName
    title: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
    scopes: Annotated[list[EntryScope], Field(min_length=1, max_length=4)]
    quorum: dict[EntryScope, Annotated[int, Field(ge=1, le=9, strict=True)]] = {}
    confidentiality: Confidentiality = Confidentiality.SEALED
    recheck_days: Annotated[int, Field(ge=1, le=365, strict=True)] = 30
    retention_days: Annotated[int, Field(ge=1, le=3650, strict=True)] = 180
    min_poll_seconds: Annotated[int, Field(ge=1, le=86400, strict=True)] = 60

    @field_validator("name")
    @classmethod
    def _not_a_role(cls, name: str) -> str:
        if name in RESERVED_NAMES:
            raise ValueError("this name is taken by a TUF role")
        return name

    @field_validator("scopes")
    @classmethod
    def _each_once(cls, scopes: list[EntryScope]) -> list[EntryScope]:
        if len(set(scopes)) != len(scopes):
            raise ValueError("name each scope once")
        return scopes


class ListView(BaseModel):
    """A list as its readers see it."""

    name: str
    title: str
    scopes: list[str]
    quorum: dict[str, int]
    confidentiality: Confidentiality
    recheck_days: int
    retention_days: int
    min_poll_seconds: int
    created_at: datetime
    latest_version: int | None


class Lists(BaseModel):
    """All lists the caller may know of."""

    lists: list[ListView]


class SnapshotView(BaseModel):
    """One version of a list, in figures."""

    list: str
    version: int
    published_at: datetime
    entry_count: int
    added: int
    removed: int
    content_sha256: str
    commitments_sha256: str


class Snapshots(BaseModel):
    """Versions, newest first. `next_cursor` continues the listing."""

    snapshots: list[SnapshotView]
    next_cursor: str | None
