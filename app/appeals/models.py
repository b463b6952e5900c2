"""Tables of appeals. What an appellant wrote is sealed in tables of its own, which decisions outlive."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import LargeBinary
from sqlmodel import Field, SQLModel

from app.platform.database import UtcDateTime

_UNDECIDED = sa.text("decided_at IS NULL")
_UNMATCHED = sa.text("matched_at IS NULL")


class Appeal(SQLModel, table=True):
    """A complaint without address, statement or appellant. `secret_sha256` is all that is kept of the secret.

    `id` is the reference, which the appellant knows; the public log knows the appeal by `log_id`, so that
    nobody who filed it finds there what it concerns.

    `matched_at` is when entries were looked for, out of the request. `destroy_by` is set by the decision and
    taken away once nothing is left to destroy.
    """

    __table_args__ = (
        sa.Index("appeal_undecided", "decide_by", sqlite_where=_UNDECIDED, postgresql_where=_UNDECIDED),
        sa.Index("appeal_unmatched", "seq", sqlite_where=_UNMATCHED, postgresql_where=_UNMATCHED),
        {"sqlite_autoincrement": True},
    )

    seq: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    log_id: str = Field(unique=True)
    secret_sha256: str
    list: str | None = Field(default=None, foreign_key="block_list.name")
    proof: str | None = None
    filed_at: datetime = Field(sa_type=UtcDateTime)
    decide_by: datetime = Field(sa_type=UtcDateTime)
    matched_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str | None = None
    organisation_id: str | None = Field(default=None, foreign_key="organisation.id")
    client_id: str | None = None
    ownership_confirmed: bool | None = None
    reason: bytes | None = Field(default=None, sa_type=LargeBinary)
    signature: str | None = None
    destroy_by: datetime | None = Field(default=None, index=True, sa_type=UtcDateTime)


class AppealKey(SQLModel, table=True):
    """An appeal's key, wrapped by the key of an epoch."""

    __tablename__ = "appeal_key"

    appeal_id: str = Field(primary_key=True, foreign_key="appeal.id")
    epoch: int = Field(index=True)
    wrapped: bytes = Field(sa_type=LargeBinary)


class AppealCipher(SQLModel, table=True):
    """Address, statement and proof token, sealed under the appeal's key."""

    __tablename__ = "appeal_cipher"

    appeal_id: str = Field(primary_key=True, foreign_key="appeal.id")
    ciphertext: bytes = Field(sa_type=LargeBinary)


class AppealEntry(SQLModel, table=True):
    """An entry that an appeal concerned when filed, or one that replaced it; after a decision, one of it.

    With `is_expired` it left its list because this appeal waited too long, and may come back.
    """

    __tablename__ = "appeal_entry"

    appeal_id: str = Field(primary_key=True, foreign_key="appeal.id")
    entry_id: str = Field(primary_key=True, foreign_key="entry.id", index=True)
    is_expired: bool = Field(default=False, index=True)
