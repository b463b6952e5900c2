"""Threads that send what an outbox holds, many at once, so that a slow receiver keeps nobody waiting.

What failed before goes in a line of its own, never in front of a first try. Several processes may send from
one outbox: a message is claimed before it is sent (app/platform/queue.py).
"""

import random
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog
from sqlmodel import Session

from app.platform.clock import Clock
from app.platform.database import Database
from app.platform.failures import place

_TIDY_EVERY = timedelta(hours=1)
_logger = structlog.get_logger("couriers")
_random = random.SystemRandom()


class Outbox(Protocol):
    """What is to be sent. Each is called in a transaction of its own."""

    def is_due(self, session: Session, now: datetime) -> bool:
        """Whether something waits to be sent."""

    def claim(self, session: Session, now: datetime, under_way: Collection[str]) -> list[tuple[str, int]]:
        """(id, attempt) of what is to be sent now; nobody else takes it for a while."""

    def tidy(self, session: Session, now: datetime) -> None:
        """Forget what became of messages long ago. Called once an hour."""


def jitter() -> float:
    """What a delay is multiplied by, so that receivers that failed together are not tried together."""
    return _random.uniform(0.8, 1.2)


class Couriers:
    """Of one process and one outbox. `send` is given (id, attempt), in a thread, and says what became of it.

    However many are under way, they use one connection to the database: requests need the others. A failure
    that `send` raises is logged by kind and place; the message comes due again.
    """

    def __init__(
        self,
        name: str,
        database: Database,
        clock: Clock,
        outbox: Outbox,
        send: Callable[[str, int], None],
        first_tries: int,
        retries: int,
    ) -> None:
        self._name, self._database, self._clock = name, database, clock
        self._outbox, self._send = outbox, send
        self._first = ThreadPoolExecutor(first_tries, name)
        self._again = ThreadPoolExecutor(retries, f"{name}-retry")
        self._lock, self._at_database = threading.Lock(), threading.Lock()
        self._under_way: dict[str, Future[None]] = {}
        self._tidied_at: datetime | None = None

    def round(self) -> None:
        """Begin to send all that is due; it ends by itself."""
        now = self._clock()
        self._tidy_if_due(now)
        with self._database.reading() as session:
            if not self._outbox.is_due(session, now):
                return
        with self._lock:
            under_way = set(self._under_way)
        with self._database.writing() as session:
            claimed = self._outbox.claim(session, self._clock(), under_way)
        for message, attempt in claimed:
            pool = self._first if attempt == 1 else self._again
            sending = pool.submit(self._send_one, message, attempt)
            with self._lock:
                self._under_way[message] = sending
            sending.add_done_callback(partial(self._forget, message))

    def wait(self, seconds: float) -> None:
        """Until what is under way has ended, at most that long."""
        with self._lock:
            sending = list(self._under_way.values())
        wait(sending, timeout=seconds)

    def close(self, seconds: float) -> None:
        """Begin nothing more, and wait for what is under way; what was not begun comes due again."""
        for pool in (self._first, self._again):
            pool.shutdown(wait=False, cancel_futures=True)
        self.wait(seconds)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session of `send` whose changes are never kept."""
        with self._at_database, self._database.reading() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction of `send`."""
        with self._at_database, self._database.writing() as session:
            yield session

    def _forget(self, message: str, _done: Future[None]) -> None:
        with self._lock:
            self._under_way.pop(message, None)

    def _send_one(self, message: str, attempt: int) -> None:
        try:
            self._send(message, attempt)
        except Exception as failure:
            kind, where = type(failure).__name__, place(failure)
            _logger.error("sending failed", courier=self._name, message=message, failure=kind, where=where)

    def _tidy_if_due(self, now: datetime) -> None:
        if self._tidied_at and now < self._tidied_at + _TIDY_EVERY:
            return
        with self._database.writing() as session:
            self._outbox.tidy(session, self._clock())
        self._tidied_at = now
