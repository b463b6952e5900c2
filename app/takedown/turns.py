"""Whose turn it is: who is told of an entry one after the other, by its `routed_by`.

A turn is told once. What was taken out of the outbox before anybody had it was told to nobody, so that its
turn comes again. Contacts are looked up anew when nobody is left; one that could not be reached is told again
once it was changed.
"""

from collections.abc import Collection
from datetime import datetime

from sqlmodel import Session

from app.core.policy import Policy
from app.core.terms import ContactKind, Excuse, NoticeKind, NoticeOutcome
from app.entries import service as entries
from app.entries.models import Entry
from app.entries.schemas import RoutedBy
from app.platform.epochs import Epochs
from app.takedown import outbox
from app.takedown.contacts import routing
from app.takedown.models import Notice, Takedown

_HOSTILE = (ContactKind.PROVIDER, ContactKind.NETWORK)
"""Who is not told of a host that a hotline calls hostile."""
_LOST = (NoticeOutcome.FAILED, NoticeOutcome.BOUNCED)


def place(session: Session, epochs: Epochs, found: Takedown, entry: Entry, policy: Policy) -> None:
    """Whom to tell, by what is known now; those who were told before stay in front."""
    opened = entries.secret(session, epochs, entry)
    if opened is None:
        return
    told = entry.routed_by or []
    tried = _tried(session, found, entry)
    last = max((step["turn"] for step in told), default=0)
    fresh = [
        step
        for step in routing.route(session, policy, entry, opened)
        if step.version > tried.get(step.contact, -1) and (step.turn or not told)
    ]
    turns = {turn: at for at, turn in enumerate(sorted({step.turn for step in fresh if step.turn}), 1)}
    placed = [
        step.model_copy(update={"turn": last + turns[step.turn]}) if step.turn else step for step in fresh
    ]
    entry.routed_by = [*told, *(step.model_dump(mode="json") for step in placed)]
    session.add(entry)
    session.flush()


def _tried(session: Session, found: Takedown, entry: Entry) -> dict[str, float]:
    """Up to which version each known contact is done with: any, or the one that could not be reached.

    Not done with, while nobody has a notice, are those whose turn passed without one, once they may be told.
    """
    notices = [
        one
        for one in outbox.of_entry(session, entry.id)
        if one.kind is NoticeKind.NOTICE and one.outcome is not NoticeOutcome.CANCELLED
    ]
    lost = {one.contact_id: one.contact_version for one in notices if one.outcome in _LOST}
    heard = {one.contact_id for one in notices if one.outcome not in _LOST}
    tried = {contact: float(version) for contact, version in lost.items() if contact not in heard}
    for step in (RoutedBy.model_validate(step) for step in entry.routed_by or ()):
        is_passed = found.first_notice_at is None and 0 < step.turn <= found.turn
        is_due = is_passed and _may_be_told(found, step)
        if step.contact in heard or not (is_due or step.contact in tried):
            tried[step.contact] = float("inf")
    return tried


def _may_be_told(found: Takedown, step: RoutedBy) -> bool:
    return found.excuse is not Excuse.HOSTILE_HOST or step.kind not in _HOSTILE


def steps(entry: Entry, turn: int) -> list[RoutedBy]:
    """Who is told at that turn."""
    found = (RoutedBy.model_validate(step) for step in entry.routed_by or ())
    return [step for step in found if step.turn == turn]


def tell_next(
    session: Session, epochs: Epochs, found: Takedown, entry: Entry, policy: Policy, now: datetime
) -> bool:
    """Tell the next turn's contacts; they are looked up anew where there are none. False: nobody is left."""
    is_new = False
    while True:
        coming = steps(entry, found.turn + 1)
        if not coming and is_new:
            return False
        if not coming:
            place(session, epochs, found, entry, policy)
            is_new = True
            continue
        found.turn, found.reminders = found.turn + 1, 0
        put = [
            outbox.put(session, entry, found.turn, step.contact, NoticeKind.NOTICE, 0, now)
            for step in coming
            if _may_be_told(found, step)
        ]
        if any(put):
            return True


def remind(session: Session, found: Takedown, entry: Entry, now: datetime) -> bool:
    """Tell those of this turn again who have a notice. False: nobody has."""
    found.reminders += 1
    told = {one.contact_id for one in outbox.of_entry(session, entry.id) if _is_told_in(one, found.turn)}
    put = [
        outbox.put(session, entry, found.turn, contact, NoticeKind.REMINDER, found.reminders, now)
        for contact in sorted(told)
    ]
    return any(put)


def _is_told_in(notice: Notice, turn: int) -> bool:
    return notice.turn == turn and notice.outcome not in _LOST and _was_told(notice)


def _was_told(notice: Notice) -> bool:
    """Whether somebody has this notice, or may have it."""
    if notice.kind is not NoticeKind.NOTICE or notice.outcome is NoticeOutcome.BOUNCED:
        return False
    return notice.outcome is NoticeOutcome.SENT or notice.at_risk


def take_out(session: Session, found: Takedown, now: datetime, kinds: Collection[NoticeKind]) -> None:
    """Send nothing more of what waits, and stand where somebody was told last."""
    outbox.cancel(session, found.entry_id, now, kinds)
    kept = [
        one
        for one in outbox.of_entry(session, found.entry_id)
        if one.kind in outbox.TELLS and one.outcome is not NoticeOutcome.CANCELLED
    ]
    found.turn = max((one.turn for one in kept), default=0)
    reminders = {one.event for one in kept if one.kind is NoticeKind.REMINDER and one.turn == found.turn}
    found.reminders = len({event.rpartition("/")[2] for event in reminders})
    session.add(found)
    session.flush()


def retract(session: Session, entry: Entry, now: datetime) -> None:
    """Whoever was told is told that the notice no longer stands; the URL is not repeated."""
    for one in outbox.of_entry(session, entry.id):
        if _was_told(one):
            outbox.put(session, entry, one.turn, one.contact_id, NoticeKind.RETRACTION, 0, now)
