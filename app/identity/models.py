"""Tables of organisations, their clients, keys and spent assertions."""

from datetime import datetime

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


class SpentAssertion(SQLModel, table=True):
    """A client assertion's `jti`, kept until the assertion would have expired by itself."""

    __tablename__ = "spent_assertion"

    client_id: str = Field(primary_key=True)
    jti_sha256: str = Field(primary_key=True)
    expires_at: datetime = Field(index=True, sa_type=UtcDateTime)
