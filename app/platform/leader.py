"""Who leads: of all processes that would do a piece of work, one does it, and the others stand by.

Whoever leads holds a lock on a file of the installation, and on PostgreSQL an advisory lock of its server as
well, so that processes on different machines keep each other out too. The system lets both go when the
process ends, however it ends; the server does within four seconds where a whole machine vanished. Leadership
is kept from round to round, and looked at before each. A lock can be wrong: a process that was paused wakes
up and is in the middle of a round. That is for app/lists/fence.py.
"""

import fcntl
import os
import random
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import psycopg
import structlog

from app.platform import telemetry
from app.platform.clock import instant, system_clock
from app.platform.database import Database

_SPACE = 0x77617264
"""The first half of our advisory locks' keys on PostgreSQL; the second is made of the name."""
_WATCHED = {
    "connect_timeout": 3,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 3000,
}
"""libpq: seconds, and milliseconds. A leader cut off from the server soon knows that it leads no more."""
_WATCHING = {
    "tcp_keepalives_idle": "1",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "3000",
    "idle_session_timeout": "0",
}
"""The same at the server's end, which then ends the session and lets its lock go."""
_REST_SECONDS, _LONGEST_REST_SECONDS = 0.5, 60.0
_PATIENCE_SECONDS = 30.0
"""So long a leader's rounds may all fail before another gets a try: only this machine's disk may be full."""
_DOUBLED = 5
"""How often that doubles: what no process can do should not have them change places for ever."""
_MAKES_WAY_SECONDS = 3.0
"""Several times what those who stand by wait between two tries."""
_logger = structlog.get_logger("leader")
_random = random.SystemRandom()


class Superseded(Exception):
    """Another process has taken over: whoever raises this found out in the middle of its work."""


class Leadership:
    """Of one name among processes. For one thread. `file` is the installation's lock of that name."""

    def __init__(self, name: str, file: Path, database: Database) -> None:
        self.name, self._path = name, file
        self._file: IO[bytes] | None = None
        self._server = _ServerLock(name, database) if database.engine.dialect.name == "postgresql" else None

    def is_held(self) -> bool:
        """Whether this process leads still; where it cannot tell it does not, and has given up."""
        if self._file is None:
            return False
        if self._is_same_file(self._file) and (self._server is None or self._server.is_held()):
            return True
        self.give_up()
        return False

    def take(self) -> bool:
        """Lead, if nobody does; whether this process does now. Raises OSError or psycopg.Error."""
        if self.is_held():
            return True
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = self._server is None or self._server.take()
        except BlockingIOError:
            is_ours = False
        except BaseException:
            file.close()
            raise
        if not is_ours:
            # A standby keeps no half: another process here may be the one that gets both.
            file.close()
            return False
        self._file = file
        return True

    def give_up(self) -> None:
        """Lead no longer."""
        if self._server:
            self._server.give_up()
        if self._file:
            self._file.close()
            self._file = None

    def _is_same_file(self, file: IO[bytes]) -> bool:
        """Another file of this name, of a folder that was put in its place, is locked by nobody."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False


class _ServerLock:
    """PostgreSQL's half: an advisory lock of a session, on a connection that does nothing else."""

    def __init__(self, name: str, database: Database) -> None:
        self._key = zlib.crc32(name.encode()) - (1 << 31)
        self._database = database
        self._connection: psycopg.Connection[Any] | None = None
        self._session = 0

    def is_held(self) -> bool:
        """Whether the session that took the lock answers. A proxy may have put another in its place."""
        try:
            return self._connection is not None and self._session_of(self._connection) == self._session
        except psycopg.Error:
            return False

    def take(self) -> bool:
        """Raises psycopg.Error; then it is tried on a new connection the next time."""
        try:
            connection = self._connection or self._connect()
            row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_SPACE, self._key)).fetchone()
            self._session = self._session_of(connection)
        except psycopg.Error:
            self.give_up()
            raise
        return bool(row and row[0])

    def give_up(self) -> None:
        """Nobody waits for the server to notice that a session has ended, where it still answers."""
        if self._connection:
            with suppress(psycopg.Error):
                self._connection.execute("SELECT pg_advisory_unlock_all()")
            self._connection.close()
            self._connection = None

    def _connect(self) -> "psycopg.Connection[Any]":
        self._connection = self._database.apart(**_WATCHED)
        for name, value in _WATCHING.items():
            self._connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        return self._connection

    @staticmethod
    def _session_of(connection: "psycopg.Connection[Any]") -> int:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        return int(row[0]) if row else 0


