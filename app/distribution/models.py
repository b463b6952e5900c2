"""Table of receipts."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.platform.database import UtcDateTime


class Receipt(SQLModel, table=True):
    """An internet provider's signed statement about a version it got, final once written."""

    __table_args__ = (
        sa.Index("receipt_by_version", "list", "version"),
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
