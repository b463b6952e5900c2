"""Sends the outbox's messages to providers' webhooks (app/platform/couriers.py says how).

Log lines name webhooks by id. Source: Standard Webhooks 1.0; the timestamp that is signed is that of the try.
"""

import json
from collections.abc import Callable

import structlog
from standardwebhooks import Webhook

import app
from app.core.terms import DeliveryOutcome
from app.distribution import outbox, webhooks
from app.distribution.outbox import Message
from app.platform.clock import Clock, instant
from app.platform.couriers import Couriers, jitter
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.outgoing import SECONDS, Outgoing, Refused, Unreachable

FIRST_TRIES = 48
RETRIES = 16
"""How many of each are under way at once."""
_GONE = 410
_logger = structlog.get_logger("webhooks")


class Deliverer:
    """Of one process. Several may run: a message is claimed before it is sent."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock,
        outgoing: Outgoing,
        factor: Callable[[], float] = jitter,
    ) -> None:
        self._keyring, self._clock, self._outgoing, self._factor = keyring, clock, outgoing, factor
        self._couriers = Couriers("webhook", database, clock, outbox, self._deliver, FIRST_TRIES, RETRIES)

    def round(self) -> None:
        """Begin to send all that is due; it ends by itself."""
        self._couriers.round()

    def wait(self, seconds: float = SECONDS) -> None:
        """Until what is under way has ended, at most that long."""
        self._couriers.wait(seconds)

    def close(self) -> None:
        """Begin nothing more, and wait for what is under way; what was not begun comes due again."""
        self._couriers.close(SECONDS)

    def _deliver(self, delivery: str, attempt: int) -> None:
        message = self._load(delivery, attempt)
        if message:
            self._record(message, *self._send(message))

    def _load(self, delivery: str, attempt: int) -> Message | None:
        with self._couriers.reading() as session:
            message = outbox.load(session, delivery, attempt)
        if message is None:
            with self._couriers.writing() as session:
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
        outcome = None
        with self._couriers.writing() as session:
            now = self._clock()
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


def body_of(message: Message) -> str:
    """A message's body, to the byte: the same in every try."""
    about = {"list": message.list, "version": message.version}
    whole = {"type": "list.published", "timestamp": instant(message.made_at), "data": about}
    return json.dumps(whole, separators=(",", ":"))
