"""Entries: submitting, reading, withdrawing, erasing and holding."""

import uuid
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import WithJsonSchema

from app.core.lifecycle import Status
from app.entries import erasure, rechecks, requests, service, submission
from app.entries.models import LegalHold
from app.entries.schemas import (
    Emergency,
    EmergencyView,
    Entries,
    EntryView,
    Erasure,
    ErasureView,
    HoldView,
    NewEntries,
    NewEntry,
    NewHold,
    NewRecheck,
)
from app.entries.service import Wanted
from app.identity.access import Access, acting
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.platform import paging
from app.platform.clock import Moment
from app.platform.context import Context, Platform, private

router = APIRouter(prefix="/v1/entries", tags=["entries"], dependencies=[Depends(private)])
Submitter = Annotated[Caller, Depends(Access(Scope.ENTRIES_WRITE))]
Reader = Annotated[Caller, Depends(Access(Scope.ENTRIES_READ))]
Eraser = Annotated[Caller, Depends(Access(Scope.ERASURE_WRITE))]
Operator = Annotated[Caller, Depends(Access(Scope.ADMIN))]
Holder = Annotated[Caller, Depends(Access(Scope.HOLDS_WRITE))]
Id = Annotated[str, Path(alias="entry", max_length=64)]
SaidLength = Annotated[str, WithJsonSchema({"maxLength": 255, "type": "string"})]
"""`requests.attempt` looks at it, and refuses with a problem of its own."""


async def attempt_of(
    request: Request,
    context: Context,
    caller: Submitter,
    idempotency_key: Annotated[SaidLength | None, Header()] = None,
) -> requests.Attempt | None:
    """This request's Idempotency-Key, tied to its exact body."""
    body = await request.body()
    return requests.attempt(
        caller.client_id, idempotency_key, request.url.path, body, context.keyring.fingerprint
    )


Attempt = Annotated[requests.Attempt | None, Depends(attempt_of)]


@router.post("", status_code=201, responses={200: {"model": EntryView, "description": "Corroborated"}})
def submit(
    context: Context, caller: Submitter, attempt: Attempt, new: NewEntry, response: Response
) -> EntryView:
    """Submit one URL. 200 when another hotline's entry already covers it: yours corroborates it."""
    views, is_new = _take_in(context, caller, attempt, [new])
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/entries/{views[0].id}"
    return views[0]


@router.post("/batch", status_code=201)
def submit_batch(context: Context, caller: Submitter, attempt: Attempt, batch: NewEntries) -> Entries:
    """Submit 1 to 1,000 URLs: all are taken, or none. `batch` in the answer names them together."""
    batch_id = str(uuid.uuid4())
    views, _ = _take_in(context, caller, attempt, batch.entries, batch_id)
    own = {view.batch_id for view in views if view.submitted_by == caller.organisation_id}
    return Entries(entries=views, batch=next(iter(own - {None}), None))


@router.post("/emergency-delisting")
def emergency(context: Context, caller: Operator, wanted: Emergency) -> EmergencyView:
    """Take entries, or one whole batch, off their lists now, past every queue and brake."""
    with acting(context, caller) as session:
        ended = service.emergency(session, caller, wanted.entries, wanted.batch, context.clock())
    context.wake_publisher()
    return EmergencyView(delisted=ended)


