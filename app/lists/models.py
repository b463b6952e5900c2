"""Tables of lists, their policies, protected hosts, subscribers, snapshots and brakes."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import JSON, LargeBinary
from sqlmodel import Field, SQLModel

from app.platform.database import UtcDateTime

Texts = list[str]
"""Some tables have a column called list, which hides the type inside the class."""


class BlockList(SQLModel, table=True):
    """A named list. What it asks for is its newest policy."""

    __tablename__ = "block_list"

    name: str = Field(primary_key=True)
    title: str
    policy_version: int = 1
    created_at: datetime = Field(sa_type=UtcDateTime)


class ListPolicy(SQLModel, table=True):
    """A version of a list's policy (core/policy), final once written."""

    __tablename__ = "list_policy"

    list: str = Field(primary_key=True, foreign_key="block_list.name")
    version: int = Field(primary_key=True)
    policy: dict[str, Any] = Field(sa_type=JSON)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    client_id: str | None = None


class ProtectedHost(SQLModel, table=True):
    """A host of legitimate importance, or with `is_shared` a suffix below which every name is another's."""

    __tablename__ = "protected_host"

    list: str = Field(primary_key=True, foreign_key="block_list.name")
    host: str = Field(primary_key=True)
    is_shared: bool


class MatchKey(SQLModel, table=True):
    """A key of a list's `hashes`, used from `first_version` on; the key itself is a file of the keyring.

    `recipients` are all age recipients that it was sealed to.
    """

    __tablename__ = "match_key"

    list: str = Field(primary_key=True, foreign_key="block_list.name")
    number: int = Field(primary_key=True)
    first_version: int
    made_at: datetime = Field(sa_type=UtcDateTime)
    recipients: Texts = Field(sa_type=JSON)


class SubscriberFile(SQLModel, table=True):
    """The file that holds, for each subscriber sealed to it alone, match keys and canary entries.

    `made_from` is a digest of all that is in it: the file is made anew only when that changes.
    """

    __tablename__ = "subscriber_file"

    list: str = Field(primary_key=True, foreign_key="block_list.name")
    made_from: str
    length: int
    sha256: str


class Standing(SQLModel, table=True):
    """One row, counted up by the database with each change that decides who may read which version.

    Those are changes of clients, organisations, subscriptions, lists and snapshots.
    """

    id: int = Field(primary_key=True)
    number: int


class ListReader(SQLModel, table=True):
    """An authority that may read a list's entries as indicators (app/distribution/taxii.py)."""

    __tablename__ = "list_reader"

    list: str = Field(primary_key=True, foreign_key="block_list.name")
    organisation_id: str = Field(primary_key=True, foreign_key="organisation.id")
    created_at: datetime = Field(sa_type=UtcDateTime)


class Subscription(SQLModel, table=True):
    """An organisation that may read a list."""

    list: str = Field(primary_key=True, foreign_key="block_list.name")
    organisation_id: str = Field(primary_key=True, foreign_key="organisation.id")
    created_at: datetime = Field(sa_type=UtcDateTime)


class Snapshot(SQLModel, table=True):
    """One version of a list. `manifest` is empty until its files are written, then final.

    `is_held` versions take up no addition and leave withdrawals out; `is_staged` ones go to the list's
    canaries first. From `staged_at` on those have it; then `promoted_at` says that it goes on to all, or
    `taken_back_at` that it never will.
    """

    __table_args__ = (sa.Index("snapshot_by_date", "published_at"),)

    list: str = Field(primary_key=True, foreign_key="block_list.name")
    version: int = Field(primary_key=True)
    published_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    entry_count: int
    added: int
    removed: int
    content_sha256: str | None = None
    commitments_sha256: str | None = None
    log_size: int
    log_root: str
    manifest: bytes | None = Field(default=None, sa_type=LargeBinary)
    manifest_jws: str | None = None
    withdrawn: int = 0
    is_released: bool = False
    is_held: bool = False
    is_staged: bool = False
    staged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    promoted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    taken_back_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    is_served: bool = Field(default=False, index=True)
    match_key: int | None = None
    """Number of the key of its `hashes`."""
    policy_version: int | None = None
    """The policy its files are written under."""
    recipients_sha256: str | None = None
    """Over the age recipients it is sealed to, sorted, a line each."""

    @property
    def is_finished(self) -> bool:
        """Whether somebody can have it: files and signatures are there."""
        return self.is_served or self.staged_at is not None

    @property
    def is_on_trial(self) -> bool:
        """Whether the canaries have it and nothing is decided."""
        return self.staged_at is not None and self.promoted_at is None and self.taken_back_at is None

    def waited(self, now: datetime) -> timedelta:
        """How long the canaries alone have had it, or had it when it was decided."""
        ends = self.promoted_at or self.taken_back_at or now
        return ends - self.staged_at if self.staged_at else timedelta()

    @property
    def is_taken_back(self) -> bool:
        """Whether it is never served to all."""
        return self.taken_back_at is not None


class Brake(SQLModel, table=True):
    """A held version: why, and the exact difference by its digest. In force until `ended_at`."""

    id: str = Field(primary_key=True)
    list: str = Field(foreign_key="block_list.name", index=True)
    engaged_at: datetime = Field(sa_type=UtcDateTime)
    reason: str
    policy_version: int
    difference_sha256: str
    added: int
    removed: int
    released_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class BrakeRelease(SQLModel, table=True):
    """One person's word that a held difference may go out. Two, of two organisations, are needed."""

    __tablename__ = "brake_release"

    brake_id: str = Field(primary_key=True, foreign_key="brake.id")
    organisation_id: str = Field(primary_key=True, foreign_key="organisation.id")
    client_id: str
    difference_sha256: str
    at: datetime = Field(sa_type=UtcDateTime)
