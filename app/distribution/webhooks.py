"""Webhooks of internet providers: where each wants to hear that a version is out.

A webhook's secret is derived from its id and shown once; nothing that signs is in the database.
Source: Standard Webhooks 1.0.
"""

import secrets
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core import webhook
from app.core.terms import DeliveryOutcome
from app.distribution.models import Webhook, WebhookDelivery
from app.identity.service import Caller
from app.platform import outgoing
from app.platform.keyring import Keyring
from app.platform.problems import Problem, at_field

AT_MOST = 5
"""Webhooks of one organisation in force at a time."""


def secret(keyring: Keyring, webhook_id: str) -> str:
    """What a webhook's messages are signed with: `whsec_` and 32 bytes in base64."""
    return webhook.secret(keyring.webhook, webhook_id)


def add(session: Session, caller: Caller, url: str, allow_private: bool, now: datetime) -> Webhook:
    """Have the caller's organisation told at this address too. Raises Problem."""
    try:
        outgoing.parsed(url, allow_private)
    except outgoing.Refused as refused:
        raise at_field("invalid-input", "url", str(refused)) from None
    if len(in_force(session, caller)) >= AT_MOST:
        raise Problem("too-many-webhooks", "end one first")
    added = Webhook(
        id=secrets.token_hex(16),
        organisation_id=caller.organisation_id,
        client_id=caller.client_id,
        url=url,
        created_at=now,
    )
    session.add(added)
    session.flush()
    return added


def in_force(session: Session, caller: Caller) -> list[Webhook]:
    """Those of the caller's organisation, oldest first."""
    own = select(Webhook).where(
        Webhook.organisation_id == caller.organisation_id, col(Webhook.ended_at).is_(None)
    )
    return list(session.exec(own.order_by(col(Webhook.created_at), col(Webhook.id))))


def end(session: Session, caller: Caller, webhook_id: str, now: datetime) -> None:
    """Send nothing more to one of the caller's organisation. Raises a 404 problem."""
    found = session.get(Webhook, webhook_id)
    if found is None or found.ended_at or found.organisation_id != caller.organisation_id:
        raise Problem("not-found", "your organisation has no such webhook in force")
    close(session, found, now)


def close(session: Session, found: Webhook, now: datetime) -> None:
    """End a webhook, and what waits to be sent to it."""
    found.ended_at = now
    session.add(found)
    session.flush()
    waiting = sa.update(WebhookDelivery).where(
        col(WebhookDelivery.webhook_id) == found.id, col(WebhookDelivery.done_at).is_(None)
    )
    session.execute(waiting.values(done_at=now, next_at=None, outcome=DeliveryOutcome.NOT_ENTITLED.value))
