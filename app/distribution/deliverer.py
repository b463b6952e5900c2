"""Sends the outbox's messages, many at once, so that a slow receiver keeps nobody waiting.

What failed before goes in a line of its own, never in front of a first try. Log lines name webhooks by id.
Source: Standard Webhooks 1.0; the timestamp that is signed is that of the try.
"""

import json
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

import structlog
from standardwebhooks import Webhook

import app
from app.core.terms import DeliveryOutcome
from app.distribution import outbox, webhooks
from app.distribution.outbox import Message
from app.platform.clock import Clock, instant
from app.platform.database import Database
from app.platform.failures import place
from app.platform.keyring import Keyring
from app.platform.outgoing import SECONDS, Outgoing, Refused, Unreachable

FIRST_TRIES = 48
RETRIES = 16
"""How many of each are under way at once."""
_GONE = 410
_TIDY_EVERY = timedelta(hours=1)
_logger = structlog.get_logger("webhooks")
_random = random.SystemRandom()


def jitter() -> float:
    """What a delay is multiplied by, so that receivers that failed together are not tried together."""
    return _random.uniform(0.8, 1.2)


class Deliverer:
    """Of one process. Several may run: a message is claimed before it is sent.

    However many are under way, they use one connection to the database: requests need the others.
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock,
        outgoing: Outgoing,
        factor: Callable[[], float] = jitter,
    ) -> None:
        self._database, self._keyring, self._clock = database, keyring, clock
        self._outgoing, self._factor = outgoing, factor
        self._first = ThreadPoolExecutor(FIRST_TRIES, "webhook")
        self._again = ThreadPoolExecutor(RETRIES, "webhook-retry")
        self._lock, self._at_database = threading.Lock(), threading.Lock()
        self._under_way: dict[str, Future[None]] = {}
        self._tidied_at: datetime | None = None

    def round(self) -> None:
        """Begin to send all that is due; it ends by itself."""
        now = self._clock()
        self._tidy_if_due(now)
        with self._database.reading() as session:
            if not outbox.is_due(session, now):
                return
        with self._lock:
            under_way = set(self._under_way)
        with self._database.writing() as session:
            claimed = outbox.claim(session, now, under_way)
        for delivery, attempt in claimed:
            pool = self._first if attempt == 1 else self._again
            sending = pool.submit(self._deliver, delivery, attempt)
            with self._lock:
                self._under_way[delivery] = sending
            sending.add_done_callback(lambda _done, delivery=delivery: self._forget(delivery))  # type: ignore[misc]

    def wait(self, seconds: float = SECONDS) -> None:
        """Until what is under way has ended, at most that long."""
        with self._lock:
            sending = list(self._under_way.values())
        wait(sending, timeout=seconds)

    def close(self) -> None:
        """Begin nothing more, and wait for what is under way; what was not begun comes due again."""
        for pool in (self._first, self._again):
            pool.shutdown(wait=False, cancel_futures=True)
        self.wait()

    def _forget(self, delivery: str) -> None:
        with self._lock:
            self._under_way.pop(delivery, None)

    def _deliver(self, delivery: str, attempt: int) -> None:
        try:
            message = self._load(delivery, attempt)
            if message:
                self._record(message, *self._send(message))
        except Exception as failure:
            kind, where = type(failure).__name__, place(failure)
            _logger.error("delivery failed", delivery=delivery, failure=kind, where=where)

    def _load(self, delivery: str, attempt: int) -> Message | None:
        with self._at_database:
            with self._database.reading() as session:
                message = outbox.load(session, delivery, attempt)
            if message is None:
                with self._database.writing() as session:
                    outbox.settle(session, delivery, DeliveryOutcome.NOT_ENTITLED, self._clock())
            return message

    def _send(self, message: Message) -> tuple[int, str | None]:
        """The status of the answer, 0 without one; and what went wrong."""
        now = self._clock()
        body = body_of(message)
        signer = Webhook(webhooks.secret(self._keyring, message.webhook_id))
        headers: dict[bytes | str, bytes | str] = {
            "content-type": "application/json",
            "user-agent": f"wardlist/{app.__version__}",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(message.id, now, body),
        }
        try:
            return self._outgoing.post(message.url, headers, body.encode()), None
        except Refused:
            return 0, "refused"
        except Unreachable as failure:
            return 0, str(failure)

    def _record(self, message: Message, status: int, failure: str | None) -> None:
        now, outcome = self._clock(), None
        with self._at_database, self._database.writing() as session:
            if 200 <= status < 300:
                outcome = DeliveryOutcome.DELIVERED
                outbox.settle(session, message.id, outcome, now)
            elif status == _GONE:
                outcome = DeliveryOutcome.GONE
                outbox.close(session, message, now)
            else:
                outcome = outbox.postpone(session, message, now, self._factor())
        _logger.info(
            "webhook",
            webhook=message.webhook_id,
            delivery=message.id,
            attempt=message.attempt,
            status=status,
            failure=failure,
            outcome=outcome or "again",
        )

    def _tidy_if_due(self, now: datetime) -> None:
        if self._tidied_at and now < self._tidied_at + _TIDY_EVERY:
            return
        with self._database.writing() as session:
            outbox.tidy(session, now)
        self._tidied_at = now


def body_of(message: Message) -> str:
    """A message's body, to the byte: the same in every try."""
    about = {"list": message.list, "version": message.version}
    whole = {"type": "list.published", "timestamp": instant(message.made_at), "data": about}
    return json.dumps(whole, separators=(",", ":"))
