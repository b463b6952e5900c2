"""Keys as operators look at them: of every client of an organisation, retired ones too."""

from sqlmodel import Session, col, select

from app.identity.models import Client, ClientKey


def keys(session: Session, organisation_id: str) -> dict[str, list[ClientKey]]:
    """Keys of the organisation's clients, oldest first, by client."""
    query = (
        select(ClientKey)
        .join(Client, col(Client.id) == col(ClientKey.client_id))
        .where(Client.organisation_id == organisation_id)
        .order_by(col(ClientKey.created_at), col(ClientKey.kid))
    )
    found: dict[str, list[ClientKey]] = {}
    for key in session.exec(query):
        found.setdefault(key.client_id, []).append(key)
    return found
