"""Tables of entries, their secrets, corroborations and remembered requests."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import JSON, LargeBinary
from sqlmodel import Field, SQLModel

from app.core.lifecycle import OPEN, DelistReason, Status, Takedown
from app.core.terms import EntryScope, HoldReason
from app.platform.database import UtcDateTime

_OPEN = sa.text("status IN ({})".format(", ".join(f"'{status.name}'" for status in sorted(OPEN))))

_LEFT = sa.text("delisted_in IS NOT NULL")
TAKEDOWN_DUE = sa.text("takedown_due")
"""In the words of the index, for queries."""
OPINION_OPEN = sa.text("opinion_open")
"""In the words of the index `entry_second_opinion`, for queries."""
ENTERING = "status = 'APPROVED' AND is_blocking"
"""In the words of the index `entry_noticed`, for queries."""
UNROUTED = "NOT status <> 'APPROVED' AND is_blocking AND notice_at IS NULL AND routed_by IS NULL"
"""In the words of the index `entry_unrouted`, for queries, and such that no other index is taken for it."""
_NOTICED, _UNROUTED = sa.text(f"{ENTERING} AND notice_at IS NOT NULL"), sa.text(UNROUTED)
LISTED: sa.ColumnElement[Any] = sa.literal_column("'LISTED'")
"""In the words of the index `entry_leaving`, for queries, as `UPHELD` is."""
_LEAVING = sa.text("listed_in IS NOT NULL AND delisted_in IS NULL AND status <> 'LISTED'")
UPHELD = sa.text("delist_reason = 'APPEAL_UPHELD'")
"""In the words of the index, for queries: a bound value would keep a planner from using it."""


Texts = list[str]
"""`Entry` has a field called list, which hides the type inside the class."""
Steps = list[dict[str, Any]]


class Entry(SQLModel, table=True):
    """One submitted URL without the URL. Survives erasure; `entry_key` and `entry_cipher` do not.

    `fingerprint` is a keyed hash of what the entry covers, there only to find duplicates, `host_fingerprint`
    one of its host, there only to count what else is known on it. Both go with erasure.
    `listed_in` and `delisted_in` are versions of the list; `settled_at` starts the retention time. With
    `is_protected` it covers a protected host and needs more bodies. `notice_at` is since when a notice to
    remove is on record, or why none is possible; `routed_by` who is told and why, without what it hides; with
    `takedown_due` its takedown is to be looked at (app/takedown/duties.py).
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
        sa.Index("entry_by_recheck", "status", "recheck_by"),
        sa.Index("entry_by_version", "list", "listed_in", "delisted_in"),
        sa.Index("entry_leaving", "list", "listed_in", sqlite_where=_LEAVING, postgresql_where=_LEAVING),
        sa.Index("entry_left", "list", "delisted_in", sqlite_where=_LEFT, postgresql_where=_LEFT),
        sa.Index("entry_takedown_due", "seq", sqlite_where=TAKEDOWN_DUE, postgresql_where=TAKEDOWN_DUE),
        sa.Index("entry_noticed", "list", "notice_at", sqlite_where=_NOTICED, postgresql_where=_NOTICED),
        sa.Index("entry_unrouted", "seq", sqlite_where=_UNROUTED, postgresql_where=_UNROUTED),
        sa.Index("entry_second_opinion", "seq", sqlite_where=OPINION_OPEN, postgresql_where=OPINION_OPEN),
        sa.Index("entry_overturned", "organisation_id", "list", sqlite_where=UPHELD, postgresql_where=UPHELD),
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
    batch_id: str | None = Field(default=None, index=True)
    is_protected: bool = False
    opinion_open: bool = False
    assessed_at: datetime = Field(sa_type=UtcDateTime)
    submitted_at: datetime = Field(sa_type=UtcDateTime)
    recheck_by: datetime | None = Field(default=None, sa_type=UtcDateTime)
    takedown: Takedown = Takedown.NOT_STARTED
    takedown_due: bool = False
    notice_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    routed_by: Steps | None = Field(default=None, sa_type=JSON(none_as_null=True))
    commitment: str
    digest: str
    fingerprint: str | None = Field(index=True)
    host_fingerprint: str | None = Field(default=None, index=True)
    listed_in: int | None = None
    delisted_in: int | None = None
    delist_reason: DelistReason | None = None
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class EarlierStay(SQLModel, table=True):
    """Versions in which an entry came and went, before it came back: their files hold it too."""

    __tablename__ = "earlier_stay"

    entry_id: str = Field(primary_key=True, foreign_key="entry.id")
    listed_in: int = Field(primary_key=True)
    delisted_in: int


class EntryKey(SQLModel, table=True):
    """An entry's commitment key, wrapped by the key of an epoch. Erasure deletes the row."""

    __tablename__ = "entry_key"

    entry_id: str = Field(primary_key=True, foreign_key="entry.id")
    epoch: int = Field(index=True)
    wrapped: bytes = Field(sa_type=LargeBinary)


class EntryCipher(SQLModel, table=True):
    """URL, statement and hotline's reference, sealed under the commitment key. Erasure deletes the row."""

    __tablename__ = "entry_cipher"

    entry_id: str = Field(primary_key=True, foreign_key="entry.id")
    ciphertext: bytes = Field(sa_type=LargeBinary)


class Epoch(SQLModel, table=True):
    """One row: the epoch in force. Its key lies outside the database."""

    id: int = Field(primary_key=True)
    number: int
    opened_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class LegalHold(SQLModel, table=True):
    """An organisation's stay on an entry's erasure. It ends by itself at `until`."""

    __tablename__ = "legal_hold"

    entry_id: str = Field(primary_key=True, foreign_key="entry.id")
    organisation_id: str = Field(primary_key=True, foreign_key="organisation.id")
    client_id: str
    reason: HoldReason
    placed_at: datetime = Field(sa_type=UtcDateTime)
    until: datetime = Field(sa_type=UtcDateTime)


class Corroboration(SQLModel, table=True):
    """Another hotline that submitted the same; it makes that hotline no independent reviewer."""

    entry_id: str = Field(primary_key=True, foreign_key="entry.id")
    organisation_id: str = Field(primary_key=True, foreign_key="organisation.id", index=True)
    client_id: str
    at: datetime = Field(sa_type=UtcDateTime)


class Recheck(SQLModel, table=True):
    """A hotline looked again at what an entry covers."""

    id: int | None = Field(default=None, primary_key=True)
    entry_id: str = Field(foreign_key="entry.id", index=True)
    organisation_id: str = Field(foreign_key="organisation.id")
    client_id: str
    outcome: str
    checked_at: datetime = Field(sa_type=UtcDateTime)
    at: datetime = Field(sa_type=UtcDateTime)


class RememberedRequest(SQLModel, table=True):
    """What an Idempotency-Key answered: entry ids and status, for 24 hours. No body, no URL."""

    __tablename__ = "remembered_request"

    client_id: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body_mac: str
    answer: dict[str, Any] = Field(sa_type=JSON)
    created_at: datetime = Field(index=True, sa_type=UtcDateTime)
