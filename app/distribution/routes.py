"""What internet providers call: snapshots, manifests, artefacts, deltas, the TUF repository, and receipts."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from app.core import preference
from app.core.manifest import Manifest
from app.distribution import receipts, service
from app.distribution.schemas import NewReceipt, ReceiptView
from app.distribution.service import Download
from app.identity.access import Access, acting
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.lists import service as lists
from app.lists import snapshots
from app.lists.models import Snapshot
from app.lists.repository import Repository
from app.lists.schemas import Snapshots, SnapshotView
from app.platform import paging
from app.platform.context import Context, Platform
from app.platform.problems import MEDIA_TYPE, Problem, ProblemDocument

router = APIRouter(tags=["distribution"])
Reader = Annotated[Caller, Depends(Access(Scope.LISTS_READ))]
Installer = Annotated[Caller, Depends(Access(Scope.RECEIPTS_WRITE))]
Name = Annotated[str, Path(alias="list", max_length=63)]
Version = Annotated[int, Path(ge=1, le=2**31 - 1)]
IfNoneMatch = Annotated[str | None, Header(max_length=1000)]
Prefer = Annotated[list[str] | None, Header()]

IMMUTABLE = "private, max-age=31536000, immutable"
REVALIDATE = "private, no-cache"
Responses = dict[int | str, dict[str, Any]]
LINES = "application/jsonl"
FILE: Responses = {200: {"content": {"application/octet-stream": {}}, "description": "The file"}}
ARTEFACT: Responses = {200: {"content": {LINES: {}, "text/csv": {}}, "description": "The file"}}
DELTA: Responses = {200: {"content": {LINES: {}}, "description": "The file"}}
METADATA: Responses = {200: {"content": {"application/json": {}}, "description": "TUF metadata"}}
UNCHANGED: Responses = {304: {"description": "You have this already"}}
TOO_MANY: Responses = {
    429: {
        "model": ProblemDocument,
        "content": {MEDIA_TYPE: {}},
        "description": "Too many of yours wait",
    }
}
GONE: Responses = {410: {"description": "No longer kept"}}


@router.get("/v1/lists/{list}/snapshots")
def every(
    context: Context,
    caller: Reader,
    name: Name,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Snapshots:
    """The list's versions, newest first."""
    before = paging.place(cursor)
    with context.database.reading() as session:
        lists.visible(session, caller, name)
        found = snapshots.page(session, caller, name, before, limit + 1)
    views = [SnapshotView.model_validate(one.model_dump()) for one in found[:limit]]
    following = paging.cursor(found[limit - 1].version) if len(found) > limit else None
    if following:
        path = f"/v1/lists/{name}/snapshots"
        response.headers["Link"] = paging.next_link(path, {"limit": limit}, following)
    return Snapshots(snapshots=views, next_cursor=following)


@router.get("/v1/lists/{list}/snapshots/latest", response_model=Manifest, responses={**UNCHANGED, **TOO_MANY})
async def latest(
    request: Request,
    context: Context,
    caller: Reader,
    name: Name,
    if_none_match: IfNoneMatch = None,
    prefer: Prefer = None,
) -> Response:
    """The newest version's manifest. Who has it can wait for the next: `Prefer: wait=N` (1 to 60 seconds)."""
    seconds = preference.wait_seconds(prefer or ()) if if_none_match else None
    if seconds is None:
        return await run_in_threadpool(_manifest, context, caller, name, None, if_none_match)

    def is_news(found: Snapshot) -> bool:
        return not _has(if_none_match, _etag(found))

    found = await request.app.state.waiting_room.for_news(request, caller, name, is_news, seconds)
    answer = _shaped(found, REVALIDATE, if_none_match)
    answer.headers["Preference-Applied"] = f"wait={seconds}"
    return answer


@router.post(
    "/v1/lists/{list}/receipts",
    status_code=201,
    responses={200: {"model": ReceiptView, "description": "Known already"}},
)
def receive(
    context: Context, caller: Installer, name: Name, new: NewReceipt, response: Response
) -> ReceiptView:
    """Say, signed, what became of a version. A canary's `failed` takes the version's additions back."""
    with acting(context, caller) as session:
        taken, is_new = receipts.take_in(session, caller, name, new, context.clock())
        view = ReceiptView.model_validate(taken, from_attributes=True)
    response.status_code = 201 if is_new else 200
    context.wake_publisher()
    return view


