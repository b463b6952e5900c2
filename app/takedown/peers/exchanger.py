"""Sends to peers: referrals as the peer channel of notices, and what the outbox of answers holds.

A message is the same in every try, but for its seal, and its receiver acts on it once: so what a crash leaves
untold is sent again without harm. A reminder is the referral again, under its first id: a peer that has it
changes nothing, one that lost it takes it in. Log lines name messages by id. Source: app/core/exchange.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from pydantic import ValidationError
from sqlmodel import Session

import app
from app.core import age, exchange
from app.core.exchange import Message, Referred
from app.core.terms import MessageType, NoticeKind, NoticeOutcome
from app.identity import service as identity
from app.platform.clock import Clock
from app.platform.couriers import Couriers, jitter
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.outgoing import SECONDS, Outgoing, Refused, Unreachable
from app.takedown.models import PeerMessage, Referral
from app.takedown.notices.parcels import Parcel, Sent
from app.takedown.peers import outbox as peer_outbox
from app.takedown.peers import service as peers

FIRST_TRIES = 8
RETRIES = 4
"""How many of each are under way at once."""
_TAKEN = (200, 202)
_LATER = (408, 425, 429)
_TYPE = {
    NoticeKind.NOTICE: MessageType.REFERRAL,
    NoticeKind.REMINDER: MessageType.REFERRAL,
    NoticeKind.RETRACTION: MessageType.RETRACTION,
}
_HEADERS: dict[bytes | str, bytes | str] = {
    "content-type": exchange.MEDIA_TYPE,
    "user-agent": f"wardlist/{app.__version__}",
}
_NOT_IN_FORCE = Sent(NoticeOutcome.FAILED, "peer-not-in-force", is_refused=True)
_logger = structlog.get_logger("exchange")


class Exchanger:
    """Of one process. Several may run: a message is claimed before it is sent."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock,
        outgoing: Outgoing,
        factor: Callable[[], float] = jitter,
    ) -> None:
        self._keyring, self._clock = keyring, clock
        self._outgoing, self._factor = outgoing, factor
        self._couriers = Couriers(
            "exchange", database, clock, peer_outbox, self._answer, FIRST_TRIES, RETRIES
        )

    def round(self) -> None:
        """Begin to send all that is due; it ends by itself."""
        self._couriers.round()

    def wait(self, seconds: float = SECONDS) -> None:
        """Until what is under way has ended, at most that long."""
        self._couriers.wait(seconds)

    def close(self) -> None:
        """Begin nothing more, and wait for what is under way; what was not begun comes due again."""
        self._couriers.close(SECONDS)

    def send(self, parcel: Parcel, at_risk: Callable[[], None]) -> Sent:
        """The peer channel of notices (app/takedown/notices/parcels.py)."""
        kind = _TYPE.get(parcel.kind)
        if kind is None:
            return Sent(NoticeOutcome.FAILED, "unsupported", is_refused=True)
        with self._couriers.writing() as session:
            to = _receiver(session, parcel.address)
            if to is None:
                return _NOT_IN_FORCE
            if kind is MessageType.REFERRAL:
                _remember(session, parcel, self._clock())
        try:
            message = _of_parcel(parcel, kind, self._keyring.peer["kid"], to.kid)
        except ValidationError:
            return Sent(NoticeOutcome.FAILED, "malformed", is_refused=True)
        at_risk()
        return self._post(to, message)

    def _answer(self, message_id: str, attempt: int) -> None:
        """Send one message of the outbox, and say what became of it."""
        with self._couriers.reading() as session:
            row = peer_outbox.load(session, message_id)
            to = _receiver(session, row.peer_id) if row else None
            if row is None or to is None:
                return
            message = _of_row(row, self._keyring.peer["kid"], to.kid)
            made_at = row.made_at
        sent = self._post(to, message)
        if sent.failure and sent.failure.startswith("http-"):
            # Its refusal may end, as a suspension does; there is nobody else to tell.
            sent = Sent(None, sent.failure)
        self._record(message, attempt, made_at, sent)

    def _record(self, message: Message, attempt: int, made_at: datetime, sent: Sent) -> None:
        outcome = sent.outcome
        with self._couriers.writing() as session:
            queue, now = peer_outbox.queue, self._clock()
            if outcome is None:
                is_put_off = queue.postpone(session, message.id, attempt, made_at, now, self._factor())
                outcome = None if is_put_off else NoticeOutcome.FAILED
            if outcome:
                queue.settle(session, message.id, outcome, now)
        _logger.info(
            "exchange",
            message=message.id,
            type=message.type.value,
            attempt=attempt,
            outcome=outcome.value if outcome else "again",
            failure=sent.failure,
        )

    def _post(self, to: "_Receiver", message: Message) -> Sent:
        try:
            sealed = exchange.seal(message, self._keyring.peer, to.recipient)
            status = self._outgoing.post(to.address + exchange.PATH, _HEADERS, sealed)
        except (Refused, age.Invalid):
            return Sent(NoticeOutcome.FAILED, "refused", is_refused=True)
        except Unreachable as failure:
            return Sent(None, str(failure))
        if status in _TAKEN:
            return Sent(NoticeOutcome.SENT)
        is_final = 400 <= status < 500 and status not in _LATER
        return Sent(NoticeOutcome.FAILED if is_final else None, f"http-{status}", is_refused=is_final)


@dataclass(frozen=True)
class _Receiver:
    address: str
    recipient: str
    kid: str


def _receiver(session: Session, organisation_id: str) -> _Receiver | None:
    """Where and to whom it goes, None when the peer is not in force or has no key left."""
    peer = peers.in_force(session, organisation_id)
    kids = list(identity.keys(session, peer.client_id)) if peer else []
    return _Receiver(peer.address, peer.recipient, kids[-1]) if peer and kids else None


def _remember(session: Session, parcel: Parcel, now: datetime) -> None:
    """Before it is sent: from here on its answers are known."""
    if session.get(Referral, (parcel.report, parcel.address)) is None:
        session.add(
            Referral(
                id=parcel.report,
                peer_id=parcel.address,
                is_ours=True,
                entry_id=parcel.entry_id,
                made_at=now,
            )
        )
        session.flush()


def _of_parcel(parcel: Parcel, kind: MessageType, sender: str, receiver: str) -> Message:
    """The message that a notice is. Raises ValidationError."""
    is_referral = kind is MessageType.REFERRAL
    return Message.model_validate(
        {
            "id": parcel.report if is_referral else parcel.id,
            "type": kind,
            "from": sender,
            "to": receiver,
            "at": parcel.made_at.replace(microsecond=0),
            "referral": parcel.report,
            "entry": {name: getattr(parcel, name) for name in Referred.model_fields} if is_referral else None,
        }
    )


def _of_row(row: PeerMessage, sender: str, receiver: str) -> Message:
    return Message.model_validate(
        {
            "id": row.id,
            "type": row.type,
            "from": sender,
            "to": receiver,
            "at": row.made_at.replace(microsecond=0),
            "referral": row.referral_id,
            **row.content,
        }
    )
