"""Rows of entries, from leaves that came after the backup.

Where an entry stands is taken from the replay once all leaves are in; here is what only its leaves tell.
"""

import secrets
import uuid
from collections.abc import Callable

import sqlalchemy as sa
from sqlmodel import col

from app.backup.forward.state import Forward, Leaf, moment
from app.core.lifecycle import SETTLED, DelistReason, Status
from app.core.terms import Decision, EntryScope, HoldReason
from app.entries import service as entries
from app.entries.models import Corroboration, EarlierStay, Entry, LegalHold, Recheck
from app.lists.models import Snapshot
from app.reviews.models import Review, SecondOpinion


def _submitted(at: Forward, leaf: Leaf) -> None:
    """On record; what it hides is lost."""
    at.session.add(
        Entry(
            id=leaf["entry"],
            list=leaf["list"],
            organisation_id=leaf["organisation"],
            client_id=leaf["client"],
            status=Status.SUBMITTED,
            scope=EntryScope(leaf["scope"]),
            measures=leaf["measures"],
            is_blocking="blocking" in leaf["measures"],
            legal_ground=leaf["legal_ground"],
            material=leaf["material"],
            hosting_country=leaf["hosting_country"],
            is_protected=leaf["protected"],
            assessed_at=moment(leaf["at"]),
            submitted_at=moment(leaf["at"]),
            commitment=leaf["commitment"],
            digest=leaf["digest"],
            fingerprint=None,
        )
    )
    at.lost.add(leaf["entry"])
    at.session.flush()


def _corroborated(at: Forward, leaf: Leaf) -> None:
    at.session.merge(
        Corroboration(
            entry_id=leaf["entry"],
            organisation_id=leaf["organisation"],
            client_id=leaf["client"],
            at=moment(leaf["at"]),
        )
    )


def _reviewed(at: Forward, leaf: Leaf) -> None:
    """Its reason is lost."""
    at.session.add(
        Review(
            id=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
            entry_id=leaf["entry"],
            organisation_id=leaf["organisation"],
            client_id=leaf["client"],
            decision=Decision(leaf["decision"]),
            digest=at.replay.entries[leaf["entry"]].digest,
            reason=None,
            signature=leaf["signature"],
            at=moment(leaf["at"]),
        )
    )
    at.session.flush()


def _opinion(at: Forward, leaf: Leaf) -> None:
    said = Decision(leaf["decision"])
    other = Decision.REJECT if said is Decision.APPROVE else Decision.APPROVE
    found = at.session.get(SecondOpinion, leaf["entry"]) or SecondOpinion(
        entry_id=leaf["entry"], first=said if leaf["agrees"] else other, asked_at=moment(leaf["at"])
    )
    found.organisation_id, found.client_id = leaf["organisation"], leaf["client"]
    found.decision, found.signature, found.at = said, leaf["signature"], moment(leaf["at"])
    at.session.add(found)
    _entry(at, leaf).opinion_open = False


def _moved(at: Forward, leaf: Leaf) -> None:
    at.touched[leaf["entry"]] = moment(leaf["at"])


def _reopened(at: Forward, leaf: Leaf) -> None:
    """Votes that no longer count are void."""
    _moved(at, leaf)
    counted = [organisation for organisation, _, _ in at.replay.entries[leaf["entry"]].votes]
    is_void = (
        col(Review.entry_id) == leaf["entry"],
        col(Review.voided_at).is_(None),
        col(Review.organisation_id).not_in(counted),
    )
    at.session.execute(sa.update(Review).where(*is_void).values(voided_at=moment(leaf["at"])))


def _taken_back(at: Forward, leaf: Leaf) -> None:
    _moved(at, leaf)
    entry, version = _entry(at, leaf), leaf["version"]
    at.session.get_one(Snapshot, (leaf["list"], version)).taken_back_at = moment(leaf["at"])
    at.session.merge(EarlierStay(entry_id=entry.id, listed_in=version, delisted_in=version + 1))
    entry.listed_in = None
    at.listed[leaf["list"]].discard(entry.id)


