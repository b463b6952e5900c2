"""Tables of receipts, webhooks and their outbox."""

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
