"""The durable outbox of what peers are told of their referrals, and the memory of what they sent.

A row is written in the transaction that finds that there is something to tell (app/platform/queue.py says how
it is sent); it holds no URL. Of one referral only the newest message is worth sending. Referrals themselves
are notices and wait in their own outbox.
"""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core.terms import MessageType, NoticeOutcome
from app.identity.models import Organisation
from app.platform.clock import instant
from app.platform.queue import Queue
from app.takedown.models import Peer, PeerMessage, ReceivedMessage, Referral

LONGEST = timedelta(days=13)
"""From a message to the last try to send it: a day less than a peer takes it (app/core/exchange.py)."""
KEPT = timedelta(days=30)
"""How long what became of a message is kept, and what was received: longer than it would be taken again."""
_DELETED_AT_ONCE = 20_000
queue = Queue(PeerMessage, LONGEST)


def put(session: Session, referral: Referral, type: MessageType, now: datetime, **content: Any) -> None:
    """Tell the referral's peer; what it was to be told of it before and was not is not told any more."""
    about = (
        col(PeerMessage.peer_id) == referral.peer_id,
        col(PeerMessage.referral_id) == referral.id,
    )
    _cancel(session, now, *about)
    words = "/".join(str(word) for word in (type.value, *content.values()))
    message = PeerMessage(
        id=secrets.token_hex(16),
        event=f"{referral.peer_id}/{referral.id}/{words}/{instant(now)}",
        peer_id=referral.peer_id,
        referral_id=referral.id,
        type=type,
        content=content,
        made_at=now,
        next_at=now,
    )
    session.add(message)
    session.flush()


def cancel(session: Session, peer_id: str, now: datetime) -> None:
    """Tell a peer nothing that waits."""
    _cancel(session, now, col(PeerMessage.peer_id) == peer_id)


def is_due(session: Session, now: datetime) -> bool:
    """Whether something waits to be sent to a peer in force."""
    return queue.is_due(session, now, _is_for_peer_in_force())


def claim(session: Session, now: datetime, under_way: Collection[str]) -> list[tuple[str, int]]:
    """(id, attempt) of what is to be sent now; nothing to a peer that is suspended or ended."""
    return queue.claim(session, now, under_way, _is_for_peer_in_force())


def load(session: Session, message_id: str) -> PeerMessage | None:
    """A claimed message; None when nothing is to be sent any longer."""
    waiting = (queue.open, PeerMessage.id == message_id, _is_for_peer_in_force())
    return session.exec(select(PeerMessage).where(*waiting)).first()


def is_new(session: Session, peer_id: str, message_id: str, now: datetime) -> bool:
    """Remember that a peer's message was acted on; False when it was before."""
    if session.get(ReceivedMessage, (peer_id, message_id)):
        return False
    session.add(ReceivedMessage(peer_id=peer_id, id=message_id, at=now))
    session.flush()
    return True


def tidy(session: Session, now: datetime) -> None:
    """Forget what was sent and received long ago, so many at a time."""
    old = select(PeerMessage.id).where(col(PeerMessage.done_at) < now - KEPT).limit(_DELETED_AT_ONCE)
    session.execute(sa.delete(PeerMessage).where(col(PeerMessage.id).in_(old)))
    session.execute(sa.delete(ReceivedMessage).where(col(ReceivedMessage.at) < now - KEPT))


def _cancel(session: Session, now: datetime, *about: sa.ColumnElement[bool]) -> None:
    queue.update(session, queue.open, *about, done_at=now, next_at=None, outcome=NoticeOutcome.CANCELLED)


def _is_for_peer_in_force() -> sa.ColumnElement[bool]:
    in_force = (
        select(Peer.organisation_id)
        .join(Organisation, col(Organisation.id) == col(Peer.organisation_id))
        .where(col(Peer.ended_at).is_(None), col(Organisation.suspended_at).is_(None))
    )
    return col(PeerMessage.peer_id).in_(in_force)