def _reinstated(at: Forward, leaf: Leaf) -> None:
    _moved(at, leaf)
    entry = _entry(at, leaf)
    if entry.listed_in and entry.delisted_in:
        at.session.merge(
            EarlierStay(entry_id=entry.id, listed_in=entry.listed_in, delisted_in=entry.delisted_in)
        )
    entry.listed_in = entry.delisted_in = None


def _listed(at: Forward, leaf: Leaf) -> None:
    _moved(at, leaf)
    _entry(at, leaf).listed_in = leaf["version"]


def _delisted(at: Forward, leaf: Leaf) -> None:
    _moved(at, leaf)
    _entry(at, leaf).delist_reason = DelistReason(leaf["reason"])


def _erased(at: Forward, leaf: Leaf) -> None:
    _moved(at, leaf)
    at.erased.append(leaf["entry"])


def _rechecked(at: Forward, leaf: Leaf) -> None:
    at.session.add(
        Recheck(
            entry_id=leaf["entry"],
            organisation_id=leaf["organisation"],
            client_id=leaf["client"],
            outcome=leaf["outcome"],
            checked_at=moment(leaf["checked_at"]),
            at=moment(leaf["at"]),
        )
    )
    at.touched.setdefault(leaf["entry"], None)


def _touched(at: Forward, leaf: Leaf) -> None:
    at.touched.setdefault(leaf["entry"], None)


def _hold_placed(at: Forward, leaf: Leaf) -> None:
    at.session.merge(
        LegalHold(
            entry_id=leaf["entry"],
            organisation_id=leaf["organisation"],
            client_id=leaf["client"],
            reason=HoldReason(leaf["reason"]),
            placed_at=moment(leaf["at"]),
            until=moment(leaf["until"]),
        )
    )


def _hold_lifted(at: Forward, leaf: Leaf) -> None:
    at.session.delete(at.session.get_one(LegalHold, (leaf["entry"], leaf["organisation"])))


def _entry(at: Forward, leaf: Leaf) -> Entry:
    found = entries.existing(at.session, leaf["entry"])
    at.session.add(found)
    return found


def settle(at: Forward) -> None:
    """Have every touched entry stand where the replay has it. An erased one keeps nothing to be found by."""
    for one, ended_at in at.touched.items():
        logged = at.replay.entries[one]
        entry = entries.existing(at.session, one)
        removal = at.replay.removals.get(one)
        entry.status, entry.is_protected = logged.status, logged.is_protected
        entry.recheck_by = moment(logged.recheck_by) if logged.recheck_by else None
        entry.delist_reason = DelistReason(logged.why_delisted) if logged.why_delisted else None
        if logged.status not in SETTLED:
            entry.settled_at = None
        elif ended_at:
            entry.settled_at = ended_at
        if removal:
            entry.takedown = removal.state
            entry.notice_at = moment(removal.notice_at) if removal.notice_at else None
        if logged.status is Status.ERASED:
            entry.fingerprint = entry.host_fingerprint = entry.routed_by = None
            entry.opinion_open = False
        entry.takedown_due = one not in at.lost
        at.session.add(entry)
    at.session.flush()


CARRY: dict[str, Callable[[Forward, Leaf], None]] = {
    "entry.submitted": _submitted,
    "entry.corroborated": _corroborated,
    "entry.protected": _touched,
    "entry.reviewed": _reviewed,
    "opinion.given": _opinion,
    "entry.approved": _moved,
    "entry.rejected": _moved,
    "entry.reopened": _reopened,
    "entry.withdrawn": _moved,
    "entry.listed": _listed,
    "entry.delisted": _delisted,
    "entry.hastened": _delisted,
    "entry.taken_back": _taken_back,
    "entry.reinstated": _reinstated,
    "entry.rechecked": _rechecked,
    "entry.reaffirmed": _touched,
    "entry.erased": _erased,
    "hold.placed": _hold_placed,
    "hold.lifted": _hold_lifted,
}
"""What each of these leaves changes in the rows."""
