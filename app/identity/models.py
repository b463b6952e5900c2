"""Tables of organisations, their clients, keys and spent assertions, and of the register."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Field, SQLModel

from app.core.terms import Kind
from app.platform.database import UtcDateTime


class Organisation(SQLModel, table=True):
    """A body that takes part. `country` is ISO 3166-1 alpha-2."""

    id: str = Field(primary_key=True)
    kind: Kind
    name: str = Field(unique=True)
    country: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    suspended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Client(SQLModel, table=True):
    """A machine credential. `scopes` are separated by single spaces, sorted."""

    id: str = Field(primary_key=True)
    organisation_id: str = Field(foreign_key="organisation.id", index=True)
    scopes: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ClientKey(SQLModel, table=True):
    """One public key of a client (ES256 JWK as JSON); `kid` is its RFC 7638 thumbprint."""

    __tablename__ = "client_key"

    kid: str = Field(primary_key=True)
    client_id: str = Field(foreign_key="client.id", index=True)
    jwk: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SealingRecipient(SQLModel, table=True):
    """An age recipient (X25519) of an internet provider; several, so that they can be rotated."""

    __tablename__ = "sealing_recipient"

    recipient: str = Field(primary_key=True)
    organisation_id: str = Field(foreign_key="organisation.id", index=True)
    added_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SpentAssertion(SQLModel, table=True):
    """A client assertion's `jti`, kept until the assertion would have expired by itself."""

    __tablename__ = "spent_assertion"

    client_id: str = Field(primary_key=True)
    jti_sha256: str = Field(primary_key=True)
    expires_at: datetime = Field(index=True, sa_type=UtcDateTime)


class RegisterAuthority(SQLModel, table=True):
    """One row: TUF key id -> Ed25519 public key (hex) of the offline register keys."""

    __tablename__ = "register_authority"

    id: int = Field(primary_key=True)
    keys: dict[str, Any] = Field(sa_type=JSON)
    threshold: int


class RegisterVersion(SQLModel, table=True):
    """A version of the register as it was signed: `{"metadata","register"}`."""

    __tablename__ = "register_version"

    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    proposal: dict[str, Any] = Field(sa_type=JSON)
    published_at: datetime = Field(sa_type=UtcDateTime)


class ReviewerCertificate(SQLModel, table=True):
    """A body's certificate (JWS) for one reviewer's key."""

    __tablename__ = "reviewer_certificate"

    kid: str = Field(primary_key=True)
    organisation_id: str = Field(foreign_key="organisation.id", index=True)
    certificate: str
    admitted_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Conflict(SQLModel, table=True):
    """Two organisations that may not judge each other's entries. `one` is the smaller id."""

    one: str = Field(primary_key=True, foreign_key="organisation.id")
    other: str = Field(primary_key=True, foreign_key="organisation.id")
    reason: str
    declared_at: datetime = Field(sa_type=UtcDateTime)
