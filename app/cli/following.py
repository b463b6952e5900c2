"""Bringing what was published from the object store to a folder in which nobody publishes."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.lists.outlet import follower_of
from app.lists.publisher import LOCK
from app.platform import news
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.settings import Settings
from app.platform.worker import Worker


class Following:
    """At work while no publisher is in this folder; does nothing unless the settings say `store_follow`.

    Of several processes in one folder one brings everything.
    """

    def __init__(self, settings: Settings, database: Database, keyring: Keyring) -> None:
        self._home, self._follower = settings.home, follower_of(settings, database, keyring)
        self._worker = Worker("follower", self._round) if self._follower else None

    def start(self) -> None:
        """Begin."""
        if self._worker:
            self._worker.start()

    def hear(self, topic: str) -> None:
        """Something of a list is new: its files are in the store, or will be in a moment."""
        if self._worker and news.list_of(topic):
            self._worker.wake()

    def stop(self) -> None:
        """End after the round at hand."""
        if self._worker:
            self._worker.stop()

    def _round(self) -> None:
        with _nobody_publishes(self._home) as is_so:
            if is_so and self._follower:
                self._follower.pull()


@contextmanager
def _nobody_publishes(home: Path) -> Iterator[bool]:
    """Whether, while the block runs, no publisher of this folder is at work, nor another follower."""
    with (home / LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
