"""Bringing what was published from the object store to a folder in which nobody publishes."""

from app.lists.outlet import follower_of
from app.lists.publisher_lock import nobody_publishes
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
        with nobody_publishes(self._home) as is_so:
            if is_so and self._follower:
                self._follower.pull()
