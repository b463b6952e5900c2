"""Conflicts of interest: pairs of organisations that do not judge each other's work."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from app.core.terms import ConflictReason, Kind
from app.identity import conflicts as pairs
from app.identity import service as identity
from app.identity.access import acting
from app.platform.context import Context
from app.platform.problems import at_field
from app.web.access import Operator, Sent
from app.web.console import filters
from app.web.edge import PageRoute
from app.web.pages import page

router = APIRouter(prefix="/console/conflicts", route_class=PageRoute, include_in_schema=False)
_JUDGING = (Kind.HOTLINE, Kind.REVIEW_BODY)


@router.get("", response_class=HTMLResponse)
def conflicts(
    context: Context,
    request: Request,
    visitor: Operator,
    cursor: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """The declared pairs, a page at a time, and a form for one more."""
    with context.database.reading() as session:
        found = pairs.every(session)
        organisations = identity.organisations(session)
    names = {one.id: one.name for one in organisations}
    judging = [one for one in organisations if one.kind in _JUDGING]
    shown, following = filters.part(found, filters.place(cursor))
    members: dict[str, Any] = {
        "pairs": shown,
        "next_page": filters.next_page("/console/conflicts", {}, following),
        "names": names,
        "judging": judging,
        "reasons": list(ConflictReason),
    }
    return page(request, "console/conflicts.html", visitor, **members)


@router.post("")
def declare(context: Context, visitor: Operator, form: Sent) -> Response:
    """Put a pair on the record, or change its reason."""
    reason = filters.word(ConflictReason, "reason", form.get("reason", ""))
    if reason is None:
        raise at_field("invalid-input", "reason", "choose one of the list")
    with acting(context, visitor.member.caller) as session:
        pairs.declare(session, form.get("one", ""), form.get("other", ""), reason, context.clock())
    return RedirectResponse("/console/conflicts", 303)


@router.post("/end")
def end(context: Context, visitor: Operator, form: Sent) -> Response:
    """Take a pair off the record's present state; that it was there stays on it."""
    with acting(context, visitor.member.caller) as session:
        pairs.end(session, form.get("one", ""), form.get("other", ""), context.clock())
    return RedirectResponse("/console/conflicts", 303)
