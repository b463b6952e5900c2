"""What a submission must be before it is an entry: the rules of form, of its list and of proportionality."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from app.core import url
from app.core.collateral import Protection
from app.core.policy import WIDE, Policy
from app.core.terms import EntryScope, Measure
from app.entries.schemas import NewEntry
from app.lists import canary_entries, protection
from app.lists import service as lists
from app.platform.problems import PROBLEMS, FieldError, Problem

CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Admitted:
    """A submission that passed every rule of form."""

    new: NewEntry
    canonical: str
    fingerprint: str
    is_protected: bool

    @property
    def slot(self) -> tuple[str, str]:
        """What no two open entries share: the list, and what is covered."""
        return self.new.list, self.fingerprint


@dataclass(frozen=True)
class _Rules:
    """What one list asks of a submission. `own_names` are the operator's."""

    policy: Policy
    protection: Protection
    own_names: Sequence[str]


def admit(
    session: Session,
    batch: Sequence[NewEntry],
    fingerprint_key: bytes,
    now: datetime,
    own_names: Sequence[str] = (),
) -> list[Admitted]:
    """All of them, in order. Raises one Problem that names every fault.

    Below `own_names` the operator has canary entries: nothing is listed there.
    """
    admitted: list[Admitted] = []
    faults: list[FieldError] = []
    slots: set[tuple[str, str]] = set()
    rules = {name: _rules(session, name, own_names) for name in {new.list for new in batch}}
    for index, new in enumerate(batch):
        asked = rules[new.list]
        fault = _fault_in_policy(asked.policy if asked else None, new, now)
        try:
            canonical = url.admit(new.url)
        except url.Refused as refused:
            fault = {"field": "url", "code": refused.code, "detail": refused.advice}
        if fault is None and asked:
            fault = _fault_in_scope(asked, new, canonical)
        if fault is None and asked:
            covered = url.expression(canonical, new.scope.value)
            protected = asked.protection.covers_protected(new.scope, url.host_of(canonical))
            one = Admitted(
                new, canonical, fingerprint_of(fingerprint_key, new.scope.value, covered), protected
            )
            if one.slot in slots:
                detail = "send it once; nothing of this batch was taken"
                fault = {"field": "url", "code": "duplicate-in-batch", "detail": detail}
            slots.add(one.slot)
            admitted.append(one)
        if fault is not None:
            faults.append(fault | {"index": index} if len(batch) > 1 else fault)
    if faults:
        raise one_problem(faults)
    return admitted


def _rules(session: Session, name: str, own_names: Sequence[str]) -> _Rules | None:
    policy = lists.policy(session, name)
    return _Rules(policy, protection.of(session, name), own_names) if policy else None


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


def _fault_in_scope(asked: _Rules, new: NewEntry, canonical: str) -> FieldError | None:
    """Proportionality: a wide entry says why, and never takes the hosts of others with it."""
    host = url.host_of(canonical)
    if canary_entries.is_touched(asked.own_names, new.scope, host):
        detail = "this name is the operator's own and carries nothing; check the address"
        return {"field": "url", "code": "operator-name", "detail": detail}
    if new.scope is EntryScope.PATH and url.expression(canonical, "path") == f"{host}/":
        detail = "name a path below the root, or use scope host with its reason and its quorum"
        return {"field": "scope", "code": "path-covers-host", "detail": detail}
    if new.scope in WIDE and new.scope_reason is None:
        detail = "say in 20 to 2,000 characters why a url or path entry does not suffice"
        return {"field": "scope_reason", "code": "scope-reason-missing", "detail": detail}
    if asked.protection.is_shared_hosting(new.scope, host):
        detail = (
            "names below this host belong to others; list the name, path or URL that carries the material"
        )
        return {"field": "url", "code": "shared-hosting", "detail": detail}
    return None


def fingerprint_of(key: bytes, scope: str, covered: str) -> str:
    """The keyed hash that stands for what an entry of this scope covers."""
    return hmac.new(key, f"{scope}\n{covered}".encode(), hashlib.sha256).hexdigest()


def one_problem(faults: list[FieldError]) -> Problem:
    codes = {fault["code"] for fault in faults}
    code = codes.pop() if len(codes) == 1 else "invalid-input"
    detail = faults[0]["detail"] if len(faults) == 1 else "nothing of this batch was taken; see errors"
    return Problem(code if code in PROBLEMS else "invalid-input", detail, faults[:100])
