"""The durable outbox of webhooks: what is to be sent, what is under way and what became of it.

A row is written in the transaction that says that its version is out (app/platform/queue.py says how it is
sent). Only a list's newest version is worth a message.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core.terms import DeliveryOutcome
from app.distribution import webhooks
from app.distribution.models import Webhook, WebhookDelivery
from app.identity import service as identity
from app.lists import figures as lists
from app.platform.queue import Queue

LONGEST = timedelta(hours=24)
"""From a version to the last try to tell of it."""
KEPT = timedelta(days=30)
"""How long what became of a message is kept, and an ended webhook."""
_DELETED_AT_ONCE = 20_000
queue = Queue(WebhookDelivery, LONGEST)
_OPEN = queue.open


@dataclass(frozen=True)
class Message:
    """A message on its way; `attempt` counts from 1."""

    id: str
    webhook_id: str
    list: str
    version: int
    made_at: datetime
    attempt: int
    url: str = field(repr=False)


def put(session: Session, name: str, version: int, now: datetime) -> None:
    """Tell all who are entitled to hear of the list that a version is out. Again changes nothing."""
    older = (_OPEN, col(WebhookDelivery.list) == name, col(WebhookDelivery.version) < version)
    queue.update(session, *older, done_at=now, next_at=None, outcome=DeliveryOutcome.SUPERSEDED.value)
    of_version = (WebhookDelivery.list == name, WebhookDelivery.version == version)
    told = set(session.exec(select(WebhookDelivery.webhook_id).where(*of_version)))
    entitled = _entitled(session)
    there_are = select(Webhook.id, Webhook.organisation_id).where(col(Webhook.ended_at).is_(None))
    about = {"list": name, "version": version, "made_at": now, "next_at": now, "attempts": 0}
    rows = [
        {"id": secrets.token_hex(16), "webhook_id": webhook, **about}
        for webhook, owner in session.exec(there_are)
        if (name, owner) in entitled and webhook not in told
    ]
    if rows:
        session.execute(sa.insert(WebhookDelivery), rows)


def is_due(session: Session, now: datetime) -> bool:
    """Whether something waits to be sent."""
    return queue.is_due(session, now)


def claim(session: Session, now: datetime, under_way: Collection[str]) -> list[tuple[str, int]]:
    """(id, attempt) of what is to be sent now, first tries first; nobody else takes it for a while."""
    return queue.claim(session, now, under_way)


def load(session: Session, delivery_id: str, attempt: int) -> Message | None:
    """A claimed message, None when it is not to be sent any longer.

    It may have been overtaken, or its receiver ended it, was suspended or taken off the list.
    """
    row = session.exec(
        select(WebhookDelivery, Webhook)
        .join(Webhook, col(Webhook.id) == col(WebhookDelivery.webhook_id))
        .where(WebhookDelivery.id == delivery_id, _OPEN, col(Webhook.ended_at).is_(None))
    ).first()
    if row is None or (row[0].list, row[1].organisation_id) not in _entitled(session):
        return None
    found, webhook = row
    return Message(
        id=found.id,
        webhook_id=webhook.id,
        list=found.list,
        version=found.version,
        made_at=found.made_at,
        attempt=attempt,
        url=webhook.url,
    )


def settle(session: Session, delivery_id: str, outcome: DeliveryOutcome, now: datetime) -> None:
    """Say what became of a message, if nothing else was said meanwhile."""
    queue.settle(session, delivery_id, outcome.value, now)


def close(session: Session, message: Message, now: datetime) -> None:
    """The receiver says that the address is gone: end the webhook."""
    settle(session, message.id, DeliveryOutcome.GONE, now)
    webhook = session.get_one(Webhook, message.webhook_id)
    if webhook.ended_at is None:
        webhooks.close(session, webhook, now)


def postpone(session: Session, message: Message, now: datetime, factor: float) -> DeliveryOutcome | None:
    """Put the next try off by the delay times `factor`; GIVEN_UP when that would be too late."""
    if queue.postpone(session, message.id, message.attempt, message.made_at, now, factor):
        return None
    settle(session, message.id, DeliveryOutcome.GIVEN_UP, now)
    return DeliveryOutcome.GIVEN_UP


def tidy(session: Session, now: datetime) -> None:
    """Delete what became of messages a month ago, so many at a time, and webhooks ended as long ago."""
    old = select(WebhookDelivery.id).where(col(WebhookDelivery.done_at) < now - KEPT)
    deleted = sa.delete(WebhookDelivery).where(col(WebhookDelivery.id).in_(old.limit(_DELETED_AT_ONCE)))
    session.execute(deleted)
    has_none = col(Webhook.id).not_in(select(WebhookDelivery.webhook_id))
    session.execute(sa.delete(Webhook).where(col(Webhook.ended_at) < now - KEPT, has_none))


def _entitled(session: Session) -> set[tuple[str, str]]:
    """(list, organisation) of every subscription of a provider that is not suspended."""
    in_force = identity.providers_in_force(session)
    return {pair for pair in lists.subscriptions(session) if pair[1] in in_force}
