"""Tables of lists, their subscribers and their snapshots."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, LargeBinary
from sqlmodel import Field, SQLModel

from app.core.terms import Confidentiality
from app.platform.database import UtcDateTime


class BlockList(SQLModel, table=True):
    """A named list and its policy. `quorum` is scope -> organisations needed."""

    __tablename__ = "block_list"

    name: str = Field(primary_key=True)
    title: str
    scopes: list[str] = Field(sa_type=JSON)
    quorum: dict[str, Any] = Field(sa_type=JSON)
    confidentiality: Confidentiality
    recheck_days: int
    retention_days: int
    min_poll_seconds: int
    created_at: datetime = Field(sa_type=UtcDateTime)


class Subscription(SQLModel, table=True):
    """An organisation that may read a list."""

    list: str = Field(primary_key=True, foreign_key="block_list.name")
    organisation_id: str = Field(primary_key=True, foreign_key="organisation.id")
    created_at: datetime = Field(sa_type=UtcDateTime)


class Snapshot(SQLModel, table=True):
    """One version of a list. `manifest` is empty until its files are written, then final."""

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
    is_served: bool = Field(default=False, index=True)
