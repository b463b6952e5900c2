"""Taking in what hotlines submit: all of a request, or nothing of it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core import commitment, url
from app.core.lifecycle import OPEN, Status, Takedown
from app.core.terms import Measure
from app.entries import secrets
from app.entries.admission import Admitted, admit, fingerprint_of, one_problem
from app.entries.models import Corroboration, Entry
from app.entries.schemas import NewEntry
from app.entries.secrets import Opened
from app.identity.service import Caller
from app.log import service as log
from app.platform.keyring import Keyring
from app.platform.problems import FieldError

_CHUNK = 500


@dataclass(frozen=True)
class Outcome:
    """What became of one submitted URL: a new entry, or a corroboration of one there is."""

    entry_id: str
    is_new: bool


def submit(
    session: Session,
    caller: Caller,
    batch: Sequence[NewEntry],
    keyring: Keyring,
    now: datetime,
    batch_id: str | None = None,
    own_names: Sequence[str] = (),
) -> list[Outcome]:
    """Take in each submission, in order; none on `own_names`. Raises one Problem that names every fault."""
    admitted = admit(session, batch, keyring.fingerprint, now, own_names)
    standing = _standing(session, admitted)
    _refuse_repeats(session, caller, admitted, standing)
    fresh = [one for one in admitted if one.slot not in standing]
    made = dict(
        zip(
            (one.slot for one in fresh),
            _insert(session, caller, fresh, keyring, now, batch_id),
            strict=True,
        )
    )
    known = [standing[one.slot] for one in admitted if one.slot in standing]
    _corroborate(session, caller, known, now)
    return [
        Outcome(made[slot], True) if (slot := one.slot) in made else Outcome(standing[slot].id, False)
        for one in admitted
    ]


def _standing(session: Session, admitted: list[Admitted]) -> dict[tuple[str, str], Entry]:
    """Open entries that cover the same, by list and fingerprint."""
    found: dict[tuple[str, str], Entry] = {}
    prints = [one.fingerprint for one in admitted]
    for start in range(0, len(prints), _CHUNK):
        query = select(Entry).where(
            col(Entry.fingerprint).in_(prints[start : start + _CHUNK]), col(Entry.status).in_(list(OPEN))
        )
        found |= {(entry.list, str(entry.fingerprint)): entry for entry in session.exec(query)}
    return found


def _refuse_repeats(
    session: Session,
    caller: Caller,
    admitted: list[Admitted],
    standing: dict[tuple[str, str], Entry],
) -> None:
    faults: list[FieldError] = []
    repeated: list[str] = []
    for index, one in enumerate(admitted):
        entry = standing.get(one.slot)
        if entry is None:
            continue
        corroborated = session.get(Corroboration, (entry.id, caller.organisation_id))
        if entry.organisation_id == caller.organisation_id or corroborated:
            detail = f"it is entry {entry.id}"
            fault: FieldError = {"field": "url", "code": "already-submitted", "detail": detail}
            faults.append(fault | {"index": index} if len(admitted) > 1 else fault)
            repeated.append(entry.id)
    if faults:
        problem = one_problem(faults)
        problem.members = {"entry": repeated[0]} if len(admitted) == 1 else {"entries": repeated[:100]}
        raise problem


def _insert(
    session: Session,
    caller: Caller,
    fresh: list[Admitted],
    keyring: Keyring,
    now: datetime,
    batch_id: str | None,
) -> list[str]:
    if not fresh:
        return []
    entries: list[dict[str, Any]] = []
    hidden: list[tuple[str, Opened]] = []
    for one in fresh:
        new = one.new
        opened = Opened(
            commitment_key=commitment.new_key(),
            canonical_url=one.canonical,
            statement=new.statement,
            hotline_reference=new.hotline_reference,
            scope_reason=new.scope_reason,
            hosting_provider=new.hosting_provider,
            hosting_address=str(new.hosting_address) if new.hosting_address else None,
        )
        entry = _row(caller, one, opened.commitment_key, now) | {
            "batch_id": batch_id,
            "host_fingerprint": fingerprint_of(keyring.fingerprint, "host", url.host_of(one.canonical)),
        }
        entries.append(entry)
        hidden.append((entry["id"], opened))
    session.execute(sa.insert(Entry), entries)
    secrets.insert(session, keyring.epochs, hidden)
    log.append_many(session, "entry.submitted", now, [_leaf(caller, entry) for entry in entries])
    return [entry["id"] for entry in entries]


def _row(caller: Caller, one: Admitted, key: bytes, now: datetime) -> dict[str, Any]:
    new, identity = one.new, str(uuid.uuid4())
    shown = new.model_dump(
        include={"scope", "measures", "list", "legal_ground", "material", "hosting_country"}
    )
    return shown | {
        "id": identity,
        "organisation_id": caller.organisation_id,
        "client_id": caller.client_id,
        "status": Status.SUBMITTED,
        "takedown": Takedown.NOT_STARTED,
        "measures": [measure.value for measure in new.measures],
        "is_blocking": Measure.BLOCKING in new.measures,
        "assessed_at": new.assessed_at,
        "submitted_at": now,
        "commitment": commitment.commitment(key, entry=identity, scope=new.scope.value, url=one.canonical),
        "digest": commitment.digest(key, statement_of(new, one.canonical)),
        "fingerprint": one.fingerprint,
        "is_protected": one.is_protected,
    }


def statement_of(new: NewEntry, canonical: str) -> commitment.Statement:
    """What the digest of a submission covers."""
    return {
        "canonical_url": canonical,
        "hosting_country": new.hosting_country,
        "legal_ground": new.legal_ground.value,
        "list": new.list,
        "material": new.material.value,
        "measures": [measure.value for measure in new.measures],
        "scope": new.scope.value,
        "statement": new.statement,
    }


def _leaf(caller: Caller, entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "client": caller.client_id,
        "commitment": entry["commitment"],
        "digest": entry["digest"],
        "entry": entry["id"],
        "hosting_country": entry["hosting_country"],
        "legal_ground": entry["legal_ground"].value,
        "list": entry["list"],
        "material": entry["material"].value,
        "measures": entry["measures"],
        "organisation": caller.organisation_id,
        "protected": entry["is_protected"],
        "scope": entry["scope"].value,
    }


def _corroborate(session: Session, caller: Caller, known: list[Entry], now: datetime) -> None:
    for entry in known:
        session.add(
            Corroboration(
                entry_id=entry.id, organisation_id=caller.organisation_id, client_id=caller.client_id, at=now
            )
        )
    leaves = [
        {"client": caller.client_id, "entry": entry.id, "organisation": caller.organisation_id}
        for entry in known
    ]
    log.append_many(session, "entry.corroborated", now, leaves)
