"""What comes from peers, and what is done with it: once, and nothing that local review would not allow.

A referral becomes a submission by the peer's organisation, under the same rules and the same review as any;
an acknowledgement or outcome moves the takedown it answers. Nothing is said of why a message is refused: who
may not send learns nothing. A peer's messages may come late, twice, and in the wrong order.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import ValidationError
from sqlmodel import Session, col, func, select

from app.core import exchange
from app.core.exchange import Message, Referred, Refused
from app.core.lifecycle import OPEN, Takedown, TakedownEvent
from app.core.policy import Policy
from app.core.terms import AnsweredBy, Measure, MessageType, RefusalReason
from app.entries import service as entries
from app.entries import submission
from app.entries.models import Entry
from app.entries.schemas import NewEntry
from app.lists import service as lists
from app.platform.context import Platform
from app.platform.keyring import Keyring
from app.platform.problems import Problem
from app.takedown import service
from app.takedown.models import Notice, Referral
from app.takedown.peers import outbox as peer_outbox
from app.takedown.peers import service as peers
from app.takedown.peers.service import Signatory

RETRACTED = "retracted"
REFUSED = "refused"
_DAY = timedelta(days=1)
_EVENT = {
    "removed": TakedownEvent.REMOVE,
    "refused": TakedownEvent.REFUSE,
    "unreachable": TakedownEvent.LOSE_CONTACT,
}


def receive(context: Platform, sealed: bytes) -> tuple[Message, bool]:
    """Take in what was sent: the message, and whether it is new. Raises exchange.Refused.

    It is opened and verified before the database is written to; who signed it is looked at again then. Raises
    a 429 problem for a referral too many.
    """
    token = exchange.unseal(sealed, context.keyring.peer_identity)
    kid = exchange.signer(token)
    with context.database.reading() as session:
        sender = _sender(session, kid)
    message = exchange.read(token, sender.jwk, context.keyring.peer_kid, context.clock())
    with context.database.writing() as session:
        now = context.clock()
        sender = _sender(session, kid)
        is_new = peer_outbox.is_new(session, sender.peer.organisation_id, message.id, now)
        if is_new:
            _act(session, context, sender, message, now)
    return message, is_new


def _sender(session: Session, kid: str) -> Signatory:
    found = peers.signatory(session, kid)
    if found is None:
        raise Refused("its signer is no peer in force")
    return found


def _act(session: Session, context: Platform, sender: Signatory, message: Message, now: datetime) -> None:
    match message.type:
        case MessageType.REFERRAL:
            _referral(session, context, sender, message, now)
        case MessageType.RETRACTION:
            _retraction(session, sender, message, now)
        case MessageType.ACKNOWLEDGEMENT | MessageType.OUTCOME:
            _answer(session, sender, message, now)


def _referral(
    session: Session, context: Platform, sender: Signatory, message: Message, now: datetime
) -> None:
    """Submit it. What cannot be taken in for its form is answered with a refusal."""
    owner = sender.peer.organisation_id
    known = session.get(Referral, (message.id, owner))
    if known or message.entry is None:
        return
    _refuse_many(session, owner, context.settings.peer_referrals_per_day, now)
    referral = Referral(id=message.id, peer_id=owner, is_ours=False, made_at=now)
    own_names = context.settings.canary_names
    referral.entry_id = _submit(session, context.keyring, sender, message.entry, own_names, now)
    if referral.entry_id is None:
        referral.told, referral.ended_at = REFUSED, now
        why = {"state": REFUSED, "reason": RefusalReason.NOT_ACCEPTED.value}
        peer_outbox.put(session, referral, MessageType.OUTCOME, now, **why)
    session.add(referral)
    session.flush()


def _refuse_many(session: Session, owner: str, most: int, now: datetime) -> None:
    """Nothing is kept, so that the peer's next try counts. Raises a 429 problem."""
    lately = (Referral.peer_id == owner, col(Referral.is_ours).is_(False), col(Referral.made_at) > now - _DAY)
    if session.exec(select(func.count()).select_from(Referral).where(*lately)).one() >= most:
        detail = f"{most} referrals of yours were taken in the last day; try again later"
        raise Problem("too-many-requests", detail, headers={"Retry-After": "3600"})


