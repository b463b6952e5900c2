"""Takedowns of a hotline: who was told, what is late, what to confirm, and saying what it did or saw."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError
from starlette.responses import Response

from app.core.lifecycle import OPEN
from app.core.lifecycle import Takedown as State
from app.core.terms import Excuse, RefusalReason, TakedownReport
from app.identity.access import acting
from app.lists import snapshots
from app.platform.context import Context
from app.platform.problems import at_field
from app.takedown import events, feed, views
from app.takedown.schemas import OF_A_HOTLINE, NewEvent
from app.web.access import Sent
from app.web.console import filters
from app.web.console.filters import PER_PAGE
from app.web.console.hotline import Reader, Writer, writes
from app.web.edge import PageRoute
from app.web.pages import page

router = APIRouter(prefix="/console/takedowns", route_class=PageRoute, include_in_schema=False)
Id = Annotated[str, Path(alias="entry", max_length=64)]
Chosen = Annotated[str, Query(max_length=64)]
SHOWS = {"late": "Late", "confirm": "To confirm", "all": "All"}
EVENTS = {
    TakedownReport.NOTIFIED: "I told somebody by our own means",
    TakedownReport.ACKNOWLEDGED: "Whoever was told acknowledged it",
    TakedownReport.REMOVED: "I looked: it is gone",
    TakedownReport.STILL_AVAILABLE: "I looked: it is still there",
    TakedownReport.REFUSED: "Whoever was told refuses",
    TakedownReport.UNREACHABLE: "Whoever was told cannot be reached",
    TakedownReport.NO_NOTICE: "Nobody can be told",
}
REASONS = {
    "of a refusal": sorted(RefusalReason),
    "why nobody can be told": sorted(OF_A_HOTLINE),
}


@router.get("", response_class=HTMLResponse)
def takedowns(
    context: Context,
    request: Request,
    visitor: Reader,
    show: Chosen = "late",
    state: Chosen = "",
    in_list: Annotated[str, Query(alias="list", max_length=64)] = "",
    cursor: Chosen = "",
) -> Response:
    """What is late, what to confirm, or all, in the order of submission."""
    show = show if show in SHOWS else "late"
    wanted = feed.Wanted(
        filters.word(State, "state", state),
        filters.list_name(in_list),
        is_overdue=show == "late",
        is_to_confirm=show == "confirm",
        after=filters.place(cursor),
        limit=PER_PAGE + 1,
    )
    caller, now = visitor.member.caller, context.clock()
    with context.database.reading() as session:
        found = feed.page(session, caller, wanted, now)
        shown = views.views(session, context.keyring.epochs, caller, found[:PER_PAGE], now)
        told = views.told(session, caller, found[:PER_PAGE])
        names = snapshots.names(session)
    chosen = {"show": show, "state": state, "list": in_list}
    following = found[PER_PAGE - 1].seq if len(found) > PER_PAGE else None
    return page(
        request,
        "console/takedowns.html",
        visitor,
        takedowns=shown,
        told=told,
        names=names,
        states=list(State),
        shows=SHOWS,
        chosen=chosen,
        now=now,
        next_page=filters.next_page("/console/takedowns", chosen, following),
    )


@router.get("/{entry}", response_class=HTMLResponse)
def takedown(
    context: Context,
    request: Request,
    visitor: Reader,
    entry_id: Id,
    said: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """One takedown: whom it goes to in turn, every notice, what happened, and the form."""
    caller, now = visitor.member.caller, context.clock()
    with context.database.reading() as session:
        found = feed.visible(session, caller, entry_id, now)
        detail = views.detail(session, context.keyring.epochs, caller, found, now)
    return page(
        request,
        "console/takedown.html",
        visitor,
        one=detail,
        now=now,
        events=EVENTS,
        reasons=REASONS,
        said={event.value: words for event, words in EVENTS.items()}.get(said),
        writes=writes(visitor) and detail.status in OPEN,
    )


@router.post("/{entry}/events")
def report(context: Context, visitor: Writer, entry_id: Id, form: Sent) -> Response:
    """Say what was done or seen: `removed`, seen, takes the entry off its list with the next version."""
    new = _event(form)
    caller = visitor.member.caller
    with acting(context, caller) as session:
        found = events.report(session, caller, entry_id, new, context.clock())
    context.wake_publisher()
    return RedirectResponse(f"/console/takedowns/{found.id}?said={new.event.value}", 303)


def _event(form: dict[str, str]) -> NewEvent:
    """What the form says; a reason counts only with what needs one. Raises a 422 problem."""
    event = filters.word(TakedownReport, "event", form.get("event", ""))
    if event is None:
        raise at_field("invalid-input", "event", "say what happened")
    text = form.get("reason", "")
    reason: RefusalReason | Excuse | None = None
    if event is TakedownReport.REFUSED:
        reason = filters.word(RefusalReason, "reason", text)
    elif event is TakedownReport.NO_NOTICE:
        reason = filters.word(Excuse, "reason", text)
    try:
        return NewEvent(event=event, reason=reason)
    except ValidationError:
        raise at_field("invalid-input", "reason", "choose a reason that fits what happened") from None
