"""Deciding an appeal: by a signed statement of a body that took no part, once, with what follows at once."""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, select
from sqlmodel.sql.expression import SelectOfScalar

from app.appeals import concern, secrets, service
from app.appeals.concern import Concern, Sought
from app.appeals.duties import bring_back
from app.appeals.models import Appeal, AppealEntry
from app.appeals.schemas import DecisionView, NewDecision
from app.appeals.secrets import Opened
from app.core import appeal as core
from app.core import jose, signature
from app.core.lifecycle import DelistReason
from app.core.register import EVERY_LIST
from app.core.replay import SIGNATURE_AGE
from app.core.terms import AppealOutcome
from app.entries import covered
from app.entries import service as entries
from app.entries.models import Entry
from app.identity import register
from app.identity.service import Caller
from app.log import service as log
from app.platform.keyring import Keyring
from app.platform.problems import Problem, at_field

KEPT = timedelta(days=180)
"""How long an appeal's texts outlive its decision."""


def decide(
    session: Session, keyring: Keyring, caller: Caller, appeal_id: str, new: NewDecision, now: datetime
) -> DecisionView:
    """Take in a decision: upheld ends every entry concerned, denied brings back what had expired.

    Raises Problem.
    """
    appeal = service.get(session, appeal_id, to_change=True)
    if appeal is None:
        raise Problem("not-found", "there is no appeal of this reference")
    if appeal.decided_at is not None:
        raise Problem("appeal-decided", "it was decided before, or lapsed; nothing was changed")
    opened = secrets.of(session, keyring.epochs, [appeal.id])[appeal.id]
    sought = {appeal.id: Sought(opened.canonical_url, appeal.list)}
    found = concern.of(session, keyring, sought)[appeal.id]
    concerned = found.entries
    if concern.barred(session, caller, found.known):
        raise service.took_part()
    if new.outcome is AppealOutcome.UPHELD and not concerned:
        raise at_field("appeal-concerns-no-entry", "outcome", "deny it: no entry covers this address")
    departed = _departed(session, keyring, caller, appeal, sought[appeal.id])
    case = _Case(caller, appeal, opened, found, departed)
    signed = _check_signature(session, case, new, now)
    _record(session, case, new, signed, now)
    _draw_the_consequence(session, case, new.outcome, now)
    decided_at = now.replace(microsecond=0)
    return DecisionView(reference=appeal.id, outcome=new.outcome, decided_at=decided_at, entries=signed)


def _departed(
    session: Session, keyring: Keyring, caller: Caller, appeal: Appeal, sought: Sought
) -> list[Entry]:
    """Entries that the body may have been shown and that left since, the newest to leave first."""
    gone = covered.departed(session, keyring.fingerprint, sought, appeal.filed_at)
    barred = concern.barred(session, caller, gone)
    return [entry for entry in gone if entry.id not in barred]


@dataclass(frozen=True)
class _Case:
    """Who decides, and on what: what is concerned now, and what was until lately."""

    caller: Caller
    appeal: Appeal
    opened: Opened
    concern: Concern
    departed: Sequence[Entry]

    @property
    def ids(self) -> list[str]:
        """The entries concerned."""
        return sorted(entry.id for entry in self.concern.entries)

    @property
    def lists(self) -> set[str]:
        """The lists for which who decides must be registered."""
        return {entry.list for entry in self.concern.known}

    def as_shown(self, outcome: AppealOutcome) -> Iterator[list[str]]:
        """What may have been signed: the entries concerned, now and before each that left.

        A withdrawal takes nothing from a decision, so no hotline can outdate one with it. An upheld decision
        names its entries, so those are of lists that its signer was checked for.
        """
        yield self.ids
        shown = set(self.ids)
        for entry in self.departed:
            if entry.id not in shown and (outcome is AppealOutcome.DENIED or entry.list in self.lists):
                shown.add(entry.id)
                yield sorted(shown)