def _submit(
    session: Session,
    keyring: Keyring,
    sender: Signatory,
    referred: Referred,
    own_names: list[str],
    now: datetime,
) -> str | None:
    """The id of the entry that it is or corroborates; None when the rules of form refuse it."""
    policy = lists.policy(session, sender.peer.list)
    if policy is None:
        return None
    try:
        new = NewEntry(
            list=sender.peer.list,
            **referred.model_dump(exclude={"measures"}),
            measures=_measures(referred, policy),
        )
        (taken,) = submission.submit(session, sender.caller, [new], keyring, now, None, own_names)
    except ValidationError:
        return None
    except Problem as refused:
        return refused.members.get("entry") if refused.code == "already-submitted" else None
    return taken.entry_id


def _measures(referred: Referred, policy: Policy) -> list[Measure]:
    """Takedown always; blocking where it is asked and the local policy does not rule it out."""
    is_at_home = policy.jurisdiction is not None and referred.hosting_country == policy.jurisdiction
    may_block = not is_at_home or policy.block_in_jurisdiction
    wants_block = Measure.BLOCKING in referred.measures
    return [Measure.TAKEDOWN, *([Measure.BLOCKING] if wants_block and may_block else [])]


def _retraction(session: Session, sender: Signatory, message: Message, now: datetime) -> None:
    """The peer takes back what only it submitted, or only peers that took it back too.

    Where it overtook its referral, that will not count.
    """
    owner = sender.peer.organisation_id
    found = session.get(Referral, (message.referral, owner))
    if found is None:
        found = Referral(id=message.referral, peer_id=owner, is_ours=False, made_at=now)
    if found.is_ours:
        return
    if found.ended_at is None:
        found.told, found.told_at, found.ended_at = RETRACTED, message.at, now
    session.add(found)
    session.flush()
    entry = entries.get(session, found.entry_id) if found.entry_id else None
    if entry and entry.status in OPEN and _is_nobodys(session, entry, owner):
        # Whoever submitted it took it back before: the last one to do so ends it.
        submitter = replace(sender.caller, organisation_id=entry.organisation_id)
        entries.withdraw(session, submitter, entry.id, now)


def _is_nobodys(session: Session, entry: Entry, owner: str) -> bool:
    """Whether everybody else who submitted it took it back too, and no peer asks for it still."""
    query = select(Referral).where(Referral.entry_id == entry.id, col(Referral.is_ours).is_(False))
    theirs = list(session.exec(query))
    took_back = {owner, *(one.peer_id for one in theirs if one.told == RETRACTED)}
    ask_still = {one.peer_id for one in theirs if one.ended_at is None}
    return entries.submitters(session, entry) <= took_back - ask_still


def _answer(session: Session, sender: Signatory, message: Message, now: datetime) -> None:
    """How it stands with what was referred. What is older than what was heard already changes nothing."""
    found = session.get(Referral, (message.referral, sender.peer.organisation_id))
    if found is None or not found.is_ours or found.ended_at or found.entry_id is None:
        return
    if found.told_at and message.at < found.told_at:
        return
    found.told, found.told_at = message.state or message.type.value, message.at
    if found.told == "removed":
        found.ended_at = now
    session.add(found)
    entry = entries.get(session, found.entry_id)
    if entry is None:
        return
    notice = session.get(Notice, found.id)
    if notice:
        service.prove(session, notice, now)
    try:
        _move(session, sender, entry, message, now)
    except Problem:
        # The takedown went another way meanwhile; what the peer said is kept with the referral.
        return


def _move(session: Session, sender: Signatory, entry: Entry, message: Message, now: datetime) -> None:
    """One step of the takedown. Raises a 409 problem where its state does not allow it.

    That it is removed a hotline of the peer saw: where a provider said so before, that confirms it.
    """
    event = _EVENT[message.state] if message.state else TakedownEvent.ACKNOWLEDGE
    caller = sender.caller
    actor = {"client": caller.client_id, "organisation": caller.organisation_id}
    if event is TakedownEvent.REMOVE and entry.takedown is Takedown.REMOVED:
        service.confirm(session, entry, now, **actor)
        return
    service.answer(session, entry, event, AnsweredBy.PEER, now, message.reason, **actor)
