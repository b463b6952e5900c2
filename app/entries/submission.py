"""Taking in what hotlines submit: all of a request, or nothing of it."""

import hashlib
import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core import commitment, url
from app.core.collateral import Protection
from app.core.lifecycle import OPEN, Status, Takedown
from app.core.policy import WIDE, Policy
from app.core.terms import EntryScope, Measure
from app.entries import secrets
from app.entries.models import Corroboration, Entry
from app.entries.schemas import NewEntry
from app.entries.secrets import Opened
from app.identity.service import Caller
from app.lists import protection
from app.lists import service as lists
from app.log import service as log
from app.platform.keyring import Keyring
from app.platform.problems import PROBLEMS, FieldError, Problem

CLOCK_SKEW = timedelta(minutes=5)
_CHUNK = 500


@dataclass(frozen=True)
class Outcome:
    """What became of one submitted URL: a new entry, or a corroboration of one there is."""

    entry_id: str
    is_new: bool


@dataclass(frozen=True)
class _Admitted:
    """A submission that passed every rule of form."""

    new: NewEntry
    canonical: str
    fingerprint: str
    is_protected: bool


@dataclass(frozen=True)
class _Rules:
    """What one list asks of a submission."""

    policy: Policy
    protection: Protection


def submit(
    session: Session,
    caller: Caller,
    batch: Sequence[NewEntry],
    keyring: Keyring,
    now: datetime,
    batch_id: str | None = None,
) -> list[Outcome]:
    """Take in each submission, in order. Raises one Problem that names every fault."""
    admitted = _admit(session, batch, keyring.fingerprint, now)
    standing = _standing(session, admitted)
    _refuse_repeats(session, caller, admitted, standing)
    fresh = [one for one in admitted if _slot(one) not in standing]
    made = dict(
        zip(
            (_slot(one) for one in fresh),
            _insert(session, caller, fresh, keyring, now, batch_id),
            strict=True,
        )
    )
    known = [standing[_slot(one)] for one in admitted if _slot(one) in standing]
    _corroborate(session, caller, known, now)
    return [
        Outcome(made[slot], True) if (slot := _slot(one)) in made else Outcome(standing[slot].id, False)
        for one in admitted
    ]


def _slot(one: _Admitted) -> tuple[str, str]:
    return one.new.list, one.fingerprint


def _admit(
    session: Session, batch: Sequence[NewEntry], fingerprint_key: bytes, now: datetime
) -> list[_Admitted]:
    admitted: list[_Admitted] = []
    faults: list[FieldError] = []
    slots: set[tuple[str, str]] = set()
    rules = {name: _rules(session, name) for name in {new.list for new in batch}}
    for index, new in enumerate(batch):
        asked = rules[new.list]
        fault = _fault_in_policy(asked.policy if asked else None, new, now)
        try:
            canonical = url.admit(new.url)
        except url.Refused as refused:
            fault = {"field": "url", "code": refused.code, "detail": refused.advice}
        if fault is None and asked:
            fault = _fault_in_scope(asked.protection, new, canonical)
        if fault is None and asked:
            covered = url.expression(canonical, new.scope.value)
            protected = asked.protection.covers_protected(new.scope, url.host_of(canonical))
            one = _Admitted(
                new, canonical, fingerprint_of(fingerprint_key, new.scope.value, covered), protected
            )
            if _slot(one) in slots:
                detail = "send it once; nothing of this batch was taken"
                fault = {"field": "url", "code": "duplicate-in-batch", "detail": detail}
            slots.add(_slot(one))
            admitted.append(one)
        if fault is not None:
            faults.append(fault | {"index": index} if len(batch) > 1 else fault)
    if faults:
        raise _one_problem(faults)
    return admitted


def _rules(session: Session, name: str) -> _Rules | None:
    policy = lists.policy(session, name)
    return _Rules(policy, protection.of(session, name)) if policy else None


