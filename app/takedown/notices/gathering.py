"""From a notice's row to what is sent: contact, deadlines, link and what the entry hides.

Gathered in the transaction that begins a try, kept nowhere. Two tries of a notice say the same, so that who
got both sees one: nothing here depends on the moment, but on when the notice was made and first begun.
"""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from app.core.policy import Policy
from app.core.terms import Channel, NoticeKind
from app.entries import service as entries
from app.entries.models import Entry
from app.entries.secrets import Opened
from app.lists import service as lists
from app.platform.keyring import Keyring
from app.platform.settings import Settings
from app.takedown import outbox
from app.takedown.answers import links
from app.takedown.answers.links import Link
from app.takedown.models import Contact, Notice, Takedown
from app.takedown.notices.parcels import Parcel


def gather(
    session: Session, keyring: Keyring, settings: Settings, notice: Notice, now: datetime
) -> Parcel | None:
    """All that a channel needs; None when the entry was erased or the contact has ended.

    The notice goes to the contact as it is now, and its link ends so long after it was first begun. A
    retraction needs nothing that erasure takes.
    """
    entry, contact = entries.get(session, notice.entry_id), session.get(Contact, notice.contact_id)
    if entry is None or contact is None or contact.ended_at:
        return None
    is_retraction = notice.kind is NoticeKind.RETRACTION
    opened = None if is_retraction else entries.secret(session, keyring.epochs, entry)
    if opened is None and not is_retraction:
        return None
    _address(session, notice, contact)
    link_ends = notice.expires_at or now.replace(microsecond=0) + timedelta(days=settings.notice_link_days)
    notice.expires_at = link_ends
    session.add(notice)
    session.flush()
    return _parcel(session, keyring, settings, notice, contact, entry, opened, link_ends)


def _address(session: Session, notice: Notice, contact: Contact) -> None:
    """To the contact's newest version, by its channel."""
    notice.contact_version, notice.contact_kind = contact.version, contact.kind
    notice.channel, notice.language = contact.channel, contact.language
    session.add(notice)


def _parcel(
    session: Session,
    keyring: Keyring,
    settings: Settings,
    notice: Notice,
    contact: Contact,
    entry: Entry,
    opened: Opened | None,
    link_ends: datetime,
) -> Parcel:
    policy = lists.policy_in_force(session, entry.list)
    clock = session.get(Takedown, entry.id)
    return Parcel(
        id=notice.id,
        report=_report(session, notice),
        kind=notice.kind,
        attempt=notice.attempts,
        made_at=notice.made_at,
        language=notice.language,
        contact_id=contact.id,
        contact_kind=contact.kind,
        contact_name=contact.name,
        address=contact.address,
        link=_link(keyring, settings, notice, link_ends),
        expires_at=link_ends,
        entry_id=entry.id,
        list=entry.list,
        scope=entry.scope.value,
        measures=tuple(entry.measures),
        legal_ground=entry.legal_ground,
        material=entry.material,
        hosting_country=entry.hosting_country,
        jurisdiction=policy.jurisdiction,
        assessed_at=entry.assessed_at,
        removal_due_at=removal_due_at(notice, clock, policy),
        url=opened.canonical_url if opened else None,
        statement=opened.statement if opened else None,
        hosting_address=opened.hosting_address if opened else None,
        hosting_provider=opened.hosting_provider if opened else None,
        scope_reason=opened.scope_reason if opened else None,
        held_until=clock.held_until if clock and notice.kind is NoticeKind.DECONFLICTION else None,
    )


def _report(session: Session, notice: Notice) -> str:
    """The first notice of the entry to the contact; the notice itself where there is none before it."""
    if notice.kind is NoticeKind.NOTICE:
        return notice.id
    first = (
        select(Notice.id)
        .where(
            Notice.entry_id == notice.entry_id,
            Notice.contact_id == notice.contact_id,
            Notice.kind == NoticeKind.NOTICE,
        )
        .order_by(col(Notice.made_at))
    )
    return session.exec(first.limit(1)).first() or notice.id


def _link(keyring: Keyring, settings: Settings, notice: Notice, ends: datetime) -> str | None:
    """Where it is answered; a peer answers by messages, and the others ask for no answer."""
    if notice.kind not in outbox.TELLS or notice.channel is Channel.PEER:
        return None
    token = links.token(keyring.notice, Link(notice.id, notice.answers, ends))
    return f"{settings.address}/takedown/{token}"


def removal_due_at(notice: Notice, clock: Takedown | None, policy: Policy) -> datetime | None:
    """Until when removal is asked: the policy's hours from the first notice.

    Who is told later has at least the hours to answer, as the clock gives them.
    """
    if notice.kind not in outbox.TELLS:
        return None
    told_at = clock.first_notice_at if clock else None
    due = clock.removal_due_at if clock else None
    if told_at is None or due is None or told_at > notice.made_at:
        return notice.made_at.replace(microsecond=0) + timedelta(hours=policy.removal_hours)
    return max(due, notice.made_at + timedelta(hours=policy.acknowledge_hours)).replace(microsecond=0)
