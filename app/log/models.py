"""Tables of the log: leaves as they were committed, their order, and the head."""

from sqlalchemy import LargeBinary
from sqlmodel import Field, SQLModel


class Leaf(SQLModel, table=True):
    """A leaf's exact bytes (RFC 8785), and the entry it is about. Triggers forbid update and delete."""

    __table_args__ = {"sqlite_autoincrement": True}

    id: int | None = Field(default=None, primary_key=True)
    body: bytes = Field(sa_type=LargeBinary)
    entry_id: str | None = Field(default=None, index=True)


class PendingLeaf(SQLModel, table=True):
    """The outbox: committed leaves without a place. A trigger fills it with every new leaf."""

    __tablename__ = "pending_leaf"

    leaf_id: int = Field(primary_key=True, foreign_key="leaf.id", sa_column_kwargs={"autoincrement": False})


class SequencedLeaf(SQLModel, table=True):
    """A leaf's place in the log. Triggers forbid update and delete."""

    __tablename__ = "sequenced_leaf"

    leaf_index: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    leaf_id: int = Field(foreign_key="leaf.id", unique=True)
    leaf_hash: bytes = Field(sa_type=LargeBinary)


class LogHead(SQLModel, table=True):
    """One row: how many leaves have a place, and the frontier that gives their root."""

    __tablename__ = "log_head"

    id: int = Field(primary_key=True)
    size: int
    frontier: bytes = Field(sa_type=LargeBinary)
