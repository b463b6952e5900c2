"""Tables of receipts, webhooks and their outbox, and indicators."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.platform.database import UtcDateTime


class Receipt(SQLModel, table=True):
    """An internet provider's signed statement about a version it got, final once written."""

    __table_args__ = (
        sa.Index("receipt_by_version", "list", "version"),
        sa.Index(
            "receipt_by_organisation", "list", "organisation_id", "outcome", "version", "id", "applied_at"
        ),
        sa.UniqueConstraint("client_id", "list", "version", "outcome", "applied_at", name="receipt_once"),
    )

    id: int | None = Field(default=None, primary_key=True)
    list: str = Field(foreign_key="block_list.name")
    version: int
    organisation_id: str = Field(foreign_key="organisation.id")
    client_id: str
    outcome: str
    content_sha256: str
    applied_at: datetime = Field(sa_type=UtcDateTime)
    signature: str
    at: datetime = Field(sa_type=UtcDateTime)


class Webhook(SQLModel, table=True):
    """Where an internet provider wants to hear that a version is out. Its secret is derived, not stored."""

    id: str = Field(primary_key=True)
    organisation_id: str = Field(foreign_key="organisation.id", index=True)
    client_id: str
    url: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class WebhookDelivery(SQLModel, table=True):
    """One message to send, written with the version it tells of; `done_at` once delivered or given up.

    Until then `next_at` says when it is due. Its id is the message's, however often it is sent.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (sa.UniqueConstraint("webhook_id", "list", "version", name="webhook_once"),)

    id: str = Field(primary_key=True)
    webhook_id: str = Field(foreign_key="webhook.id")
    list: str = Field(foreign_key="block_list.name")
    version: int
    made_at: datetime = Field(sa_type=UtcDateTime)
    attempts: int = 0
    next_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    outcome: str | None = None


class Indicator(SQLModel, table=True):
    """An entry's stay on a list, as authorities that read the list have it (app/distribution/indicators.py).

    The STIX object's version that is there was added at `added_at`, no two of a list at the same time; its
    first one at `created_at`. Nothing of the address is in here.
    """

    __table_args__ = (sa.Index("indicator_by_date", "list", "added_at", unique=True),)

    id: str = Field(primary_key=True)
    list: str = Field(foreign_key="block_list.name")
    entry_id: str = Field(foreign_key="entry.id", index=True)
    listed_in: int
    created_at: datetime = Field(sa_type=UtcDateTime)
    added_at: datetime = Field(sa_type=UtcDateTime)
    valid_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    is_revoked: bool = False


class IndicatorProgress(SQLModel, table=True):
    """How far a list's indicators follow what was served.

    Stays that ended are in up to `version`, those that began up to (`listed_in`, `seq`), reaffirmations up to
    `recheck`. `added_at` is the last date given.
    """

    __tablename__ = "indicator_progress"

    list: str = Field(primary_key=True, foreign_key="block_list.name")
    version: int
    listed_in: int = 0
    seq: int = 0
    recheck: int
    added_at: datetime = Field(sa_type=UtcDateTime)
    tidied_at: datetime = Field(sa_type=UtcDateTime)
