"""What a peer is told of what became of its referrals: looked for in each round, put in the outbox once.

A peer hears that its referral was taken on, that nobody here removes it, so that it goes on by itself, and
how it ended. That something is removed it hears only once a hotline saw that it is. Each step may be
repeated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import sqlalchemy as sa
from sqlmodel import Session, col

from app.core.lifecycle import LIVE, OPEN, DelistReason, Status
from app.core.lifecycle import Takedown as State
from app.core.terms import Excuse, Measure, MessageType, RecheckOutcome, RefusalReason
from app.entries.models import Entry, Recheck
from app.platform.clock import Clock
from app.platform.database import Database
from app.takedown import clock
from app.takedown.models import Referral, Takedown
from app.takedown.peers import outbox as peer_outbox

AT_ONCE = 200
_NOBODY = tuple(set(Excuse) - {Excuse.LAW_ENFORCEMENT_HOLD})


@dataclass(frozen=True)
class Word:
    """What a peer is to know: the message's type or state as `Referral.told` keeps it, and why it is so.

    Nothing follows one that `is_last`.
    """

    told: str
    reason: RefusalReason | None = None
    is_last: bool = False

    def message(self) -> tuple[MessageType, dict[str, str]]:
        """Its type and content."""
        if self.told == MessageType.ACKNOWLEDGEMENT:
            return MessageType.ACKNOWLEDGEMENT, {}
        return MessageType.OUTCOME, {"state": self.told} | ({"reason": self.reason} if self.reason else {})


TAKEN_ON = Word(MessageType.ACKNOWLEDGEMENT.value)
UNREACHABLE = Word("unreachable")
REMOVED = Word("removed", is_last=True)


def each_round(database: Database, wall: Clock) -> None:
    """One short look whether there is something to tell, and the work in one transaction."""
    with database.reading() as session:
        is_due = next(_news(session, wall()), None) is not None
    if is_due:
        with database.writing() as session:
            work(session, wall())


def work(session: Session, now: datetime) -> None:
    """Tell peers what is new, of the oldest referrals first, so many at a time."""
    for referral, word in list(islice(_news(session, now), AT_ONCE)):
        if word.told != referral.told:
            kind, content = word.message()
            peer_outbox.put(session, referral, kind, now, **content)
        referral.told, referral.told_at = word.told, now
        referral.ended_at = now if word.is_last else None
        session.add(referral)
    session.flush()


def _news(session: Session, now: datetime) -> Iterator[tuple[Referral, Word]]:
    """Each referral of which the peer was not told how it stands, or that it is over."""
    for referral, entry, takedown, gone in session.execute(_candidates()):
        word = _word(entry, takedown, gone is not None, now)
        if word and (word.told != referral.told or word.is_last):
            yield referral, word


def _candidates() -> sa.Select[tuple[Referral, Entry, Takedown | None, int | None]]:
    """Open referrals of others, but for most of those of which a look at words says that nothing is new."""
    status, removal, told = col(Entry.status), col(Entry.takedown), col(Referral.told)
    never_told = sa.and_(removal == State.NOT_STARTED, col(Takedown.excuse).in_(_NOBODY))
    likely = sa.case(
        (removal == State.REFUSED, "refused"),
        (sa.or_(removal == State.UNREACHABLE, never_told), UNREACHABLE.told),
        else_=TAKEN_ON.told,
    )
    is_news_of_live = sa.and_(status.in_(sorted(LIVE)), sa.or_(told.is_(None), told != likely))
    is_over = status.not_in(sorted(OPEN))
    gone = (
        sa.select(col(Recheck.id))
        .where(col(Recheck.entry_id) == col(Entry.id), col(Recheck.outcome) == RecheckOutcome.REMOVED.value)
        .limit(1)
        .scalar_subquery()
    )
    return (
        sa.select(Referral, Entry, Takedown, gone)
        .join(Entry, col(Entry.id) == col(Referral.entry_id))
        .outerjoin(Takedown, col(Takedown.entry_id) == col(Entry.id))
        .where(
            col(Referral.ended_at).is_(None),
            col(Referral.is_ours).is_(False),
            sa.or_(is_news_of_live, is_over),
        )
        .order_by(col(Referral.made_at))
    )


def _word(entry: Entry, takedown: Takedown | None, is_gone: bool, now: datetime) -> Word | None:
    """How it stands with a referral; None while it is under review."""
    if entry.delist_reason is DelistReason.REMOVED_AT_SOURCE or (is_gone and entry.status not in LIVE):
        return REMOVED
    match entry.status:
        case Status.SUBMITTED:
            return None
        case Status.APPROVED | Status.LISTED:
            return _word_of_live(entry, takedown, now)
        case Status.REJECTED:
            return Word("refused", RefusalReason.REJECTED_IN_REVIEW, is_last=True)
        case _:
            may_come_back = entry.status is Status.DELISTED and entry.delist_reason is DelistReason.EXPIRED
            return Word("refused", RefusalReason.OTHER, is_last=not may_come_back)


def _word_of_live(entry: Entry, takedown: Takedown | None, now: datetime) -> Word:
    """Nobody here asks for the removal of what is only blocked; who has nobody left to tell says so."""
    if Measure.TAKEDOWN not in entry.measures:
        return Word("refused", RefusalReason.NOT_ACCEPTED, is_last=True)
    if takedown is None:
        return TAKEN_ON
    if entry.takedown is State.NOT_STARTED and takedown.excuse in _NOBODY:
        return UNREACHABLE
    has_nobody = takedown.due_at is not None and takedown.due_at > now + clock.PATIENCE
    match entry.takedown:
        case State.REFUSED if has_nobody:
            return Word("refused", RefusalReason(takedown.refusal or RefusalReason.OTHER))
        case State.UNREACHABLE if has_nobody:
            return UNREACHABLE
        case _:
            return TAKEN_ON
