"""What works beside the web server, or in a process of its own: the publisher, and everybody's errands.

Publishing needs the files and keys of the lists, and one process does it. Errands are what is sent (webhooks,
notices, messages to peers), exports, and what the clock has other rooms do; any number of processes may run
them: messages are claimed before they are sent, and for the rest one of them leads.
"""

from collections.abc import Callable
from dataclasses import replace

from app import main
from app.audit.exporter import Exporter
from app.cli.following import Following
from app.cli.roles import DUTIES, EXPORTS, PUBLISHER, leadership
from app.distribution.deliverer import Deliverer
from app.entries import touched
from app.lists.publisher import Publisher
from app.platform import news
from app.platform.announcer import Announcer
from app.platform.clock import Clock, system_clock
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.leader import Led
from app.platform.news import News, news_of
from app.platform.outgoing import Outgoing
from app.platform.settings import Settings
from app.platform.worker import Worker
from app.takedown.notices import channels
from app.takedown.notices.courier import Courier
from app.takedown.peers.exchanger import Exchanger


class Publishing:
    """The publisher, at work while this process leads. `announce` hears of each list that has news.

    Raises what the settings make the publisher raise.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        keyring: Keyring,
        announce: Callable[[str], None],
    ) -> None:
        duties = replace(main.DUTIES, each_round=_nothing)

        def begin() -> Callable[[], None]:
            return Publisher(settings, database, keyring, system_clock, duties, announce).round

        begin()
        self._led = Led(leadership(PUBLISHER, settings, database), begin)
        self._worker = Worker("publisher", self._led.round)

    @property
    def is_leading(self) -> bool:
        """Whether this process published in its last round; otherwise it stands by."""
        return self._led.is_leading

    @property
    def failing(self) -> str | None:
        """Of a leader whose last round failed, since when and how."""
        return self._led.failing

    def start(self) -> None:
        """Begin, or stand by."""
        self._worker.start()

    def hear(self, topic: str) -> None:
        """What another thread or process tells."""
        if topic == news.PUBLISHER:
            self._worker.wake()

    def stop(self) -> None:
        """End after the round at hand, and let another process lead."""
        self._worker.stop()
        self._led.give_up()


class Errands:
    """All that is sent, exports, and what the clock has other rooms do.

    What is sent goes nowhere that an entry is on. Raises NotInitialised where the settings of a way out lack
    something.
    """

    def __init__(self, settings: Settings, database: Database, keyring: Keyring) -> None:
        may_call = touched.guard(database, keyring.fingerprint)
        outgoing = Outgoing(settings.webhook_allow_private, may_call=may_call)
        deliverer = Deliverer(database, keyring, system_clock, outgoing)
        exchanger = Exchanger(database, keyring, system_clock, outgoing)
        ways_out = channels.of(settings, keyring, system_clock, outgoing, may_call, exchanger.send)
        courier = Courier(database, keyring, settings, system_clock, ways_out)
        self._senders = (deliverer, exchanger, courier)
        self._webhooks = Worker("webhooks", deliverer.round)

        def export() -> Callable[[], None]:
            return Exporter(settings, database, keyring, system_clock).round

        def duties() -> Callable[[], None]:
            return lambda: main.each_round(database, keyring, system_clock)

        exports = Led(leadership(EXPORTS, settings, database), export)
        duty = Led(leadership(DUTIES, settings, database), duties)
        self._led = (exports, duty)
        self._exporter, self._duties = Worker("exporter", exports.round), Worker("duties", duty.round)
        exchange, notices = Worker("exchange", exchanger.round), Worker("notices", courier.round)
        self._workers = (self._exporter, self._webhooks, exchange, notices, self._duties)

    def start(self) -> None:
        """Begin."""
        for worker in self._workers:
            worker.start()

    def hear(self, topic: str) -> None:
        """What another thread or process tells."""
        if topic == news.EXPORTS:
            self._exporter.wake()
        elif topic == news.PUBLISHER:
            self._duties.wake()
        else:
            self._webhooks.wake()

    def stop(self) -> None:
        """End after the rounds at hand; what is on its way out is waited for."""
        for worker in self._workers:
            worker.stop()
        for sender in self._senders:
            sender.close()
        for led in self._led:
            led.give_up()


class Parts:
    """What of a service runs in this process, told of each other's news and of other processes'.

    `announcer`, of a process with a web server, tells requests that wait.
    """

    def __init__(self, settings: Settings, database: Database, announcer: Announcer | None = None) -> None:
        self._database, self._announcer = database, announcer
        self._news: News = news_of(database, settings.home / "news")
        self._parts: list[Publishing | Errands | Following] = []

    def add(self, part: Publishing | Errands | Following) -> None:
        """One more part, before `start`."""
        self._parts.append(part)

    @property
    def is_publishing(self) -> bool:
        """Whether this process is the one that publishes."""
        return any(isinstance(part, Publishing) and part.is_leading for part in self._parts)

    @property
    def failing(self) -> str | None:
        """Where this process publishes and its last round failed, since when and how."""
        found = (part.failing for part in self._parts if isinstance(part, Publishing))
        return next(filter(None, found), None)

    def start(self) -> None:
        """Hear what others tell, and begin. Raises OSError."""
        self._news.start(self._hear)
        for part in self._parts:
            part.start()

    def tell(self, topic: str) -> None:
        """Let every part here and every other process know. Never waits."""
        self._pass_on(topic)
        self._news.tell(topic)

    def announce(self, name: str) -> None:
        """Something of this list is new."""
        self.tell(news.of_list(name))

    def stop(self) -> None:
        """End every part."""
        for part in self._parts:
            part.stop()
        self._news.stop()

    def _hear(self, topic: str) -> None:
        """From another process, which wrote before it told."""
        self._database.noticed()
        self._pass_on(topic)

    def _pass_on(self, topic: str) -> None:
        for part in self._parts:
            part.hear(topic)
        name = news.list_of(topic)
        if self._announcer and name:
            self._announcer.announce(name)


def _nothing(_database: Database, _keyring: Keyring, _clock: Clock) -> None:
    """The errands have it, in a thread or process of their own."""
