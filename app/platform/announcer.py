"""Telling requests that wait for a list's next version, without a thread, a task or a session for each.

A request that waits sits in its own call of ASGI's `receive`, which returns when the caller hangs up; news
and the end of its time interrupt that call. The publisher announces from its own thread.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from starlette.types import Receive


class Listener:
    """One waiting request, in its event loop."""

    __slots__ = ("_has_news", "_limit", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._has_news = False
        self._limit: asyncio.Timeout | None = None

    async def heard(self, receive: Receive, ends: float) -> bool:
        """Wait until there is news, also what came before: True. False at `ends`, or when nobody is left.

        `ends` is in seconds of the loop's clock.
        """
        if not self._has_news:
            try:
                async with asyncio.timeout_at(ends) as self._limit:
                    while (await receive())["type"] != "http.disconnect":
                        pass
            except TimeoutError:
                pass
            finally:
                self._limit = None
        has_news, self._has_news = self._has_news, False
        return has_news

    def wake(self) -> None:
        """There is news. In the listener's loop."""
        self._has_news = True
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(self.loop.time())


def wake_all(listeners: list[Listener]) -> None:
    """From any thread; those of one event loop, all in one turn of it. A loop that ended has none left."""

    def wake() -> None:
        for one in listeners:
            one.wake()

    with suppress(RuntimeError):
        listeners[0].loop.call_soon_threadsafe(wake)


class Announcer:
    """One per process. `announce` and `close` may be called from any thread, the rest from one event loop.

    A listener that registered before it looked misses nothing: what changes later wakes it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[str, set[Listener]] = {}
        self.is_closed = False

    def announce(self, name: str) -> None:
        """Something of this list is new."""
        with self._lock:
            waiting = list(self._listeners.get(name, ()))
        if waiting:
            wake_all(waiting)

    def close(self) -> None:
        """The service stops: nobody waits any longer."""
        self.is_closed = True
        for name in self.names():
            self.announce(name)

    def names(self) -> list[str]:
        """Lists that somebody waits for."""
        with self._lock:
            return list(self._listeners)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        with self._lock:
            return sum(len(listeners) for listeners in self._listeners.values())

    @contextmanager
    def listening(self, name: str) -> Iterator[Listener]:
        """Hear of a list until the block ends."""
        listener = Listener()
        with self._lock:
            self._listeners.setdefault(name, set()).add(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners[name].discard(listener)
                if not self._listeners[name]:
                    del self._listeners[name]
