"""Takedowns: what stands where, what hotlines say of it, what law enforcement asks, and how long it takes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from app.core.lifecycle import Takedown as State
from app.identity.access import Access, acting
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.platform import paging
from app.platform.clock import Moment
from app.platform.context import Context, private
from app.takedown import events, feed, figures, views
from app.takedown.figures import Asked
from app.takedown.schemas import FiguresView, NewEvent, NewTakedownHold, TakedownDetail, Takedowns

router = APIRouter(prefix="/v1/takedowns", tags=["takedown"])
Reader = Annotated[Caller, Depends(Access(Scope.ENTRIES_READ, Scope.ADMIN, Scope.HOLDS_WRITE))]
Hotline = Annotated[Caller, Depends(Access(Scope.ENTRIES_WRITE))]
LawEnforcement = Annotated[Caller, Depends(Access(Scope.HOLDS_WRITE))]
Overseer = Annotated[Caller, Depends(Access(Scope.ENTRIES_READ, Scope.ADMIN, Scope.AUDIT_READ))]
Id = Annotated[str, Path(alias="entry", max_length=64)]
ListName = Annotated[str | None, Query(alias="list", max_length=63)]


@router.get("", dependencies=[Depends(private)])
def listing(
    context: Context,
    caller: Reader,
    response: Response,
    state: State | None = None,
    in_list: ListName = None,
    country: Annotated[str | None, Query(pattern=r"^[A-Z]{2}$")] = None,
    overdue: bool = False,
    to_confirm: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Takedowns:
    """Takedowns in the order of submission: a hotline's own, or all; law enforcement: those that wait for it.

    `overdue=true`: somebody is late to answer or to remove. `to_confirm=true`: it is said to be removed, and
    a hotline is to look.
    """
    now, after = context.clock(), paging.place(cursor)
    wanted = feed.Wanted(state, in_list, country, overdue, to_confirm, after, limit + 1)
    with context.database.reading() as session:
        found = feed.page(session, caller, wanted, now)
        shown = views.views(session, context.keyring.epochs, caller, found[:limit], now)
    following = paging.cursor(found[limit - 1].seq or 0) if len(found) > limit else None
    if following:
        filters = {
            "state": state.value if state else None,
            "list": in_list,
            "country": country,
            "overdue": "true" if overdue else None,
            "to_confirm": "true" if to_confirm else None,
            "limit": limit,
        }
        response.headers["Link"] = paging.next_link("/v1/takedowns", filters, following)
    return Takedowns(takedowns=shown, next_cursor=following)


@router.get("/figures", dependencies=[Depends(private)])
def times(
    context: Context,
    caller: Overseer,
    since: Moment | None = None,
    until: Moment | None = None,
    in_list: ListName = None,
) -> FiguresView:
    """How long takedowns opened in that time took: a hotline's own, or all."""
    with context.database.reading() as session:
        return figures.view(session, caller, Asked(since, until, in_list), context.clock())


@router.get("/{entry}", dependencies=[Depends(private)])
def one(context: Context, caller: Reader, entry_id: Id) -> TakedownDetail:
    """One takedown, by its entry's id: whom it goes to in turn, every notice, and what happened."""
    with context.database.reading() as session:
        found = feed.visible(session, caller, entry_id, context.clock())
        return views.detail(session, context.keyring.epochs, caller, found, context.clock())


@router.post("/{entry}/events", status_code=201, dependencies=[Depends(private)])
def report(context: Context, caller: Hotline, entry_id: Id, new: NewEvent) -> TakedownDetail:
    """Say what you did or saw: `removed`, seen by you, takes the entry off its list with the next version."""
    with acting(context, caller) as session:
        found = events.report(session, caller, entry_id, new, context.clock())
        view = views.detail(session, context.keyring.epochs, caller, found, context.clock())
    context.wake_publisher()
    return view


@router.post("/{entry}/hold", status_code=201, dependencies=[Depends(private)])
def hold(context: Context, caller: LawEnforcement, entry_id: Id, new: NewTakedownHold) -> TakedownDetail:
    """Ask that nobody is told before a moment at most 14 days ahead. The list may block meanwhile."""
    with acting(context, caller) as session:
        now = context.clock()
        found = events.hold(session, caller, entry_id, new.reason, new.until, now)
        view = views.detail(session, context.keyring.epochs, caller, found, now)
    context.wake_publisher()
    return view


@router.delete("/{entry}/hold", dependencies=[Depends(private)])
def release(context: Context, caller: LawEnforcement, entry_id: Id) -> TakedownDetail:
    """End your own hold, or that of a list's policy, before its date: whoever waits is told now."""
    with acting(context, caller) as session:
        found = events.release(session, caller, entry_id, context.clock())
        view = views.detail(session, context.keyring.epochs, caller, found, context.clock())
    context.wake_publisher()
    return view
