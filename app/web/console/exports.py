"""Exports that prove themselves: asked for here, watched while they are made, and taken home."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from starlette.responses import Response

from app.audit import service as audit
from app.audit.exporter import file_of
from app.audit.models import State
from app.audit.schemas import NewExport
from app.identity.access import acting
from app.identity.people.sessions import Visitor
from app.identity.permissions import Scope
from app.lists import snapshots
from app.platform.context import Context
from app.platform.problems import Problem
from app.web.access import Needs, Sent, Watches
from app.web.console import filters
from app.web.edge import PageRoute
from app.web.pages import page

router = APIRouter(prefix="/console/exports", route_class=PageRoute, include_in_schema=False)
Auditor = Annotated[Visitor, Depends(Needs(Scope.AUDIT_READ))]
Watcher = Annotated[Visitor, Depends(Watches(Scope.AUDIT_READ))]
Id = Annotated[str, Path(alias="export", max_length=64)]


@router.get("", response_class=HTMLResponse)
def exports(context: Context, request: Request, visitor: Auditor) -> Response:
    """The organisation's exports, newest first, and a form for another one."""
    with context.database.reading() as session:
        found = audit.of_organisation(session, visitor.member.organisation.id, filters.PER_PAGE)
        may_reveal = audit.reveal_right(session, visitor.member.organisation.id) is not None
        names = snapshots.names(session)
    members: dict[str, Any] = {"exports": found, "names": names, "may_reveal": may_reveal}
    return page(request, "console/exports.html", visitor, **members)


@router.post("")
def ask(context: Context, visitor: Auditor, form: Sent) -> Response:
    """Put one in the queue; the asking is on the record."""
    new = NewExport(
        list=filters.list_name(form.get("list", "")),
        since=filters.day("from", form.get("from", "")),
        until=filters.day("to", form.get("to", "")),
        reveal="reveal" in form,
    )
    with acting(context, visitor.member.caller) as session:
        made = audit.request(session, visitor.member.caller, new, context.clock()).id
    context.wake_exporter()
    return RedirectResponse(f"/console/exports/{made}", 303)


@router.get("/{export}", response_class=HTMLResponse)
def export(context: Context, request: Request, visitor: Watcher, export_id: Id) -> Response:
    """How far it is: the page, or for htmx that part of it which changes."""
    with context.database.reading() as session:
        found = audit.visible(session, visitor.member.caller, export_id)
    return page(request, "console/export.html", visitor, export=found)


@router.get("/{export}/file")
def file(context: Context, visitor: Auditor, export_id: Id) -> Response:
    """The file, to keep. Raises a 403, 404 or 410 problem."""
    with context.database.reading() as session:
        found = audit.visible(session, visitor.member.caller, export_id)
        audit.refuse_revealing(session, found)
    path = file_of(context.settings, found.id)
    if found.state is not State.READY or not path.exists():
        raise Problem("gone", "it is not ready, or no longer kept: exports are kept for a day")
    return FileResponse(path, media_type="application/zstd", filename=f"{found.id}.tar.zst")
