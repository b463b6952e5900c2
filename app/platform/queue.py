"""A durable queue in a table: what is to be sent, what is under way, and what became of it.

A row is written in the transaction of what it tells of. Before it is sent, its next try is put off by
`LEASE`: a process that dies between sending and saying so leaves the row to come due again, so that a
message arrives at least once, always under the same id.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, SQLModel

DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600))
"""From one try to the next; the last again and again."""
LEASE = timedelta(seconds=60)
_AT_ONCE = 1000


class Queue:
    """The rows of a table that has `id`, `made_at`, `attempts`, `next_at`, `done_at` and `outcome`.

    `longest` is the time from a message to its last try.
    """

    def __init__(self, table: type[SQLModel], longest: timedelta) -> None:
        self._table: sa.Table = table.__table__  # type: ignore[attr-defined]
        self._longest = longest

    @property
    def open(self) -> sa.ColumnElement[bool]:
        """Condition: nothing was said of it yet. In the words of a partial index."""
        return self._table.c.done_at.is_(None)

    def standing(self, session: Session) -> tuple[int, datetime | None]:
        """How many messages wait, and since when the oldest does."""
        columns = self._table.c
        query = sa.select(sa.func.count(columns.id), sa.func.min(columns.made_at)).where(self.open)
        number, oldest = session.execute(query).one()
        return int(number), oldest

    def ended(self, session: Session, since: datetime, outcomes: Collection[str]) -> int:
        """How many messages came to one of these ends since then."""
        columns = self._table.c
        query = sa.select(sa.func.count(columns.id)).where(
            columns.done_at >= since, columns.outcome.in_(outcomes)
        )
        return int(session.execute(query).scalar_one())

    def is_due(self, session: Session, now: datetime, *condition: sa.ColumnElement[bool]) -> bool:
        """Whether something waits to be sent."""
        due = sa.select(self._table.c.id).where(self.open, self._table.c.next_at <= now, *condition)
        return session.execute(due.limit(1)).first() is not None

    def claim(
        self,
        session: Session,
        now: datetime,
        under_way: Collection[str],
        *condition: sa.ColumnElement[bool],
    ) -> list[tuple[str, int]]:
        """(id, attempt) of what is to be sent now, first tries first; nobody else takes it for a while."""
        columns = self._table.c
        due = (
            sa.select(columns.id, columns.attempts)
            .where(self.open, columns.next_at <= now, columns.id.not_in(under_way), *condition)
            .order_by(columns.attempts, columns.next_at)
            .limit(_AT_ONCE)
        )
        found = [(one, attempts + 1) for one, attempts in session.execute(due)]
        ids = columns.id.in_([one for one, _ in found])
        self.update(session, ids, next_at=now + LEASE, attempts=columns.attempts + 1)
        return found

    def settle(self, session: Session, one: str, outcome: str, now: datetime) -> None:
        """Say what became of a message, if nothing else was said meanwhile."""
        own = (self.open, self._table.c.id == one)
        self.update(session, *own, done_at=now, next_at=None, outcome=outcome)

    def postpone(
        self, session: Session, one: str, attempt: int, made_at: datetime, now: datetime, factor: float
    ) -> bool:
        """Put the next try off by the delay times `factor`; False, and nothing done, when that is late."""
        next_at = now + DELAYS[min(attempt, len(DELAYS)) - 1] * factor
        if next_at > made_at + self._longest:
            return False
        self.update(session, self.open, self._table.c.id == one, next_at=next_at)
        return True

    def update(self, session: Session, *condition: sa.ColumnElement[bool], **values: Any) -> None:
        """Change rows in bulk; what the session already read of them stays as it was."""
        statement = sa.update(self._table).where(*condition).values(**values)
        session.execute(statement.execution_options(synchronize_session=False))