@router.get("/v1/lists/{list}/snapshots/{version}", response_model=Manifest, responses=UNCHANGED)
def one(
    context: Context, caller: Reader, name: Name, version: Version, if_none_match: IfNoneMatch = None
) -> Response:
    """A version's manifest."""
    return _manifest(context, caller, name, version, if_none_match)


@router.get(
    "/v1/lists/{list}/snapshots/{version}/manifest.jws",
    response_class=Response,
    responses={200: {"content": {"application/jose": {}}, "description": "A compact JWS"}, **UNCHANGED},
)
def manifest_jws(
    context: Context, caller: Reader, name: Name, version: Version, if_none_match: IfNoneMatch = None
) -> Response:
    """The manifest as a compact JWS (ES256); its key is at /.well-known/jwks.json."""
    with context.database.reading() as session:
        found = service.snapshot(session, caller, name, version)
    headers = {"ETag": f'"{name}-{version}-jws"', "Cache-Control": IMMUTABLE, "Vary": "Authorization"}
    if _has(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(found.manifest_jws or "", headers=headers, media_type="application/jose")


@router.get(
    "/v1/lists/{list}/snapshots/{version}/{format}",
    response_class=FileResponse,
    responses=ARTEFACT | UNCHANGED | GONE,
)
def artefact(
    context: Context,
    caller: Reader,
    name: Name,
    version: Version,
    form: Annotated[str, Path(alias="format", max_length=20)],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """A version in one format."""
    with context.database.reading() as session:
        found = service.artefact(session, _repository(context), caller, name, version, form)
    return _file(found, if_none_match)


@router.get(
    "/v1/lists/{list}/deltas/{version}", response_class=FileResponse, responses=DELTA | UNCHANGED | GONE
)
def delta(
    context: Context, caller: Reader, name: Name, version: Version, if_none_match: IfNoneMatch = None
) -> Response:
    """The change from the version before to this one, removals as tombstones."""
    with context.database.reading() as session:
        found = service.delta(session, _repository(context), caller, name, version)
    return _file(found, if_none_match)


@router.get("/tuf/metadata/{file}", response_class=Response, responses=METADATA | UNCHANGED)
def metadata(
    context: Context,
    file: Annotated[str, Path(max_length=120, pattern=r"^([0-9]+\.[a-z0-9-]+|timestamp)\.json$")],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """TUF metadata; public, it names lists and versions only."""
    try:
        body = (_repository(context).metadata / file).read_bytes()
    except OSError:
        raise Problem("not-found", "there is no metadata of this name") from None
    etag = f'"{hashlib.sha256(body).hexdigest()}"'
    lasting = "no-cache" if file == "timestamp.json" else "public, max-age=31536000, immutable"
    headers = {"ETag": etag, "Cache-Control": lasting}
    if _has(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


@router.get("/tuf/targets/{path:path}", response_class=FileResponse, responses=FILE | UNCHANGED)
def target(
    context: Context,
    caller: Reader,
    path: Annotated[str, Path(max_length=300)],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """A TUF target by its consistent name; a list's needs a subscription."""
    with context.database.reading() as session:
        found = service.target(session, _repository(context), caller, path)
    return _file(found, if_none_match)


def _manifest(
    context: Platform, caller: Caller, name: str, version: int | None, if_none_match: str | None
) -> Response:
    with context.database.reading() as session:
        found = service.snapshot(session, caller, name, version)
    return _shaped(found, IMMUTABLE if version else REVALIDATE, if_none_match)


def _shaped(found: Snapshot, lasting: str, if_none_match: str | None) -> Response:
    headers = {
        "ETag": _etag(found),
        "Cache-Control": lasting,
        "Vary": "Authorization",
        "Content-Location": f"/v1/lists/{found.list}/snapshots/{found.version}",
    }
    if _has(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(found.manifest or b"", headers=headers, media_type="application/json")


def _etag(found: Snapshot) -> str:
    return f'"{found.list}-{found.version}"'


def _file(found: Download, if_none_match: str | None) -> Response:
    headers = {"ETag": found.etag, "Cache-Control": IMMUTABLE, "Vary": "Authorization"}
    if _has(if_none_match, found.etag):
        return Response(status_code=304, headers=headers)
    return FileResponse(found.path, headers=headers, media_type=found.media_type)


def _has(if_none_match: str | None, etag: str) -> bool:
    """RFC 9110 section 13.1.2, weak comparison."""
    if if_none_match is None:
        return False
    offered = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in offered or "*" in offered


def _repository(context: Platform) -> Repository:
    return Repository(context.settings.public, context.settings.keys)
