"""What a hotline submitted or corroborated: where each entry stands. No address is on this page."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from app.core.legal import GROUNDS
from app.core.lifecycle import Status
from app.entries import mine
from app.lists import snapshots
from app.platform.context import Context
from app.web.console import filters
from app.web.console.filters import PER_PAGE
from app.web.console.hotline import Reader, writes
from app.web.edge import PageRoute
from app.web.pages import page

router = APIRouter(prefix="/console/submissions", route_class=PageRoute, include_in_schema=False)
GROUND_WORDS = {ground.value: text.summary for ground, text in GROUNDS.items()}
Chosen = Annotated[str, Query(max_length=64)]


@router.get("", response_class=HTMLResponse)
def submissions(
    context: Context,
    request: Request,
    visitor: Reader,
    status: Chosen = "",
    in_list: Annotated[str, Query(alias="list", max_length=64)] = "",
    since: Chosen = "",
    cursor: Chosen = "",
) -> Response:
    """Own entries, newest first, a page at a time."""
    wanted = mine.Wanted(
        filters.word(Status, "status", status),
        filters.list_name(in_list),
        filters.day("since", since),
        filters.place(cursor),
        PER_PAGE + 1,
    )
    own = visitor.member.organisation.id
    with context.database.reading() as session:
        found = mine.page(session, own, wanted)
        names = snapshots.names(session)
    shown, chosen = found[:PER_PAGE], {"status": status, "list": in_list, "since": since}
    following = shown[-1].seq if len(found) > PER_PAGE else None
    return page(
        request,
        "console/submissions.html",
        visitor,
        entries=shown,
        own=own,
        names=names,
        statuses=list(Status),
        grounds=GROUND_WORDS,
        chosen=chosen,
        next_page=filters.next_page("/console/submissions", chosen, following),
        writes=writes(visitor),
    )
