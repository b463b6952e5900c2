"""Tables of entries, their secrets, corroborations and remembered requests."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import JSON, LargeBinary
from sqlmodel import Field, SQLModel

from app.core.lifecycle import OPEN, DelistReason, Status, Takedown
from app.core.terms import EntryScope
from app.platform.database import UtcDateTime

_OPEN = sa.text("status IN ({})".format(", ".join(f"'{status.name}'" for status in sorted(OPEN))))

_LEAVING = sa.text("listed_in IS NOT NULL AND delisted_in IS NULL AND status <> 'LISTED'")


Texts = list[str]
"""`Entry` has a field called list, which hides the type inside the class."""


class Entry(SQLModel, table=True):
    """One submitted URL without the URL. Survives erasure; `entry_secret` does not.

    `fingerprint` is a keyed hash of what the entry covers, there only to find duplicates.
    `listed_in` and `delisted_in` are versions of the list.
    """

    __table_args__ = (
        sa.Index(
            "one_open_entry",
            "list",
            "fingerprint",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        sa.Index("entry_by_list_and_status", "list", "status", "is_blocking"),
        sa.Index("entry_by_version", "list", "listed_in", "delisted_in"),
        sa.Index("entry_leaving", "list", sqlite_where=_LEAVING, postgresql_where=_LEAVING),
        {"sqlite_autoincrement": True},
    )

    seq: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    list: str = Field(foreign_key="block_list.name")
    organisation_id: str = Field(foreign_key="organisation.id", index=True)
    client_id: str
    status: Status
    scope: EntryScope
    measures: Texts = Field(sa_type=JSON)
    is_blocking: bool
    legal_ground: str
    material: str
    hosting_country: str
    assessed_at: datetime = Field(sa_type=UtcDateTime)
    submitted_at: datetime = Field(sa_type=UtcDateTime)
    recheck_by: datetime | None = Field(default=None, sa_type=UtcDateTime)
    takedown: Takedown = Takedown.NOT_STARTED
    commitment: str
    digest: str
    fingerprint: str | None
    listed_in: int | None = None
    delisted_in: int | None = None
    delist_reason: DelistReason | None = None


class EntrySecret(SQLModel, table=True):
    """What erasure destroys: the commitment key, the URL and every free text."""

    __tablename__ = "entry_secret"

    entry_id: str = Field(primary_key=True, foreign_key="entry.id")
    commitment_key: bytes = Field(sa_type=LargeBinary)
    canonical_url: str
    statement: str
    hotline_reference: str | None


class Corroboration(SQLModel, table=True):
    """Another hotline that submitted the same; it makes that hotline no independent reviewer."""

    entry_id: str = Field(primary_key=True, foreign_key="entry.id")
    organisation_id: str = Field(primary_key=True, foreign_key="organisation.id")
    client_id: str
    at: datetime = Field(sa_type=UtcDateTime)


class RememberedRequest(SQLModel, table=True):
    """What an Idempotency-Key answered: entry ids and status, for 24 hours. No body, no URL."""

    __tablename__ = "remembered_request"

    client_id: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body_mac: str
    answer: dict[str, Any] = Field(sa_type=JSON)
    created_at: datetime = Field(index=True, sa_type=UtcDateTime)
