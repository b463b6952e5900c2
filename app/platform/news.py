"""News between the processes of a service: somebody may have something to do, or need wait no longer.

What is told is a topic and nothing more. A message may be lost: whoever missed it looks by itself, a worker
after half a second, who waits for a list after one. On PostgreSQL it is LISTEN and NOTIFY, on a connection of
its own. On SQLite all processes share a folder, in which each has a datagram socket (unix(7)).
"""

import os
import secrets
import select
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol

import psycopg
import structlog

from app.platform.database import Database
from app.platform.failures import place
from app.platform.files import private_folder

PUBLISHER, EXPORTS = "publisher", "exports"
_LIST = "list/"
_CHANNEL = "wardlist"
_LONGEST = 128
_AGAIN_SECONDS = 1.0
_PATH_BYTES = 100
"""sun_path has 108."""
_logger = structlog.get_logger("news")
Hear = Callable[[str], None]


def of_list(name: str) -> str:
    """The topic of a list of which something is new."""
    return _LIST + name


def list_of(topic: str) -> str | None:
    """The list that a topic is about, None for one of another kind."""
    return topic.removeprefix(_LIST) if topic.startswith(_LIST) else None


class News(Protocol):
    """One per process. `tell` may be called from any thread, also before `start`, and never waits."""

    def start(self, hear: Hear) -> None:
        """Have `hear` called with each topic that another process tells, in a thread of its own."""

    def tell(self, topic: str) -> None:
        """Let the other processes know. This one is not told."""

    def stop(self) -> None:
        """Tell and hear nothing more."""


def news_of(database: Database, folder: Path) -> News:
    """The way that fits the database; `folder` is where processes that share SQLite find each other."""
    if database.engine.dialect.name == "postgresql":
        return ServerNews(database)
    return FolderNews(folder)


class FolderNews:
    """By a socket for each process in a folder. One whose process has ended is removed by who finds it."""

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        self._folder = folder
        self._own = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._thread: threading.Thread | None = None
        self._is_over = threading.Event()

    def start(self, hear: Hear) -> None:
        """Raises OSError."""
        with _Reached(self._folder) as reached:
            self._socket.bind(reached.address(self._own))
        self._thread = threading.Thread(target=self._listen, args=(hear,), name="news", daemon=True)
        self._thread.start()

    def tell(self, topic: str) -> None:
        with suppress(FileNotFoundError), _Reached(self._folder) as reached:
            for name in os.listdir(self._folder):
                if name != self._own:
                    self._send(reached, name, topic.encode())

    def stop(self) -> None:
        if self._thread:
            self._is_over.set()
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join(timeout=10)
            (self._folder / self._own).unlink(missing_ok=True)
        self._socket.close()

    def _send(self, reached: "_Reached", name: str, message: bytes) -> None:
        try:
            self._socket.sendto(message, socket.MSG_DONTWAIT, reached.address(name))
        except (ConnectionRefusedError, FileNotFoundError):
            (self._folder / name).unlink(missing_ok=True)
        except OSError:
            # Its queue is full: it has enough to look at. Or the service stops.
            return

    def _listen(self, hear: Hear) -> None:
        while not self._is_over.is_set():
            try:
                message = self._socket.recv(_LONGEST)
            except OSError:
                return
            if message:
                _heard(hear, message.decode(errors="replace"))


class _Reached:
    """A folder whose sockets are reached by its descriptor where its path is too long for an address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def __enter__(self) -> "_Reached":
        if len(os.fsencode(self._folder)) > _PATH_BYTES - 40:
            self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def address(self, name: str) -> str:
        if self._descriptor is None:
            return str(self._folder / name)
        return f"/proc/self/fd/{self._descriptor}/{name}"


class ServerNews:
    """By PostgreSQL's NOTIFY. A connection that broke is made again; what was told meanwhile is lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock, self._to_tell = threading.Lock(), dict[str, None]()
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._thread: threading.Thread | None = None
        self._is_over = threading.Event()

    def start(self, hear: Hear) -> None:
        self._thread = threading.Thread(target=self._keep_on, args=(hear,), name="news", daemon=True)
        self._thread.start()

    def tell(self, topic: str) -> None:
        with self._lock:
            self._to_tell[topic] = None
        self._wake()

    def stop(self) -> None:
        self._is_over.set()
        self._wake()
        if self._thread:
            self._thread.join(timeout=10)
        self._waker.close()
        self._woken.close()

    def _wake(self) -> None:
        with suppress(OSError):
            self._waker.send(b".")

    def _keep_on(self, hear: Hear) -> None:
        while not self._is_over.is_set():
            try:
                with closing(self._database.apart()) as connection:
                    connection.execute(f"LISTEN {_CHANNEL}")
                    self._follow(connection, hear)
            except (psycopg.Error, OSError) as failure:
                _logger.warning("no news", failure=type(failure).__name__, where=place(failure))
                self._is_over.wait(_AGAIN_SECONDS)

    def _follow(self, connection: "psycopg.Connection[Any]", hear: Hear) -> None:
        own = connection.info.backend_pid
        while not self._is_over.is_set():
            for topic in self._taken():
                connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, topic))
            for heard in connection.notifies(timeout=0):
                if heard.pid != own:
                    _heard(hear, heard.payload)
            if self._woken.fileno() in _ready(connection.fileno(), self._woken.fileno()):
                self._woken.recv(4096)

    def _taken(self) -> list[str]:
        with self._lock:
            taken, self._to_tell = list(self._to_tell), {}
        return taken


def _ready(*descriptors: int) -> set[int]:
    """Which of these have something to read, once one has. select(2) knows none from 1024 up."""
    poll = select.poll()
    for one in descriptors:
        poll.register(one, select.POLLIN)
    return {one for one, _ in poll.poll()}


def _heard(hear: Hear, topic: str) -> None:
    """One topic that cannot be dealt with does not end the hearing of others."""
    try:
        hear(topic)
    except Exception as failure:
        _logger.error("news failed", failure=type(failure).__name__, where=place(failure))