@router.get("/due")
def due(
    context: Context,
    caller: Reader,
    response: Response,
    within_days: Annotated[int, Query(ge=0, le=365)] = 7,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Entries:
    """Your entries that leave their list within that time unless a recheck reaffirms them."""
    passed = paging.place(cursor)
    within = timedelta(days=within_days)
    with context.database.reading() as session:
        found = rechecks.due(session, caller, within, context.clock(), passed, limit + 1)
        views = service.views(session, context.keyring.epochs, caller, found[:limit])
    following = paging.cursor(passed + limit) if len(found) > limit else None
    if following:
        filters = {"within_days": within_days, "limit": limit}
        response.headers["Link"] = paging.next_link("/v1/entries/due", filters, following)
    return Entries(entries=views, next_cursor=following)


@router.get("")
def listing(
    context: Context,
    caller: Reader,
    response: Response,
    status: Status | None = None,
    in_list: Annotated[str | None, Query(alias="list", max_length=63)] = None,
    since: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Entries:
    """Entries in the order of submission: a hotline's own, or all for a review body."""
    wanted = Wanted(status, in_list, since, paging.place(cursor), limit + 1)
    with context.database.reading() as session:
        found = service.page(session, caller, wanted)
        views = service.views(session, context.keyring.epochs, caller, found[:limit])
    following = paging.cursor(found[limit - 1].seq or 0) if len(found) > limit else None
    if following:
        filters = {
            "status": status.value if status else None,
            "list": in_list,
            "since": since.isoformat() if since else None,
            "limit": limit,
        }
        response.headers["Link"] = paging.next_link("/v1/entries", filters, following)
    return Entries(entries=views, next_cursor=following)


@router.get("/{entry}")
def one(context: Context, caller: Reader, entry_id: Id) -> EntryView:
    """One entry."""
    with context.database.reading() as session:
        return service.views(
            session, context.keyring.epochs, caller, [service.visible(session, caller, entry_id)]
        )[0]


@router.post("/{entry}/withdrawal")
def withdraw(context: Context, caller: Submitter, entry_id: Id) -> EntryView:
    """Take your own entry back; a listed one leaves the next version."""
    with acting(context, caller) as session:
        entry = service.withdraw(session, caller, entry_id, context.clock())
        view = service.views(session, context.keyring.epochs, caller, [entry])[0]
    context.wake_publisher()
    return view


@router.post("/{entry}/rechecks", status_code=201)
def recheck(context: Context, caller: Submitter, entry_id: Id, new: NewRecheck) -> EntryView:
    """Say what you found when you looked again: it reaffirms the entry, or ends its listing."""
    with acting(context, caller) as session:
        entry = rechecks.recheck(session, caller, entry_id, new, context.clock())
        view = service.views(session, context.keyring.epochs, caller, [entry])[0]
    context.wake_publisher()
    return view


@router.post("/{entry}/erasure")
def erase(context: Context, caller: Eraser, entry_id: Id, new: Erasure) -> ErasureView:
    """Destroy what the entry hides, for good; a listed entry leaves its list first."""
    with acting(context, caller) as session:
        entry = erasure.request(session, caller, entry_id, new.reason, context.clock())
        view = ErasureView(entry=entry.id, status=entry.status, reason=new.reason)
    context.wake_publisher()
    return view


@router.post("/{entry}/legal-hold", status_code=201)
def hold(context: Context, caller: Holder, entry_id: Id, new: NewHold) -> HoldView:
    """Stay the entry's erasure, or renew your stay; it ends by itself."""
    with acting(context, caller) as session:
        placed = erasure.hold(session, caller, entry_id, new.reason, new.until, context.clock())
        return _hold_view(placed)


@router.delete("/{entry}/legal-hold")
def lift_hold(context: Context, caller: Holder, entry_id: Id) -> HoldView:
    """End your own stay before its date."""
    with acting(context, caller) as session:
        return _hold_view(erasure.lift(session, caller, entry_id, context.clock()), lifted=True)


def _hold_view(found: LegalHold, lifted: bool = False) -> HoldView:
    return HoldView(
        entry=found.entry_id, reason=found.reason, placed_at=found.placed_at, until=found.until, lifted=lifted
    )


def _take_in(
    context: Platform,
    caller: Caller,
    attempt: requests.Attempt | None,
    batch: list[NewEntry],
    batch_id: str | None = None,
) -> tuple[list[EntryView], bool]:
    with acting(context, caller) as session:
        now = context.clock()
        answer = requests.recall(session, attempt, now)
        if answer is None:
            own_names = context.settings.canary_names
            outcomes = submission.submit(session, caller, batch, context.keyring, now, batch_id, own_names)
            answer = {
                "entries": [one.entry_id for one in outcomes],
                "is_new": any(one.is_new for one in outcomes),
            }
            requests.remember(session, attempt, answer, now)
        entries = service.by_ids(session, answer["entries"])
        return service.views(session, context.keyring.epochs, caller, entries), answer["is_new"]
