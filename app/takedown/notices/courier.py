"""Sends the outbox's notices, each through its contact's channel, and tells the story what became of it.

A try has three short transactions: one begins it and gathers what is sent, one says that it may have arrived,
one says what came of it, with the story's leaf (app/takedown/service.py). The second is a fence as well: a
notice that was cancelled, held, or taken over by another process since does not go out. A process that dies
before the second sends the notice again; one that dies after it may send it twice, always under the same id
(app/takedown/notices/mail.py says where). Log lines name the notice by its id, and codes.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlmodel import Session

from app.core.terms import Channel, NoticeOutcome
from app.platform.clock import Clock
from app.platform.couriers import Couriers, jitter
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.queue import LEASE
from app.platform.settings import Settings
from app.takedown import outbox, service
from app.takedown.models import Contact, Notice
from app.takedown.notices import gathering, parcels
from app.takedown.notices.mail import ANSWER_SECONDS
from app.takedown.notices.parcels import Overtaken, Parcel, Sent

FIRST_TRIES = 16
RETRIES = 8
"""How many of each are under way at once; mail servers take few connections from one client."""
_SECONDS = 30.0
"""How long is waited for what is under way, by default."""
_AT_RISK = timedelta(seconds=ANSWER_SECONDS) + LEASE
"""How long nobody else takes a notice whose answer is waited for."""
_RECORD_TRIES = 3
_MOST_TRIES = 60
"""More than there is time for. What may have gone out goes out no more then: something goes wrong each time
before it is on record. What never did may have waited in the lines of processes that ended."""
_logger = structlog.get_logger("notices")


class Courier:
    """Of one process. Several may run: a notice is claimed before it is sent.

    A channel that is not among `channels` is one that this installation lacks: its notices wait for it, and
    fail when it is not there in time.
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        settings: Settings,
        clock: Clock,
        channels: Mapping[Channel, parcels.Channel],
        factor: Callable[[], float] = jitter,
    ) -> None:
        self._keyring, self._settings, self._clock = keyring, settings, clock
        self._channels, self._factor = channels, factor
        self._couriers = Couriers("notices", database, clock, outbox, self._carry, FIRST_TRIES, RETRIES)

    def round(self) -> None:
        """Begin to send all that is due; it ends by itself."""
        self._couriers.round()

    def wait(self, seconds: float = _SECONDS) -> None:
        """Until what is under way has ended, at most that long."""
        self._couriers.wait(seconds)

    def close(self) -> None:
        """Begin nothing more, and wait for what is under way; what was not begun comes due again."""
        self._couriers.close(_SECONDS)

    def _carry(self, notice_id: str, attempt: int) -> None:
        begun = self._begin(notice_id, attempt)
        if begun is None:
            return
        parcel, channel, was_at_risk = begun
        send = self._channels.get(channel)
        try:
            sent = send(parcel, partial(self._risk, parcel)) if send else Sent(None, "no-channel")
        except Overtaken:
            _say(notice_id, channel, attempt, "overtaken")
            return
        self._record(parcel, channel, sent, was_at_risk)

    def _begin(self, notice_id: str, attempt: int) -> tuple[Parcel, Channel, bool] | None:
        """What to send, by what, and whether it may have arrived before; None when it is not to be sent."""
        with self._couriers.writing() as session:
            now = self._clock()
            notice = outbox.begin(session, notice_id, now)
            if notice is None or notice.attempts != attempt:
                return None
            if attempt > _MOST_TRIES and (notice.at_risk or now > notice.made_at + outbox.LONGEST):
                outbox.settle(session, notice, NoticeOutcome.FAILED, now)
                service.on_failed(session, notice, now)
                return None
            parcel = gathering.gather(session, self._keyring, self._settings, notice, now)
            if parcel is None:
                _cancel(session, notice, now)
                return None
            return parcel, notice.channel, notice.at_risk

    def _risk(self, parcel: Parcel) -> None:
        """From here on the other side may have it. Raises Overtaken."""
        with self._couriers.writing() as session:
            now = self._clock()
            notice = outbox.begin(session, parcel.id, now)
            if notice is None or not _is_same_try(notice, parcel):
                raise Overtaken
            notice.at_risk, notice.next_at = True, now + _AT_RISK
            session.add(notice)

    def _record(self, parcel: Parcel, channel: Channel, sent: Sent, was_at_risk: bool) -> None:
        """Put on record what came of it. Tried again when it fails: nobody else knows."""
        for tries_left in reversed(range(_RECORD_TRIES)):
            try:
                with self._couriers.writing() as session:
                    said = self._take_down(session, parcel, sent, was_at_risk)
            except Exception:
                if not tries_left:
                    raise
            else:
                _say(parcel.id, channel, parcel.attempt, said, sent.failure)
                return

    def _take_down(self, session: Session, parcel: Parcel, sent: Sent, was_at_risk: bool) -> str:
        now, notice = self._clock(), session.get(Notice, parcel.id)
        if notice is None or not _counts(notice, parcel, sent):
            return "overtaken"
        notice.failure = sent.failure
        notice.at_risk = notice.at_risk and (was_at_risk or not sent.is_refused)
        session.add(notice)
        session.flush()
        outcome = sent.outcome
        if outcome is None:
            made_at, factor = notice.made_at, self._factor()
            if outbox.queue.postpone(session, notice.id, parcel.attempt, made_at, now, factor):
                return "again"
            outcome = NoticeOutcome.FAILED
        if outcome is NoticeOutcome.SENT:
            service.on_sent(session, notice, now)
        else:
            outbox.settle(session, notice, outcome, now, sent.failure)
            service.on_failed(session, notice, now)
        return outcome.value


def _counts(notice: Notice, parcel: Parcel, sent: Sent) -> bool:
    """Whether what came of this try is the news.

    It is not when another process has the notice, or when an answer or a returned mail said more meanwhile.
    What was cancelled while it went out, and arrived, was sent all the same.
    """
    if sent.outcome is NoticeOutcome.SENT:
        return notice.done_at is None or notice.outcome is NoticeOutcome.CANCELLED
    return notice.done_at is None and _is_same_try(notice, parcel)


def _is_same_try(notice: Notice, parcel: Parcel) -> bool:
    """Nobody claimed it since, and it was not cancelled and put anew."""
    return (notice.attempts, notice.made_at) == (parcel.attempt, parcel.made_at)


def _say(notice_id: str, channel: Channel, attempt: int, outcome: str, failure: str | None = None) -> None:
    about = {"notice": notice_id, "channel": channel.value, "attempt": attempt}
    _logger.info("notice", **about, outcome=outcome, failure=failure)


def _cancel(session: Session, notice: Notice, now: datetime) -> None:
    """It is not sent; where its contact has ended, the next one is told at once."""
    outbox.settle(session, notice, NoticeOutcome.CANCELLED, now)
    contact = session.get(Contact, notice.contact_id)
    if contact is None or contact.ended_at is not None:
        service.on_failed(session, notice, now)
