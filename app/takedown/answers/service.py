"""Answers by the link in a notice, without an account: what a link leads to, and what is said by it.

A link works once, for its own notice and for a limited time; looking at its page uses nothing up, for mail
scanners do that. Whoever acknowledges gets another one to say later what became of it. An answer proves that
its notice arrived: one that was not settled, or was given up, counts as sent from there on. What no link of
this installation is, is not found; no refusal tells which entry it is about.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session

from app.core import lifecycle
from app.core.lifecycle import LIVE, TakedownEvent
from app.core.lifecycle import Takedown as State
from app.core.terms import AnsweredBy, Channel, NoticeKind, NoticeOutcome, ProviderAnswer, RefusalReason
from app.entries import service as entries
from app.entries.models import Entry
from app.lists import service as lists
from app.platform.problems import Problem
from app.takedown import outbox, service
from app.takedown.answers import links
from app.takedown.answers.links import Link
from app.takedown.models import Notice, Takedown
from app.takedown.notices.gathering import removal_due_at

_BY_LINK = (Channel.MAIL, Channel.WEBHOOK)
_EVENT = {
    ProviderAnswer.ACKNOWLEDGED: TakedownEvent.ACKNOWLEDGE,
    ProviderAnswer.REMOVED: TakedownEvent.REMOVE,
    ProviderAnswer.REFUSED: TakedownEvent.REFUSE,
}


class Use(StrEnum):
    """What a link is good for now."""

    OPEN = "open"
    SETTLED = "settled"
    """Nothing can be answered: the material is said to be removed."""
    ENDED = "ended"
    USED = "used"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Found:
    """A link of this installation with its notice and entry, and what may be answered."""

    link: Link
    notice: Notice
    entry: Entry
    use: Use
    choices: tuple[ProviderAnswer, ...]


@dataclass(frozen=True)
class Taken:
    """An answer that was taken in; after `acknowledged`, the token of the next link and when that ends."""

    notice_id: str
    token: str | None
    expires_at: datetime | None


def find(session: Session, key: bytes, token: str, now: datetime) -> Found:
    """What a link leads to. Raises the 404 problem of what is none of this installation."""
    link = links.read(key, token)
    notice = session.get(Notice, link.notice_id) if link else None
    entry = entries.get(session, notice.entry_id) if notice else None
    if link is None or notice is None or entry is None or not _has_link(notice, link):
        raise unknown()
    choices = tuple(answer for answer in ProviderAnswer if _may_follow(notice, entry, answer))
    return Found(link, notice, entry, _use(link, notice, entry, choices, now), choices)


def answer(
    session: Session,
    key: bytes,
    found: Found,
    said: ProviderAnswer,
    reason: RefusalReason | None,
    lasts: timedelta,
    now: datetime,
) -> Taken:
    """Take an answer in, and use the link up. Raises a 410 or 409 problem; then nothing is used up.

    `found` is of this writing session. The next link lasts so long.
    """
    _refuse(found)
    notice, entry = found.notice, found.entry
    if said not in found.choices:
        raise Problem("state-conflict", "this was answered so already, or cannot be any more")
    service.prove(session, notice, now)
    service.answer(session, entry, _EVENT[said], AnsweredBy.PROVIDER, now, reason)
    notice.answers += 1
    session.add(notice)
    session.flush()
    if said is not ProviderAnswer.ACKNOWLEDGED:
        return Taken(notice.id, None, None)
    notice.expires_at = now.replace(microsecond=0) + lasts
    following = Link(notice.id, notice.answers, notice.expires_at)
    return Taken(notice.id, links.token(key, following), following.expires_at)


def deadlines(session: Session, found: Found) -> tuple[datetime, datetime]:
    """Until when an answer is asked for, and until when the removal: as the notice itself says."""
    policy = lists.policy_in_force(session, found.entry.list)
    answer_by = found.notice.made_at + timedelta(hours=policy.acknowledge_hours)
    clock = session.get(Takedown, found.entry.id)
    return answer_by, removal_due_at(found.notice, clock, policy) or answer_by


def unknown() -> Problem:
    """The 404 problem of what is no link of this installation."""
    return Problem("not-found", "there is no such link; copy it whole from the notice")


def _refuse(found: Found) -> None:
    """Raise the 410 or 409 problem of a link that is good for nothing."""
    match found.use:
        case Use.USED:
            raise Problem("gone", "this link was used; each works once")
        case Use.EXPIRED:
            raise Problem("gone", "this link has expired; the next reminder has a new one")
        case Use.ENDED:
            raise Problem("gone", "this notice no longer stands; nothing is asked of you any more")
        case Use.SETTLED:
            raise Problem("state-conflict", "it is said to be removed; nothing more is to be answered")


def _has_link(notice: Notice, link: Link) -> bool:
    is_of_its_kind = notice.kind in outbox.TELLS and notice.channel in _BY_LINK
    return is_of_its_kind and notice.begun_at is not None and link.answers <= notice.answers


def _use(link: Link, notice: Notice, entry: Entry, choices: tuple[ProviderAnswer, ...], now: datetime) -> Use:
    if entry.status not in LIVE:
        return Use.ENDED
    if link.answers != notice.answers:
        return Use.USED
    if now >= link.expires_at:
        return Use.EXPIRED
    return Use.OPEN if choices else Use.SETTLED


def _may_follow(notice: Notice, entry: Entry, said: ProviderAnswer) -> bool:
    """By the machine; a first notice that is to be settled before that makes the takedown notified."""
    state = entry.takedown
    is_waiting = state in (State.NOTIFIED, State.ACKNOWLEDGED, State.REMOVED)
    is_unsettled = notice.kind is NoticeKind.NOTICE and notice.outcome is not NoticeOutcome.SENT
    if is_unsettled and not is_waiting:
        state = State.NOTIFIED
    try:
        lifecycle.takedown_after(state, _EVENT[said])
    except lifecycle.NotAllowed:
        return False
    return True