def _check_signature(session: Session, case: _Case, new: NewDecision, now: datetime) -> list[str]:
    """The ids it was signed for. Raises Problem."""
    try:
        kid = signature.kid(new.signature)
        payload = signature.verify(new.signature, _key(session, case, kid, now))
        signed = jose.claims(payload)
        issued = signed.get("iat")
        if isinstance(issued, bool) or not isinstance(issued, int):
            raise jose.Invalid("iat must be whole seconds since 1970")
        if abs(now.timestamp() - issued) > SIGNATURE_AGE.total_seconds():
            raise jose.Invalid("it was not signed within the last five minutes")
    except jose.Invalid as fault:
        raise at_field("signature-invalid", "signature", str(fault)) from None
    for ids in case.as_shown(new.outcome):
        if hmac.compare_digest(payload, _statement(case, new, ids, issued)):
            return ids
    member = "entries" if new.outcome is AppealOutcome.UPHELD else "entries_digest"
    now_said = jose.claims(_statement(case, new, case.ids, issued))
    if signed.keys() == now_said.keys() and {**signed, member: now_said[member]} == now_said:
        detail = "the entries it concerns are others now; read the appeal again and sign what it says"
        raise at_field("digest-outdated", "signature", detail)
    raise at_field("signature-invalid", "signature", "sign the RFC 8785 statement of this very decision")


def _statement(case: _Case, new: NewDecision, ids: Sequence[str], issued: int) -> bytes:
    return core.statement(
        case.opened.key,
        appeal=case.appeal.log_id,
        entries=ids,
        iat=issued,
        outcome=new.outcome,
        reason=new.reason,
    )


def _key(session: Session, case: _Case, kid: object, now: datetime) -> dict[str, str]:
    """The reviewer's key, certified for each list concerned; where there is none, for any. Raises Problem."""
    known = register.lists_of(session, case.caller.organisation_id) or (EVERY_LIST,)
    names = sorted(case.lists) or known[:1]
    keys = [register.reviewer_key(session, case.caller.client_id, kid, name, now) for name in names]
    return keys[0]


def _record(session: Session, case: _Case, new: NewDecision, signed: Sequence[str], now: datetime) -> None:
    appeal, caller = case.appeal, case.caller
    appeal.outcome, appeal.decided_at = new.outcome.value, now.replace(microsecond=0)
    appeal.organisation_id, appeal.client_id = caller.organisation_id, caller.client_id
    appeal.ownership_confirmed, appeal.signature = new.ownership_confirmed, new.signature
    appeal.reason = secrets.seal_reason(case.opened, appeal.id, new.reason)
    appeal.matched_at = appeal.matched_at or now
    appeal.destroy_by = now + KEPT
    session.add(appeal)
    _keep_rows(session, case)
    session.flush()
    log.append(
        session,
        "appeal.decided",
        now,
        appeal=appeal.log_id,
        client=caller.client_id,
        organisation=caller.organisation_id,
        outcome=new.outcome.value,
        signature=new.signature,
        **({"entries": signed} if new.outcome is AppealOutcome.UPHELD else {}),
    )


def _keep_rows(session: Session, case: _Case) -> None:
    """From now on the rows are those of the entries that the decision is about and that had not left."""
    wanted = set(case.ids)
    rows = {row.entry_id: row for row in session.exec(_rows(case.appeal))}
    for entry in rows.keys() - wanted:
        session.delete(rows[entry])
    missing = sorted(wanted - rows.keys())
    session.add_all(AppealEntry(appeal_id=case.appeal.id, entry_id=entry) for entry in missing)


def _draw_the_consequence(session: Session, case: _Case, outcome: AppealOutcome, now: datetime) -> None:
    if outcome is AppealOutcome.DENIED:
        bring_back(session, now)
        return
    for row in session.exec(_rows(case.appeal)):
        row.is_expired = False
        session.add(row)
    for entry in case.concern.entries:
        entries.end(session, entry, DelistReason.APPEAL_UPHELD, now, client=case.caller.client_id)


def _rows(appeal: Appeal) -> SelectOfScalar[AppealEntry]:
    return select(AppealEntry).where(AppealEntry.appeal_id == appeal.id)
