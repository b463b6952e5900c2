"""A publisher that believes to lead, whatever others believe: leadership is left out. Runs until killed."""

import os
import signal
from collections.abc import Callable

from app.lists.publisher import Publisher
from app.main import DUTIES
from app.platform.clock import system_clock
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.leader import Leadership, Led
from app.platform.settings import Settings
from app.platform.worker import Worker


def publish(environment: dict[str, str]) -> None:
    """For `tests.programs.forked`. Each time that it is superseded it takes over again, a little later."""
    os.environ.update(environment)
    settings = Settings()
    database, keyring = Database(settings.database), Keyring.load(settings.keys)

    def begin() -> Callable[[], None]:
        return Publisher(settings, database, keyring, system_clock, DUTIES).round

    worker = Worker("publisher", Led(Everybody(), begin).round)
    worker.start()
    signal.pause()


class Everybody(Leadership):
    """As if a lock service said to each that it leads."""

    def __init__(self) -> None:
        self.name = "publisher"

    def is_held(self) -> bool:
        """Always."""
        return True

    def give_up(self) -> None:
        """There is nothing to give up."""
