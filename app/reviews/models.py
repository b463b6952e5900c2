"""Table of signed decisions."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import LargeBinary
from sqlmodel import Field, SQLModel

from app.core.terms import Decision
from app.platform.database import UtcDateTime


class Review(SQLModel, table=True):
    """One organisation's vote on an entry. `reason` is sealed under the key that erasure destroys."""

    __table_args__ = (sa.UniqueConstraint("entry_id", "organisation_id", name="one_vote_per_organisation"),)

    id: str = Field(primary_key=True)
    entry_id: str = Field(foreign_key="entry.id", index=True)
    organisation_id: str = Field(foreign_key="organisation.id")
    client_id: str
    decision: Decision
    digest: str
    reason: bytes | None = Field(sa_type=LargeBinary)
    signature: str
    at: datetime = Field(sa_type=UtcDateTime)
