"""Which entries an appeal concerns, and which bodies may not decide on them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlmodel import Session, col, select

from app.appeals.models import AppealEntry
from app.entries import covered
from app.entries import service as entries
from app.entries.models import Entry
from app.identity import conflicts
from app.identity.service import Caller
from app.platform.keyring import Keyring
from app.reviews import service as reviews

_CHUNK = 500


class Sought(NamedTuple):
    """An address, and the list that the appellant named (None: any)."""

    canonical_url: str
    list: str | None


class Concern(NamedTuple):
    """The entries that an appeal concerns now, and those that expired for it and were ended since."""

    entries: Sequence[Entry]
    ended: Sequence[Entry]

    @property
    def known(self) -> list[Entry]:
        """All that the log may name with the appeal: who decides must be independent of each."""
        return [*self.entries, *self.ended]


def of(session: Session, keyring: Keyring, sought: Mapping[str, Sought]) -> dict[str, Concern]:
    """What each appeal concerns now, by appeal id."""
    matched, expired = _rows(session, list(sought))
    found = covered.covering(session, keyring.fingerprint, sought, matched)
    gone = {one: expired[one] - {entry.id for entry in found[one]} for one in sought}
    ended = {entry.id: entry for entry in entries.by_ids(session, sorted(set().union(*gone.values())))}
    return {one: Concern(found[one], [ended[each] for each in sorted(gone[one])]) for one in sought}


def _rows(session: Session, appeals: Sequence[str]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Ids of the entries there were when each appeal was filed, and of those that expired for it."""
    matched: dict[str, set[str]] = defaultdict(set)
    expired: dict[str, set[str]] = defaultdict(set)
    for start in range(0, len(appeals), _CHUNK):
        some = appeals[start : start + _CHUNK]
        for row in session.exec(select(AppealEntry).where(col(AppealEntry.appeal_id).in_(some))):
            matched[row.appeal_id].add(row.entry_id)
            if row.is_expired:
                expired[row.appeal_id].add(row.entry_id)
    return matched, expired


def barred(session: Session, caller: Caller, known: Iterable[Entry]) -> set[str]:
    """Ids of entries in which the caller's body took part, or a body or hotline in conflict with it."""
    dependent = conflicts.of(session, caller.organisation_id)
    submitters = covered.submitters_of(session, list(known))
    bodies = reviews.bodies_of(session, list(submitters))
    return {entry for entry, sent in submitters.items() if dependent & (sent | bodies[entry])}
