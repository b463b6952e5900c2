"""What peers referred to this country, for its own hotlines to look at.

A hotline that finds it too submits it, and thereby corroborates the peer's entry: from then on the entry is
its own to recheck, and to say that it is removed. Nobody else here is as close to the provider.
"""

import sqlalchemy as sa
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from app.core.lifecycle import OPEN
from app.core.terms import Kind
from app.entries import secrets
from app.entries.models import Corroboration, Entry
from app.identity import service as identity
from app.identity.service import Caller
from app.platform.epochs import Epochs
from app.platform.problems import Problem
from app.takedown.models import Peer, Referral
from app.takedown.peers.schemas import ReferredEntry


def page(
    session: Session, epochs: Epochs, caller: Caller, after: int, limit: int
) -> list[tuple[int, ReferredEntry]]:
    """(place, entry) of what was referred, is hosted in the hotline's country and not its own yet.

    Oldest first. Raises a 403 problem for whoever is no hotline of this instance.
    """
    peer = session.get(Peer, caller.organisation_id)
    if peer or caller.kind is not Kind.HOTLINE:
        raise Problem("forbidden", "what peers referred is for this instance's own hotlines")
    country = identity.organisation(session, caller.organisation_id).country
    found = list(session.exec(_referred(caller, country, after).limit(limit)))
    opened = secrets.of(session, epochs, [entry.id for entry in found])
    shown = set(ReferredEntry.model_fields) - {"entry", "canonical_url", "statement", "hosting_provider"}
    return [
        (
            entry.seq or 0,
            ReferredEntry(
                **entry.model_dump(include=shown),
                entry=entry.id,
                canonical_url=opened[entry.id].canonical_url,
                statement=opened[entry.id].statement,
                hosting_provider=opened[entry.id].hosting_provider,
            ),
        )
        for entry in found
        if entry.id in opened
    ]


def _referred(caller: Caller, country: str, after: int) -> SelectOfScalar[Entry]:
    is_referred = sa.exists().where(
        col(Referral.entry_id) == col(Entry.id),
        col(Referral.ended_at).is_(None),
        col(Referral.is_ours).is_(False),
    )
    own = select(Corroboration.entry_id).where(Corroboration.organisation_id == caller.organisation_id)
    return (
        select(Entry)
        .where(
            is_referred,
            col(Entry.seq) > after,
            col(Entry.status).in_(list(OPEN)),
            Entry.hosting_country == country,
            Entry.organisation_id != caller.organisation_id,
            col(Entry.id).not_in(own),
        )
        .order_by(col(Entry.seq))
    )
