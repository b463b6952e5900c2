"""The keys of an organisation as its own people see them: which are in force, and how old."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, col

from app.identity.models import Client, ClientKey, SealingRecipient


class Recipient(NamedTuple):
    """An age recipient that lists are sealed to."""

    recipient: str
    added_at: datetime


class Key(NamedTuple):
    """A client's key, by its RFC 7638 thumbprint; a program's or a person's."""

    kid: str
    client: str
    created_at: datetime


def recipients(session: Session, organisation: str) -> list[Recipient]:
    """In force, oldest first."""
    query = (
        sa.select(col(SealingRecipient.recipient), col(SealingRecipient.added_at))
        .where(
            col(SealingRecipient.organisation_id) == organisation, col(SealingRecipient.ended_at).is_(None)
        )
        .order_by(col(SealingRecipient.added_at), col(SealingRecipient.recipient))
    )
    return [Recipient(*row) for row in session.execute(query)]


def of_clients(session: Session, organisation: str, limit: int) -> list[Key]:
    """In force, of clients in force, oldest first."""
    query = (
        sa.select(col(ClientKey.kid), col(ClientKey.client_id), col(ClientKey.created_at))
        .join(Client, col(Client.id) == col(ClientKey.client_id))
        .where(
            col(Client.organisation_id) == organisation,
            col(Client.revoked_at).is_(None),
            col(ClientKey.revoked_at).is_(None),
        )
        .order_by(col(ClientKey.created_at), col(ClientKey.kid))
        .limit(limit)
    )
    return [Key(*row) for row in session.execute(query)]
