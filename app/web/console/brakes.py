"""Versions that are held: the exact difference, whose word is given, and the release, signed by a passkey."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from app.core.brake import PEOPLE
from app.entries import service as entries
from app.identity import service as identity
from app.identity.access import acting
from app.lists import brakes
from app.lists import service as lists
from app.platform.context import Context
from app.web import signing
from app.web.access import Operator, Sent
from app.web.console import plain
from app.web.edge import PageRoute
from app.web.pages import page
from app.web.signing import Statement, act

router = APIRouter(prefix="/console/brakes", route_class=PageRoute, include_in_schema=False)
Name = Annotated[str, Path(alias="list", max_length=63)]
SHOWN = 200
"""Entries of a difference that are named on its page; the API names all."""


@router.get("", response_class=HTMLResponse)
def held(context: Context, request: Request, visitor: Operator) -> Response:
    """Every list whose next version waits for people."""
    with context.database.reading() as session:
        found = brakes.every_engaged(session)
    return page(request, "console/brakes.html", visitor, brakes=found)


@router.get("/{list}", response_class=HTMLResponse)
def brake(context: Context, request: Request, visitor: Operator, name: Name) -> Response:
    """One list's difference, entry by entry, and a release of just that."""
    caller, now = visitor.member.caller, context.clock()
    with context.database.reading() as session:
        lists.visible(session, caller, name)
        found = brakes.view(session, name, now)
        added, removed = (entries.by_ids(session, ids[:SHOWN]) for ids in (found.added, found.removed))
        names = {one.id: one.name for one in identity.organisations(session)}
    gave = {one.organisation for one in found.releases}
    members: dict[str, Any] = {
        "brake": found,
        "names": names,
        "added": added,
        "removed": removed,
        "age": lambda entry: plain.span(now - entry.submitted_at),
        "is_given": caller.organisation_id in gave and len(gave) < PEOPLE,
    }
    return page(request, "console/brake.html", visitor, **members)


@router.post("/{list}/release/options")
def options(context: Context, visitor: Operator, name: Name, form: Sent) -> Response:
    """The passkey signs the list and this difference."""
    return signing.options(context, visitor, _statement(name, form))


@router.post("/{list}/release")
def release(context: Context, visitor: Operator, name: Name, form: Sent) -> Response:
    """Give one's word for the difference that was seen; of two organisations, it goes out."""
    with acting(context, visitor.member.caller) as session:
        signing.signed(context, session, visitor, form, _statement(name, form))
        lists.visible(session, visitor.member.caller, name)
        seen = form.get("difference", "")
        brakes.release(session, visitor.member.caller, name, seen, context.clock())
    context.wake_publisher()
    return RedirectResponse(f"/console/brakes/{name}", 303)


def _statement(name: str, form: dict[str, str]) -> Statement:
    return act("brake.release", difference=form.get("difference", ""), list=name)
