"""The keys of an organisation: those in force, as its own people see them, and all, as operators do."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, col, select

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


def ever(session: Session, organisation: str) -> dict[str, list[ClientKey]]:
    """Keys of the organisation's clients by client, oldest first, retired ones too."""
    query = (
        select(ClientKey)
        .join(Client, col(Client.id) == col(ClientKey.client_id))
        .where(Client.organisation_id == organisation)
        .order_by(col(ClientKey.created_at), col(ClientKey.kid))
    )
    found: dict[str, list[ClientKey]] = {}
    for key in session.exec(query):
        found.setdefault(key.client_id, []).append(key)
    return found
