"""Deciding an appeal: by a signed statement of a body that took no part, once, with what follows at once."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, select
from sqlmodel.sql.expression import SelectOfScalar

from app.appeals import concern, secrets, service
from app.appeals.concern import Sought
from app.appeals.duties import bring_back
from app.appeals.models import Appeal, AppealEntry
from app.appeals.schemas import DecisionView, NewDecision
from app.appeals.secrets import Opened
from app.core import appeal as core
from app.core import commitment, jose
from app.core.lifecycle import DelistReason
from app.core.register import EVERY_LIST
from app.core.replay import SIGNATURE_AGE
from app.core.terms import AppealOutcome
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
        raise Problem("appeal-decided", "another body decided it; nothing was changed")
    opened = secrets.of(session, keyring.epochs, [appeal.id])[appeal.id]
    sought = {appeal.id: Sought(opened.canonical_url, appeal.list)}
    concerned = concern.entries_of(session, keyring, sought)[appeal.id]
    if concern.barred(session, caller, concerned):
        detail = "your body submitted or decided one of its entries, or is in conflict with who did"
        raise Problem("took-part", detail)
    if new.outcome is AppealOutcome.UPHELD and not concerned:
        raise at_field("appeal-concerns-no-entry", "outcome", "deny it: no entry covers this address")
    case = _Case(caller, appeal, opened, concerned)
    _check_signature(session, case, new, now)
    _record(session, case, new, now)
    _draw_the_consequence(session, case, new.outcome, now)
    decided_at = now.replace(microsecond=0)
    return DecisionView(reference=appeal.id, outcome=new.outcome, decided_at=decided_at, entries=case.ids)


@dataclass(frozen=True)
class _Case:
    """Who decides, and on what."""

    caller: Caller
    appeal: Appeal
    opened: Opened
    concerned: Sequence[Entry]

    @property
    def ids(self) -> list[str]:
        """The entries concerned, as they are signed."""
        return sorted(entry.id for entry in self.concerned)


def _check_signature(session: Session, case: _Case, new: NewDecision, now: datetime) -> None:
    try:
        kid = jose.header(new.signature).get("kid")
        payload = jose.verify(new.signature, _key(session, case, kid, now))
        signed = jose.claims(payload)
        issued = signed.get("iat")
        if isinstance(issued, bool) or not isinstance(issued, int):
            raise jose.Invalid("iat must be whole seconds since 1970")
        if abs(now.timestamp() - issued) > SIGNATURE_AGE.total_seconds():
            raise jose.Invalid("it was not signed within the last five minutes")
    except jose.Invalid as fault:
        raise at_field("signature-invalid", "signature", str(fault)) from None
    if signed.get("appeal") == case.appeal.id and signed.get("entries") != case.ids:
        detail = "the entries it concerns are others now; read the appeal again and sign what it says"
        raise at_field("digest-outdated", "signature", detail)
    expected = core.statement(
        appeal=case.appeal.id,
        entries=case.ids,
        iat=issued,
        outcome=new.outcome.value,
        reason_digest=commitment.reason_digest(case.opened.key, new.reason),
    )
    if not hmac.compare_digest(payload, expected):
        raise at_field("signature-invalid", "signature", "sign the RFC 8785 statement of this very decision")


def _key(session: Session, case: _Case, kid: object, now: datetime) -> dict[str, str]:
    """The reviewer's key, certified for each list concerned; where there is none, for any. Raises Problem."""
    known = register.lists_of(session, case.caller.organisation_id) or (EVERY_LIST,)
    names = sorted({entry.list for entry in case.concerned}) or known[:1]
    keys = [register.reviewer_key(session, case.caller.client_id, kid, name, now) for name in names]
    return keys[0]


def _record(session: Session, case: _Case, new: NewDecision, now: datetime) -> None:
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
        appeal=appeal.id,
        client=caller.client_id,
        entries=case.ids,
        organisation=caller.organisation_id,
        outcome=new.outcome.value,
        signature=new.signature,
    )


def _keep_rows(session: Session, case: _Case) -> None:
    """From now on the rows are those of the entries that the decision names."""
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
    for entry in case.concerned:
        entries.end(session, entry, DelistReason.APPEAL_UPHELD, now, client=case.caller.client_id)


def _rows(appeal: Appeal) -> SelectOfScalar[AppealEntry]:
    return select(AppealEntry).where(AppealEntry.appeal_id == appeal.id)
