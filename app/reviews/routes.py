"""The reviewers' queue and their decisions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from app.entries import service as entries
from app.entries.schemas import StatementOfReasons
from app.identity.access import Access, acting
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.platform import paging
from app.platform.context import Context, private
from app.reviews import reasons, service
from app.reviews.schemas import NewReview, Queue, ReviewView

router = APIRouter(prefix="/v1", tags=["reviews"], dependencies=[Depends(private)])
Reviewer = Annotated[Caller, Depends(Access(Scope.REVIEWS_WRITE))]
Reader = Annotated[Caller, Depends(Access(Scope.ENTRIES_READ))]
Id = Annotated[str, Path(alias="entry", max_length=64)]


@router.get("/reviews/queue")
def queue(
    context: Context,
    caller: Reviewer,
    response: Response,
    in_list: Annotated[str | None, Query(alias="list", max_length=63)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Queue:
    """What waits for your decision, oldest first; conflicts of interest are left out."""
    after = paging.place(cursor)
    with context.database.reading() as session:
        found = service.queue(session, caller, in_list, after, limit + 1)
        views = entries.views(session, context.keyring.epochs, caller, found[:limit])
    following = paging.cursor(found[limit - 1].seq or 0) if len(found) > limit else None
    if following:
        filters = {"list": in_list, "limit": limit}
        response.headers["Link"] = paging.next_link("/v1/reviews/queue", filters, following)
    return Queue(entries=views, next_cursor=following)


@router.post("/entries/{entry}/reviews", status_code=201)
def decide(
    context: Context,
    caller: Reviewer,
    entry_id: Id,
    new: NewReview,
) -> ReviewView:
    """Decide on an entry with a signed statement; the quorum's last vote settles it."""
    with acting(context, caller) as session:
        view = service.decide(session, context.keyring.epochs, caller, entry_id, new, context.clock())
    context.wake_publisher()
    return view


@router.get("/entries/{entry}/statement-of-reasons")
def statement_of_reasons(context: Context, caller: Reader, entry_id: Id) -> StatementOfReasons:
    """The decision's reasons, field by field as the DSA Transparency Database asks (arts. 17 and 24(5))."""
    with context.database.reading() as session:
        return reasons.statement(session, context.keyring.epochs, caller, entry_id)
