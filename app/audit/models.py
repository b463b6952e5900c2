"""Tables of exports, of who may open entries in them, and of flagged hotlines."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from app.platform.database import UtcDateTime


class State(StrEnum):
    """Where an export stands."""

    WAITING = "waiting"
    READY = "ready"
    GONE = "gone"


class Export(SQLModel, table=True):
    """One requested export. `done` and `total` count leaves; the file lies under the id."""

    __tablename__ = "audit_export"

    id: str = Field(primary_key=True)
    organisation_id: str = Field(foreign_key="organisation.id", index=True)
    client_id: str
    list: str | None
    since: datetime | None = Field(sa_type=UtcDateTime)
    until: datetime | None = Field(sa_type=UtcDateTime)
    recipient: str | None
    state: State = Field(index=True)
    done: int = 0
    total: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)


class RevealRight(SQLModel, table=True):
    """An auditor's age recipient: its organisation may have openings, sealed to this key."""

    __tablename__ = "audit_reveal_right"

    organisation_id: str = Field(primary_key=True, foreign_key="organisation.id")
    recipient: str
    allowed_at: datetime = Field(sa_type=UtcDateTime)


class OrganisationFlag(SQLModel, table=True):
    """What was last seen of a hotline's overturned listings on a list, and whether it is flagged for them.

    `forgiven` is how many an operator had seen when clearing the flag before.
    """

    __tablename__ = "organisation_flag"

    organisation_id: str = Field(primary_key=True, foreign_key="organisation.id")
    list: str = Field(primary_key=True, foreign_key="block_list.name")
    overturned: int
    looked_at: datetime = Field(sa_type=UtcDateTime)
    flagged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    forgiven: int = 0