def _fault_in_policy(policy: Policy | None, new: NewEntry, now: datetime) -> FieldError | None:
    if policy is None:
        return {"field": "list", "code": "list-unknown", "detail": "GET /v1/lists names the lists there are"}
    if new.scope not in policy.scopes:
        allowed = ", ".join(policy.scopes)
        return {"field": "scope", "code": "scope-not-on-list", "detail": f"this list takes: {allowed}"}
    if new.assessed_at > now + CLOCK_SKEW:
        return {"field": "assessed_at", "code": "invalid-input", "detail": "it lies in the future"}
    if new.legal_ground.value in policy.reserved_grounds:
        detail = f"{policy.jurisdiction or 'the jurisdiction'} is not bound by it; another list may be"
        return {"field": "legal_ground", "code": "ground-reserved", "detail": detail}
    return _fault_at_home(policy, new)


def _fault_at_home(policy: Policy, new: NewEntry) -> FieldError | None:
    """What is hosted where the list's law reaches the host is taken down there, before it is blocked."""
    if policy.jurisdiction is None or new.hosting_country != policy.jurisdiction:
        return None
    if Measure.TAKEDOWN not in new.measures:
        detail = "add takedown: the host is within reach of the law"
        return {"field": "measures", "code": "takedown-required", "detail": detail}
    if Measure.BLOCKING in new.measures and not policy.block_in_jurisdiction:
        detail = "leave out blocking; the list's policy would have to allow it (block_in_jurisdiction)"
        return {"field": "measures", "code": "hosted-in-jurisdiction", "detail": detail}
    return None


def _fault_in_scope(protection: Protection, new: NewEntry, canonical: str) -> FieldError | None:
    """Proportionality: a wide entry says why, and never takes the hosts of others with it."""
    host = url.host_of(canonical)
    if new.scope is EntryScope.PATH and url.expression(canonical, "path") == f"{host}/":
        detail = "name a path below the root, or use scope host with its reason and its quorum"
        return {"field": "scope", "code": "path-covers-host", "detail": detail}
    if new.scope in WIDE and new.scope_reason is None:
        detail = "say in 20 to 2,000 characters why a url or path entry does not suffice"
        return {"field": "scope_reason", "code": "scope-reason-missing", "detail": detail}
    if protection.is_shared_hosting(new.scope, host):
        detail = (
            "names below this host belong to others; list the name, path or URL that carries the material"
        )
        return {"field": "url", "code": "shared-hosting", "detail": detail}
    return None


def _one_problem(faults: list[FieldError]) -> Problem:
    codes = {fault["code"] for fault in faults}
    code = codes.pop() if len(codes) == 1 else "invalid-input"
    detail = faults[0]["detail"] if len(faults) == 1 else "nothing of this batch was taken; see errors"
    return Problem(code if code in PROBLEMS else "invalid-input", detail, faults[:100])


def fingerprint_of(key: bytes, scope: str, covered: str) -> str:
    """The keyed hash that stands for what an entry of this scope covers."""
    return hmac.new(key, f"{scope}\n{covered}".encode(), hashlib.sha256).hexdigest()


def _standing(session: Session, admitted: list[_Admitted]) -> dict[tuple[str, str], Entry]:
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
    admitted: list[_Admitted],
    standing: dict[tuple[str, str], Entry],
) -> None:
    faults: list[FieldError] = []
    repeated: list[str] = []
    for index, one in enumerate(admitted):
        entry = standing.get(_slot(one))
        if entry is None:
            continue
        corroborated = session.get(Corroboration, (entry.id, caller.organisation_id))
        if entry.organisation_id == caller.organisation_id or corroborated:
            detail = f"it is entry {entry.id}"
            fault: FieldError = {"field": "url", "code": "already-submitted", "detail": detail}
            faults.append(fault | {"index": index} if len(admitted) > 1 else fault)
            repeated.append(entry.id)
    if faults:
        problem = _one_problem(faults)
        problem.members = {"entry": repeated[0]} if len(admitted) == 1 else {"entries": repeated[:100]}
        raise problem


def _insert(
    session: Session,
    caller: Caller,
    fresh: list[_Admitted],
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
            commitment.new_key(), one.canonical, new.statement, new.hotline_reference, new.scope_reason
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


def _row(caller: Caller, one: _Admitted, key: bytes, now: datetime) -> dict[str, Any]:
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