class Led:
    """Rounds of work that the leader alone does.

    `begin` makes the work anew each time that this process becomes leader: what another leader did meanwhile
    is in nobody's memory here. Where the locks are wrong two believe to lead and supersede each other; each
    then stands by for a while, longer each time that it finished no round, so that one of them gets on. Who
    finished none for `patience_seconds` makes way too, for a moment; where nobody takes over it leads again,
    and is patient for longer.
    """

    def __init__(
        self,
        leadership: Leadership,
        begin: Callable[[], Callable[[], None]],
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._leadership, self._begin, self._patience = leadership, begin, patience_seconds
        self._work: Callable[[], None] | None = None
        self._superseded, self._rests_until = 0, 0.0
        self._failing: tuple[float, datetime, str] | None = None
        self._made_way = 0
        self._said = ""
        self._gauge = telemetry.LEADER.labels(leadership.name)

    @property
    def is_leading(self) -> bool:
        """As of the last round."""
        return self._work is not None

    @property
    def failing(self) -> str | None:
        """Of a leader whose last round failed, or who could not try to lead, since when and how."""
        failing = self._failing
        return failing and f"its rounds fail since {instant(failing[1])} ({failing[2]})"

    def round(self) -> None:
        """Work if this process leads, or can; otherwise stand by. Raises what the work does."""
        if time.monotonic() < self._rests_until:
            return
        if not self._leadership.is_held():
            self._stand_by()
            if not self._taken():
                self._say("standing by")
                return
        try:
            self._begun()()
        except Superseded:
            self.give_up()
            self._rest()
            raise
        except Exception as failure:
            self._lose_patience(type(failure).__name__)
            raise
        self._superseded, self._made_way, self._failing = 0, 0, None

    def give_up(self) -> None:
        """Lead no longer. After the last round, or in it."""
        self._leadership.give_up()
        self._stand_by()
        self._failing = None

    def _taken(self) -> bool:
        try:
            is_taken = self._leadership.take()
        except (OSError, psycopg.Error) as failure:
            self._fails(type(failure).__name__)
            raise
        self._failing = None
        return is_taken

    def _fails(self, kind: str) -> float:
        """Since when, by the monotonic clock."""
        since, at, _ = self._failing or (time.monotonic(), system_clock(), kind)
        self._failing = since, at, kind
        return since

    def _begun(self) -> Callable[[], None]:
        if self._work is None:
            self._work = self._begin()
            self._gauge.set(1)
            self._say("leading")
        return self._work

    def _lose_patience(self, kind: str) -> None:
        is_first, now = self._failing is None, time.monotonic()
        since = self._fails(kind)
        if is_first:
            return
        if now - since >= self._patience * 2 ** min(self._made_way, _DOUBLED):
            self._made_way += 1
            _logger.warning("makes way: no round was finished", role=self._leadership.name)
            self.give_up()
            self._rests_until = now + _MAKES_WAY_SECONDS

    def _rest(self) -> None:
        longest = min(_REST_SECONDS * 2**self._superseded, _LONGEST_REST_SECONDS)
        self._superseded += 1
        # Two that rest for as long as each other meet again.
        self._rests_until = time.monotonic() + _random.uniform(longest / 2, longest)

    def _stand_by(self) -> None:
        self._gauge.set(0)
        if self._work is not None:
            self._work, self._failing = None, None
            self._say("standing by")

    def _say(self, what: str) -> None:
        """Once, until it changes."""
        if what != self._said:
            self._said = what
            _logger.info(what, role=self._leadership.name)
