"""Telling requests that wait for a list's next version, without a thread or a database session for each.

The publisher announces from its own thread. Where it runs in another process nobody announces: one look a
second, shared by all who wait for the same list, notices instead.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from fastapi.concurrency import run_in_threadpool

LOOK_SECONDS = 1.0


class Listener:
    """One waiting request, in its event loop."""

    def __init__(self) -> None:
        self.loop, self.event = asyncio.get_running_loop(), asyncio.Event()

    async def heard(self, seconds: float) -> bool:
        """Wait for news, at most that long; whether there were any."""
        try:
            await asyncio.wait_for(self.event.wait(), seconds)
        except TimeoutError:
            return False
        self.event.clear()
        return True


def wake_all(listeners: list[Listener]) -> None:
    """From any thread; those of one event loop, all in one turn of it. A loop that ended has none left."""

    def wake() -> None:
        for one in listeners:
            one.event.set()

    with suppress(RuntimeError):
        listeners[0].loop.call_soon_threadsafe(wake)


class Announcer:
    """One per process. `announce` and `close` may be called from any thread, the rest from one event loop.

    A listener that registered before it looked misses nothing: what changes later wakes it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[str, set[Listener]] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
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
        with self._lock:
            names = list(self._listeners)
        for name in names:
            self.announce(name)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        with self._lock:
            return sum(len(listeners) for listeners in self._listeners.values())

    @contextmanager
    def listening(self, name: str, look: Callable[[], object]) -> Iterator[Listener]:
        """Hear of a list until the block ends. `look` returns what changes with news; it may block."""
        listener = Listener()
        with self._lock:
            self._listeners.setdefault(name, set()).add(listener)
        if name not in self._watches:
            self._watches[name] = asyncio.create_task(self._watch(name, look))
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners[name].discard(listener)
                is_last = not self._listeners[name]
                if is_last:
                    del self._listeners[name]
            if is_last:
                self._watches.pop(name).cancel()

    async def _watch(self, name: str, look: Callable[[], object]) -> None:
        """The first look always announces: what changed before it could not be seen here."""
        seen: object = None
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                found = await run_in_threadpool(look)
            except Exception:
                # Whoever waits looks too, meets the same failure and answers for it.
                found = object()
            if found != seen:
                seen = found
                self.announce(name)
