"""Exports: ask, watch, take. Quality figures."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import FileResponse

from app.audit import quality, service
from app.audit.exporter import file_of
from app.audit.models import State
from app.audit.quality import Asked
from app.audit.schemas import ExportView, NewExport, QualityView
from app.identity.access import Access, acting
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.platform.clock import Moment
from app.platform.context import Context
from app.platform.problems import MEDIA_TYPE, Problem, ProblemDocument

router = APIRouter(prefix="/v1/audit", tags=["audit"])
PROBLEM: dict[str, Any] = {"model": ProblemDocument, "content": {MEDIA_TYPE: {}}}
Auditor = Annotated[Caller, Depends(Access(Scope.AUDIT_READ))]


@router.post(
    "/exports", status_code=202, responses={429: {**PROBLEM, "description": "Three of yours wait already"}}
)
def request_export(context: Context, caller: Auditor, new: NewExport, response: Response) -> ExportView:
    """Ask for an export; it is made in the background, and the asking is on the record."""
    with acting(context, caller) as session:
        view = service.view(service.request(session, caller, new, context.clock()))
    response.headers["Location"] = f"/v1/audit/exports/{view.id}"
    context.wake_exporter()
    return view


@router.get(
    "/exports/{export}",
    response_model=ExportView,
    responses={
        200: {"content": {"application/zstd": {}}, "description": "The export, a .tar.zst; Range is served"},
        206: {"content": {"application/zstd": {}}, "description": "The part asked for"},
        410: {**PROBLEM, "description": "Exports are made within a day, and kept for one"},
        416: {"description": "There is no such part"},
        202: {"model": ExportView, "description": "Not ready yet"},
    },
)
def export(
    context: Context, caller: Auditor, export_id: Annotated[str, Path(alias="export", max_length=64)]
) -> Response:
    """The export's progress (202) until it is ready, then the file itself (200, or 206 for a Range)."""
    with context.database.reading() as session:
        found = service.visible(session, caller, export_id)
        service.refuse_revealing(session, found)
    if found.state is State.WAITING:
        body = service.view(found).model_dump_json()
        return Response(body, 202, {"Retry-After": "1"}, media_type="application/json")
    path = file_of(context.settings, found.id)
    if found.state is State.GONE or not path.exists():
        raise Problem("gone", "exports are made within a day, and kept for one; ask for a new one")
    headers = {"ETag": f'"{found.id}"', "Cache-Control": "private"}
    return FileResponse(path, headers=headers, media_type="application/zstd", filename=f"{found.id}.tar.zst")


figures = APIRouter(prefix="/v1/quality", tags=["audit"])


@figures.get("")
def quality_figures(
    context: Context,
    _caller: Auditor,
    in_list: Annotated[str | None, Query(alias="list", max_length=63)] = None,
    since: Annotated[Moment | None, Query(alias="from")] = None,
    until: Annotated[Moment | None, Query(alias="to")] = None,
) -> QualityView:
    """How often each hotline and review body was wrong, and how long it took; ids only, no names."""
    with context.database.reading() as session:
        return quality.view(session, Asked(in_list, since, until))
