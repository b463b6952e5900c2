"""Tables of signed decisions, and of the second opinions that are asked for unseen."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import LargeBinary
from sqlmodel import Field, SQLModel

from app.core.terms import Decision
from app.platform.database import UtcDateTime


class Review(SQLModel, table=True):
    """One organisation's vote on an entry. `reason` is sealed under the key that erasure destroys.

    A void vote no longer counts: its reviewer was suspended before the entry was listed.
    """

    __table_args__ = (
        sa.Index(
            "one_vote_per_organisation",
            "entry_id",
            "organisation_id",
            unique=True,
            sqlite_where=sa.text("voided_at IS NULL"),
            postgresql_where=sa.text("voided_at IS NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    entry_id: str = Field(foreign_key="entry.id", index=True)
    organisation_id: str = Field(foreign_key="organisation.id")
    client_id: str
    decision: Decision
    digest: str
    reason: bytes | None = Field(sa_type=LargeBinary)
    signature: str
    at: datetime = Field(sa_type=UtcDateTime)
    voided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SecondOpinion(SQLModel, table=True):
    """A decided entry that another body decides once more without knowing; the answer changes nothing."""

    __tablename__ = "second_opinion"

    entry_id: str = Field(primary_key=True, foreign_key="entry.id")
    first: Decision
    asked_at: datetime = Field(sa_type=UtcDateTime)
    organisation_id: str | None = Field(default=None, foreign_key="organisation.id")
    client_id: str | None = None
    decision: Decision | None = None
    signature: str | None = None
    reason: bytes | None = Field(default=None, sa_type=LargeBinary)
    at: datetime | None = Field(default=None, sa_type=UtcDateTime)
