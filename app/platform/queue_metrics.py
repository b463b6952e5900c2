"""What waits in each outbox as gauges, and what came of the last day's messages. Indexes have both."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from prometheus_client import Metric
from sqlmodel import Session

from app.platform.gauges import gauge, seconds_since
from app.platform.queue import Queue

DAY = timedelta(days=1)


class OfOutboxes:
    """Of queues by name, each with the words that it uses for a message that was given up."""

    def __init__(self, queues: Mapping[str, tuple[Queue, tuple[str, ...]]]) -> None:
        self._queues = dict(queues)

    def waiting(self, session: Session, now: datetime) -> Iterable[Metric]:
        """How many messages wait, and how long the oldest has."""
        found = {name: queue.standing(session) for name, (queue, _) in self._queues.items()}
        yield gauge(
            "wardlist_outbox_messages",
            "Messages that wait to be sent, or to be sent again",
            ["outbox"],
            [((name,), number) for name, (number, _) in found.items()],
        )
        yield gauge(
            "wardlist_outbox_oldest_seconds",
            "How long the oldest message that waits has waited",
            ["outbox"],
            [((name,), seconds_since(oldest, now) if oldest else 0.0) for name, (_, oldest) in found.items()],
        )

    def failed(self, session: Session, now: datetime) -> Iterable[Metric]:
        """How many were given up in the last day."""
        yield gauge(
            "wardlist_outbox_failed_messages",
            "Messages given up in the last 24 hours",
            ["outbox"],
            [
                ((name,), queue.ended(session, now - DAY, words))
                for name, (queue, words) in self._queues.items()
            ],
        )
