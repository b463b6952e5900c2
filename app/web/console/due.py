"""What leaves its list unless a hotline looks again; saying what it found; and taking an own entry back."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from app.core.lifecycle import OPEN, Status
from app.core.terms import RecheckOutcome
from app.entries import rechecks
from app.entries import service as entries
from app.entries.schemas import NewRecheck
from app.identity.access import acting
from app.platform.context import Context
from app.platform.problems import Problem, at_field
from app.web.access import Sent
from app.web.console import filters
from app.web.console.filters import PER_PAGE
from app.web.console.hotline import Reader, Writer, writes
from app.web.edge import PageRoute
from app.web.pages import page

router = APIRouter(prefix="/console/due", route_class=PageRoute, include_in_schema=False)
Id = Annotated[str, Path(alias="entry", max_length=64)]
DAYS = (7, 14, 30, 90)
OUTCOMES = {
    RecheckOutcome.STILL_AVAILABLE: "Still there: keep it listed",
    RecheckOutcome.REMOVED: "Removed: take it off",
    RecheckOutcome.CHANGED: "Changed: take it off",
    RecheckOutcome.UNREACHABLE: "Not reachable: look later",
}
SAID = {outcome.value: words for outcome, words in OUTCOMES.items()} | {"withdrawn": "Withdrawn"}
"""What a page says was done just before it."""


@router.get("", response_class=HTMLResponse)
def due(
    context: Context,
    request: Request,
    visitor: Reader,
    within_days: Annotated[int, Query(ge=0, le=365)] = 7,
    cursor: Annotated[str, Query(max_length=64)] = "",
    said: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """The soonest first, with a form for each."""
    passed, now = filters.place(cursor), context.clock()
    with context.database.reading() as session:
        caller, within = visitor.member.caller, timedelta(days=within_days)
        found = rechecks.due(session, caller, within, now, passed, PER_PAGE + 1)
    following = passed + PER_PAGE if len(found) > PER_PAGE else None
    return page(
        request,
        "console/due.html",
        visitor,
        entries=found[:PER_PAGE],
        own=visitor.member.organisation.id,
        now=now,
        within_days=within_days,
        days=sorted({*DAYS, within_days}),
        outcomes=OUTCOMES,
        said=SAID.get(said),
        next_page=filters.next_page("/console/due", {"within_days": str(within_days)}, following),
        writes=writes(visitor),
    )


@router.post("/{entry}/recheck")
def recheck(context: Context, visitor: Writer, entry_id: Id, form: Sent) -> Response:
    """Say what was found just now; what ends a listing ends it with the next version."""
    outcome = filters.word(RecheckOutcome, "outcome", form.get("outcome", ""))
    if outcome is None:
        raise at_field("invalid-input", "outcome", "say what you found")
    caller = visitor.member.caller
    with acting(context, caller) as session:
        now = context.clock()
        rechecks.recheck(session, caller, entry_id, NewRecheck(outcome=outcome, checked_at=now), now)
    context.wake_publisher()
    return _back(form, outcome.value)


@router.get("/{entry}/withdrawal", response_class=HTMLResponse)
def withdrawal_page(context: Context, request: Request, visitor: Reader, entry_id: Id) -> Response:
    """Whether it is meant."""
    with context.database.reading() as session:
        found = entries.visible(session, visitor.member.caller, entry_id)
    if found.organisation_id != visitor.member.organisation.id:
        raise Problem("forbidden", "only the organisation that submitted an entry withdraws it")
    if found.status not in OPEN:
        raise Problem("state-conflict", f"the entry is {found.status.value}; there is nothing to withdraw")
    is_listed = found.status is Status.LISTED
    return page(
        request,
        "console/withdrawal.html",
        visitor,
        entry=found,
        is_listed=is_listed,
        writes=writes(visitor),
    )


@router.post("/{entry}/withdrawal")
def withdraw(context: Context, visitor: Writer, entry_id: Id, _form: Sent) -> Response:
    """Take an own entry back; a listed one leaves the next version."""
    caller = visitor.member.caller
    with acting(context, caller) as session:
        entries.withdraw(session, caller, entry_id, context.clock())
    context.wake_publisher()
    return RedirectResponse("/console/due?said=withdrawn", 303)


def _back(form: dict[str, str], said: str) -> Response:
    """To the page that the form was on, as it was filtered."""
    days = form.get("within_days", "")
    kept = int(days) if days.isascii() and days.isdigit() and len(days) < 4 else DAYS[0]
    return RedirectResponse(f"/console/due?within_days={min(kept, 365)}&said={said}", 303)
