"""Tables of people, their passkeys, invitations and sessions, and of how long reviewers work.

Of secrets that a browser holds, only the SHA-256 is here. What is kept of a person is a name, until the
person leaves, and of a working day no more than its budget needs, until the next.
"""

from datetime import date, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.platform.database import UtcDateTime, word


class Purpose(StrEnum):
    """What a passkey is asked for."""

    ENROL = "enrol"
    SIGN_IN = "sign_in"
    SIGN = "sign"


class Person(SQLModel, table=True):
    """Somebody who signs in to the console. What a person may do is what its client may.

    `is_lead`: may set the pace of the organisation's reviewers. `name` is empty once the person left.
    """

    id: str = Field(primary_key=True)
    client_id: str = Field(foreign_key="client.id", unique=True)
    name: str
    is_lead: bool
    created_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Passkey(SQLModel, table=True):
    """A WebAuthn credential; its public key is the client key `kid`, with `rp_id` in its JWK."""

    credential_id: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    kid: str = Field(foreign_key="client_key.kid", unique=True)
    label: str
    transports: str
    sign_count: int = Field(sa_type=sa.BigInteger)
    created_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Invitation(SQLModel, table=True):
    """The right to enrol one passkey, once. Whoever holds the token has it.

    `invited_by` is the person who made it in the console, and None on the machine.
    """

    token_sha256: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    made_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    invited_by: str | None = Field(default=None, index=True)


class WebSession(SQLModel, table=True):
    """Somebody is signed in. Ends when unused for a while, and at its end whatever happens."""

    __tablename__ = "web_session"

    token_sha256: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    started_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    ends_at: datetime = Field(index=True, sa_type=UtcDateTime)


class Ceremony(SQLModel, table=True):
    """A challenge that waits for its one answer; of signing in, one that was answered and is not any more.

    `held_by` is the SHA-256 of the secret that the browser holds: its session's, invitation's or cookie's.
    """

    id: str = Field(primary_key=True)
    purpose: Purpose = word(Purpose)
    held_by: str
    person_id: str = Field(foreign_key="person.id", index=True)
    challenge: str
    issued_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(index=True, sa_type=UtcDateTime)


class Pace(SQLModel, table=True):
    """How an organisation wants its reviewers to work: when to break, and how much at most in a day."""

    organisation_id: str = Field(primary_key=True, foreign_key="organisation.id")
    break_after_minutes: int
    break_minutes: int
    daily_minutes: int
    daily_decisions: int


class Workday(SQLModel, table=True):
    """What a person did on a day (UTC). `stretch_since` is when the present stretch without a break began."""

    person_id: str = Field(primary_key=True, foreign_key="person.id")
    day: date = Field(primary_key=True, sa_type=sa.Date)
    decisions: int
    active_seconds: int
    stretch_since: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
