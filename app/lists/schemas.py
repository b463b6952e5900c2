"""Shapes of lists in the API."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.core.policy import Policy
from app.core.terms import BrakeReason, Confidentiality

RESERVED_NAMES = frozenset({"root", "targets", "snapshot", "timestamp", "register"})
ListName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Title = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class NewList(Policy):
    """A list and its policy. Scopes left out of `quorum` take url 1, path 2, host 2, domain 3."""

    name: ListName
    title: Title

    @field_validator("name")
    @classmethod
    def _not_a_role(cls, name: str) -> str:
        if name in RESERVED_NAMES:
            raise ValueError("this name is taken by a TUF role")
        return name

    def policy(self) -> Policy:
        """The policy alone."""
        return Policy.model_validate(self.model_dump(exclude={"name", "title"}))


class NewTitle(BaseModel):
    """Another title of a list."""

    title: Title


class PolicyChange(Policy):
    """The whole policy as it is to be; `base_version` is the version you read."""

    base_version: Annotated[int, Field(ge=1, strict=True)]

    def policy(self) -> Policy:
        """The policy alone."""
        return Policy.model_validate(self.model_dump(exclude={"base_version"}))


Ids = list[str]
"""Some shapes have a field called list, which hides the type inside the class."""


class PolicyView(BaseModel):
    """A version of a list's policy."""

    list: str
    version: int
    changed_at: datetime
    policy: Policy


class ProtectedHosts(BaseModel):
    """Hosts that no host or domain entry covers without a third body; `*.name` is a shared suffix.

    The list is replaced as a whole.
    """

    model_config = ConfigDict(extra="forbid")

    hosts: Annotated[list[Annotated[str, Field(min_length=1, max_length=255)]], Field(max_length=100_000)]


class ProtectedView(BaseModel):
    """What is protected now, and entries on the list that would need another look."""

    hosts: list[str]
    listed_entries: list[str]


class ListView(BaseModel):
    """A list as its readers see it, with the knobs that concern them; `/policy` has them all."""

    name: str
    title: str
    policy_version: int
    scopes: list[str]
    quorum: dict[str, int]
    confidentiality: Confidentiality
    jurisdiction: str | None
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


class Release(BaseModel):
    """What is released: the difference whose digest the brake shows; without it, the present one."""

    model_config = ConfigDict(extra="forbid")

    difference_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class ReleaseView(BaseModel):
    """One organisation's word that a held difference may go out."""

    organisation: str
    at: datetime


Releases = list[ReleaseView]


class BrakeView(BaseModel):
    """Whether a version is held, why, and the exact difference that waits, as entry ids."""

    list: str
    engaged: bool
    reason: BrakeReason | None = None
    engaged_at: datetime | None = None
    difference_sha256: str | None = None
    added: Ids = []
    removed: Ids = []
    releases: Releases = []
