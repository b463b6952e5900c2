"""What works beside the web server in one process: publisher, exports, and everything that is sent."""

from app.audit.exporter import Exporter
from app.distribution.deliverer import Deliverer
from app.entries import touched
from app.lists.publisher import Publisher
from app.main import DUTIES
from app.platform.announcer import Announcer
from app.platform.clock import system_clock
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.outgoing import Outgoing
from app.platform.settings import Settings
from app.platform.worker import Worker
from app.takedown.notices import channels
from app.takedown.notices.courier import Courier
from app.takedown.peers.exchanger import Exchanger


class Background:
    """Raises NotInitialised where the settings of a way out lack something.

    What is sent goes nowhere that an entry is on.
    """

    def __init__(
        self, settings: Settings, database: Database, keyring: Keyring, announcer: Announcer
    ) -> None:
        may_call = touched.guard(database, keyring.fingerprint)
        outgoing = Outgoing(settings.webhook_allow_private, may_call=may_call)
        deliverer = Deliverer(database, keyring, system_clock, outgoing)
        exchanger = Exchanger(database, keyring, system_clock, outgoing)
        ways_out = channels.of(settings, keyring, system_clock, outgoing, may_call, exchanger.send)
        courier = Courier(database, keyring, settings, system_clock, ways_out)
        self._senders = (deliverer, exchanger, courier)
        webhooks = Worker("webhooks", deliverer.round)

        def announce(name: str) -> None:
            announcer.announce(name)
            webhooks.wake()

        publishing = Publisher(settings, database, keyring, system_clock, DUTIES, announce)
        self.publisher = Worker("publisher", publishing.work)
        self.exporter = Worker("exporter", Exporter(settings, database, keyring, system_clock).round)
        exchange, notices = Worker("exchange", exchanger.round), Worker("notices", courier.round)
        self._workers = (self.publisher, self.exporter, webhooks, exchange, notices)

    def start(self) -> None:
        """Begin."""
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """End after the rounds at hand; what is on its way out is waited for."""
        for worker in self._workers:
            worker.stop()
        for sender in self._senders:
            sender.close()
