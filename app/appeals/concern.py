"""Which entries an appeal concerns, and which bodies may not decide on them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlmodel import Session

from app.entries import covered
from app.entries.models import Entry
from app.identity import conflicts
from app.identity.service import Caller
from app.platform.keyring import Keyring
from app.reviews import service as reviews


class Sought(NamedTuple):
    """An address, and the list that the appellant named (None: any)."""

    canonical_url: str
    list: str | None


def entries_of(session: Session, keyring: Keyring, sought: Mapping[str, Sought]) -> dict[str, list[Entry]]:
    """The entries that each appeal concerns now, by appeal id."""
    return covered.covering(session, keyring.fingerprint, sought)


def barred(session: Session, caller: Caller, entries: Sequence[Entry]) -> set[str]:
    """Ids of entries in which the caller's body took part, or a body or hotline in conflict with it."""
    dependent = conflicts.of(session, caller.organisation_id)
    submitters = covered.submitters_of(session, entries)
    bodies = reviews.bodies_of(session, list(submitters))
    return {entry for entry, sent in submitters.items() if dependent & (sent | bodies[entry])}
