"""The fence: what keeps two publishers from ever contradicting each other, whoever believes to lead.

A publisher takes a term, a number that only grows. Every write of its own begins by asking whether that is
still the newest, under a lock of the row: one that slept and was replaced can change nothing any more. A file
whose name is a number, not a digest, is claimed with its bytes before it is written: the claim is what
publishes, the file follows from it. Whoever takes the next term writes what is claimed and not on the disk,
so a claim is never lost and its number never used for anything else.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa
import structlog
from sqlmodel import Field, Session, SQLModel, col, select

from app.log.service import Head
from app.platform.database import Database
from app.platform.leader import Superseded

_CHECKPOINT = "checkpoint/"
_logger = structlog.get_logger("publisher")


class PublisherTerm(SQLModel, table=True):
    """One row: the newest term. 0 until the first publisher."""

    __tablename__ = "publisher_term"

    id: int = Field(primary_key=True)
    number: int


class PublishedName(SQLModel, table=True):
    """A name that stands for one content for ever.

    `12.snapshot.json` as it lies in the metadata folder, `<version>.timestamp.json`, each with its bytes; and
    `checkpoint/<size>`, whose `sha256` is the log's root at that size, without.
    """

    __tablename__ = "published_name"

    name: str = Field(primary_key=True)
    sha256: str
    term: int
    body: bytes | None = None


class AlreadyClaimed(Exception):
    """A name was claimed with other content: this folder is another installation's, or a restored one."""


class Fenced(Database):
    """The database as the publisher of one term writes to it."""

    def __init__(self, database: Database) -> None:
        self._database, self.engine = database, database.engine
        self.term: int | None = None

    @property
    def writes(self) -> int:
        """As that of the database."""
        return self._database.writes

    def begin(self) -> None:
        """Take a term, once: whoever had the one before is superseded from here on."""
        if self.term is None:
            with self._database.writing() as session:
                row = _newest(session)
                row.number += 1
                session.add(row)
                taken = row.number
            self.term = taken
            _logger.info("term", number=taken)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """As that of the database."""
        with self._database.reading() as session:
            yield session

    @contextmanager
    def writing(self, may_rest: bool = False) -> Iterator[Session]:
        """A transaction of this term, which the first one takes. Raises Superseded, as first thing."""
        self.begin()
        with self._database.writing(may_rest) as session:
            if _newest(session).number != self.term:
                raise Superseded("another publisher has taken over")
            yield session

    def require(self) -> None:
        """Raises Superseded when the term is over."""
        with self._database.reading() as session:
            if session.get_one(PublisherTerm, 1).number != self.term:
                raise Superseded("another publisher has taken over")

    def noticed(self) -> None:
        """As that of the database."""
        self._database.noticed()

    def truncate(self) -> None:
        """As that of the database."""
        self._database.truncate()

    def count(self) -> None:
        """As that of the database."""
        self._database.count()

    def close(self) -> None:
        """As that of the database."""
        self._database.close()


class Claims:
    """The claimed names, as the publisher of one term sees them.

    `before` is called ahead of each claim, to bring what it leads to where others find it.
    """

    def __init__(self, fenced: Fenced, before: Callable[[], object] = lambda: None) -> None:
        self._fenced, self._before = fenced, before

    def files(self) -> dict[str, bytes]:
        """Every claimed metadata file that was not forgotten; nobody claims another in an earlier term."""
        self._fenced.begin()
        query = select(PublishedName.name, PublishedName.body).where(col(PublishedName.body).is_not(None))
        with self._fenced.reading() as session:
            return {name: body for name, body in session.exec(query) if body is not None}

    def claim(self, files: Mapping[str, bytes]) -> None:
        """Publish these: from the commit on they stand. Raises Superseded, AlreadyClaimed, as `before`."""
        self._before()
        with self._fenced.writing() as session:
            self._add(
                session, {name: (hashlib.sha256(body).hexdigest(), body) for name, body in files.items()}
            )

    def claim_head(self, session: Session, head: Head) -> None:
        """In a write of this term: the log's head may be signed. Raises AlreadyClaimed."""
        self._add(session, {checkpoint_name(head.size): (head.root.hex(), None)})

    def require_head(self, head: Head) -> None:
        """Claim a head where it is not claimed yet. Raises Superseded or AlreadyClaimed."""
        with self._fenced.reading() as session:
            if claimed(session, [checkpoint_name(head.size)]) == {
                checkpoint_name(head.size): head.root.hex()
            }:
                return
        with self._fenced.writing() as session:
            self.claim_head(session, head)

    def forget(self, names: Iterable[str]) -> None:
        """These are superseded and gone from the disk, and a higher number of each kind is claimed."""
        with self._fenced.writing() as session:
            gone = set(names) | set(_older_heads(session))
            session.execute(sa.delete(PublishedName).where(col(PublishedName.name).in_(sorted(gone))))

    def _add(self, session: Session, wanted: Mapping[str, tuple[str, bytes | None]]) -> None:
        query = select(PublishedName.name, PublishedName.sha256).where(col(PublishedName.name).in_(wanted))
        found = dict(session.exec(query).all())
        for name, (digest, _) in wanted.items():
            if found.get(name, digest) != digest:
                raise AlreadyClaimed(f"{name} was claimed with other content")
        rows = [
            {"name": name, "sha256": digest, "term": self._fenced.term, "body": body}
            for name, (digest, body) in wanted.items()
            if name not in found
        ]
        if rows:
            session.execute(sa.insert(PublishedName), rows)


def checkpoint_name(size: int) -> str:
    """Under which a checkpoint of that many leaves is claimed."""
    return f"{_CHECKPOINT}{size}"


def claimed(session: Session, names: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of each of these that is claimed."""
    query = select(PublishedName.name, PublishedName.sha256).where(col(PublishedName.name).in_(list(names)))
    return dict(session.exec(query).all())


def _newest(session: Session) -> PublisherTerm:
    """Locked: nobody takes the next term before this transaction has ended."""
    return session.get_one(PublisherTerm, 1, populate_existing=True, with_for_update=True)


def _older_heads(session: Session) -> list[str]:
    query = select(PublishedName.name).where(col(PublishedName.name).startswith(_CHECKPOINT))
    return sorted(session.exec(query), key=lambda name: int(name.removeprefix(_CHECKPOINT)))[:-1]
