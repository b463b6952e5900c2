"""Where what is published goes besides this machine's folder: the object store, if there is one."""

from collections.abc import Callable

import structlog

from app.lists.record import DatabaseRecord
from app.log.keys import LogKeys
from app.platform.database import Database
from app.platform.failures import place
from app.platform.follower import Follower
from app.platform.keyring import Keyring
from app.platform.mirror import Mirror
from app.platform.pointers import Differs
from app.platform.settings import Settings
from app.platform.store import store_of

_logger = structlog.get_logger("publisher")


class Outlet:
    """Of the publisher of one term; `require` raises Superseded once that is over.

    Where machines share no folder (`store_follow`), a publisher begins with what the store has, and what it
    publishes is there before the database says so: whoever comes next can go on with it. Otherwise a store
    that is down stops nothing.
    """

    def __init__(
        self, settings: Settings, database: Database, keyring: Keyring, require: Callable[[], object]
    ) -> None:
        store = store_of(settings)
        self._mirror = Mirror(store, settings.home, require) if store else None
        self._follower, self._is_shared = follower_of(settings, database, keyring), settings.store_follow
        self._is_down = False

    def begin_round(self) -> None:
        """Once, bring what others published. Raises as Follower.pull does; the next round tries again."""
        self._is_down = False
        if self._follower:
            self._follower.pull()
            self._follower = None

    def send_ahead(self) -> None:
        """Before the database says that these files are a version's. Raises as Mirror.send does."""
        if self._mirror and self._is_shared:
            self._mirror.send()

    def push(self) -> None:
        """Before a version is told of. A store that is down stops nothing; the round's end tries again."""
        if self._mirror and not self._is_down:
            try:
                self._mirror.push()
            except Exception as failure:
                self._is_down = True
                why = str(failure) if isinstance(failure, Differs) else ""
                _logger.error("store failed", failure=type(failure).__name__, where=place(failure), why=why)

    def tidy(self) -> None:
        """At a round's end. Raises as Mirror.tidy does."""
        if self._mirror:
            self._mirror.tidy()

    def something_went(self) -> None:
        """Files were deleted here, and are to go from the store."""
        if self._mirror:
            self._mirror.something_went()


def follower_of(
    settings: Settings, database: Database, keyring: Keyring, on_news: Callable[[], object] = lambda: None
) -> Follower | None:
    """What brings the published files to this machine, where it shares no folder with the publisher's."""
    store = store_of(settings) if settings.store_follow else None
    record = DatabaseRecord(database, LogKeys.of(settings, keyring))
    return Follower(store, settings.home, record, on_news) if store else None
