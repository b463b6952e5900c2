"""The statement of reasons for a decision on an entry, with what the DSA's fields have no place for.

Sources: app/core/reasons.py; Directive 2011/93/EU art. 25(2): transparent procedures, necessary and
proportionate, the reason stated, judicial redress.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import Session

from app.core import reasons, url
from app.core.lifecycle import Status
from app.core.reasons import Decided
from app.core.terms import Decision
from app.entries.models import Entry
from app.entries.schemas import EntryView, Redress, StatementOfReasons
from app.lists import service as lists
from app.lists import snapshots
from app.platform.problems import Problem

_VERDICTS = {
    Status.APPROVED: Decision.APPROVE,
    Status.LISTED: Decision.APPROVE,
    Status.DELISTED: Decision.APPROVE,
    Status.REJECTED: Decision.REJECT,
}
_JUDICIAL = "A court can be asked to review the decision, whether or not it was appealed here first."


@dataclass(frozen=True)
class SignOff:
    """Who decided, without names: how many bodies, when the last did, and the criteria they found unmet."""

    bodies: int
    at: datetime
    unmet: Sequence[str]


def verdict(view: EntryView) -> Decision:
    """What was decided on an entry as its reader sees it. Raises a 409 problem while nothing is.

    A body that is asked for a second opinion sees the entry as submitted, and gets just that answer.
    """
    if view.status not in _VERDICTS:
        raise Problem("state-conflict", f"the entry is {view.status.value}; only a decision has its reasons")
    return _VERDICTS[view.status]


def document(session: Session, entry: Entry, view: EntryView, sign_off: SignOff) -> StatementOfReasons:
    """The statement as the reader of `view` may have it: without facts for who may not read them."""
    decision, policy = verdict(view), lists.policy_at(session, entry.list, sign_off.at)
    decided = Decided(
        entry=entry.id,
        decision=decision,
        ground=view.legal_ground,
        material=view.material,
        measures=view.measures,
        bodies=sign_off.bodies,
        jurisdiction=policy.jurisdiction,
        applied_on=_applied_on(session, entry, sign_off.at),
        ends_on=_ends_on(entry),
        facts=_text(view, view.statement),
    )
    return StatementOfReasons(
        **reasons.statement(decided).model_dump(),
        entry=entry.id,
        list=entry.list,
        status=view.status,
        decision=decision,
        decided_at=sign_off.at,
        bodies=sign_off.bodies,
        quorum=policy.needed(entry.scope, entry.is_protected),
        unmet_criteria=list(sign_off.unmet),
        scope=entry.scope,
        scope_reason=_text(view, view.scope_reason),
        measures=view.measures,
        delist_reason=view.delist_reason,
        redress=Redress(
            decided_within_days=lists.policy_in_force(session, entry.list).appeal_days, judicial=_JUDICIAL
        ),
    )


def _text(view: EntryView, text: str | None) -> str | None:
    """What its author wrote, without addresses; None for a reader who does not see the URL either."""
    if text is None or view.canonical_url is None:
        return None
    return reasons.without_addresses(text, url.host_of(view.canonical_url))


def _applied_on(session: Session, entry: Entry, decided_at: datetime) -> date:
    if entry.listed_in is None:
        return decided_at.date()
    return snapshots.get(session, entry.list, entry.listed_in).published_at.date()


def _ends_on(entry: Entry) -> date | None:
    """The day it ended, or the day it ends unless a hotline reaffirms it."""
    ends_at = entry.settled_at if entry.status is Status.DELISTED else entry.recheck_by
    return ends_at.date() if ends_at else None
