"""What internet providers call: snapshots, manifests, artefacts, deltas, the TUF repository, and receipts."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BeforeValidator

from app.core.manifest import Manifest
from app.distribution import addresses, receipts
from app.distribution.addresses import Address, Wanted
from app.distribution.answers import Ready, joined
from app.distribution.desk import READER, Asked, Desk
from app.distribution.schemas import NewReceipt, ReceiptView
from app.identity.access import Access, acting
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.lists import service as lists
from app.lists import snapshots
from app.lists.schemas import Snapshots, SnapshotView
from app.platform import paging
from app.platform.context import Context
from app.platform.problems import MEDIA_TYPE, Problem, ProblemDocument

_PLAIN = re.compile(r"0|[1-9][0-9]*")


def _plain(version: str) -> str:
    """One version has one address, so that what a proxy says of one by its address holds."""
    if not _PLAIN.fullmatch(version):
        raise ValueError("write the version in digits, as it is numbered")
    return version


router = APIRouter(tags=["distribution"])
Reader = Annotated[Caller, Depends(READER)]
Installer = Annotated[Caller, Depends(Access(Scope.RECEIPTS_WRITE))]
Name = Annotated[str, Path(alias="list", max_length=63)]
Version = Annotated[int, Path(ge=1, le=2**31 - 1), BeforeValidator(_plain)]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=1000)]
Prefer = Annotated[list[str] | None, Header(alias="Prefer")]

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
        "description": "Too many of yours wait, or you ask too often",
    }
}
GONE: Responses = {410: {"description": "No longer kept"}}
PARTIAL: Responses = {206: {"description": "A part of the file"}, 416: {"description": "It has no such part"}}


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


@router.get(Address.LATEST, response_model=Manifest, responses={**UNCHANGED, **TOO_MANY})
async def latest(
    request: Request,
    caller: Reader,
    name: Name,
    _if_none_match: IfNoneMatch = None,
    _prefer: Prefer = None,
) -> Response:
    """The newest version's manifest. Who has it can wait for the next: `Prefer: wait=N` (1 to 60 seconds)."""
    return await _answered(request, caller, Wanted(Address.LATEST, name))


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


@router.get(Address.SNAPSHOT, response_model=Manifest, responses=UNCHANGED)
async def one(
    request: Request, caller: Reader, name: Name, version: Version, _if_none_match: IfNoneMatch = None
) -> Response:
    """A version's manifest."""
    return await _answered(request, caller, Wanted(Address.SNAPSHOT, name, version))


@router.get(
    Address.JWS,
    response_class=Response,
    responses={200: {"content": {"application/jose": {}}, "description": "A compact JWS"}, **UNCHANGED},
)
async def manifest_jws(
    request: Request, caller: Reader, name: Name, version: Version, _if_none_match: IfNoneMatch = None
) -> Response:
    """The manifest as a compact JWS (ES256); its key is at /.well-known/jwks.json."""
    return await _answered(request, caller, Wanted(Address.JWS, name, version))


@router.get(Address.ARTEFACT, response_class=Response, responses=ARTEFACT | UNCHANGED | GONE | PARTIAL)
async def artefact(
    request: Request,
    caller: Reader,
    name: Name,
    version: Version,
    form: Annotated[str, Path(alias="format", max_length=20)],
    _if_none_match: IfNoneMatch = None,
) -> Response:
    """A version in one format."""
    return await _answered(request, caller, Wanted(Address.ARTEFACT, name, version, form))


@router.get(Address.DELTA, response_class=Response, responses=DELTA | UNCHANGED | GONE | PARTIAL)
async def delta(
    request: Request, caller: Reader, name: Name, version: Version, _if_none_match: IfNoneMatch = None
) -> Response:
    """The change from the version before to this one, removals as tombstones."""
    return await _answered(request, caller, Wanted(Address.DELTA, name, version))


@router.get(Address.ACCESS, status_code=204, response_class=Response, responses=GONE)
async def access(
    request: Request,
    caller: Reader,
    name: Name,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    whole: bool = False,
) -> Response:
    """Whether the caller may read the list's files, those of one version, and with `whole` the whole list.

    For a web server that serves the files itself. `X-Wardlist-View` says which of a list's two pointers is
    the caller's: `canary` or `all`.
    """
    return await _answered(request, caller, Wanted(Address.ACCESS, name, version or 0, is_whole=whole))


@router.get(Address.METADATA, response_class=Response, responses=METADATA | UNCHANGED)
async def metadata(request: Request, file: str, _if_none_match: IfNoneMatch = None) -> Response:
    """TUF metadata; public, it names lists and versions only."""
    if addresses.metadata(file) is None:
        raise Problem("not-found", "there is no metadata of this name")
    return Ready(await _desk(request).metadata(file, _asked(request)))


@router.get(Address.TARGET, response_class=Response, responses=FILE | UNCHANGED | PARTIAL)
async def target(
    request: Request,
    caller: Reader,
    path: Annotated[str, Path(max_length=300)],
    _if_none_match: IfNoneMatch = None,
) -> Response:
    """A TUF target by its consistent name; a list's needs a subscription."""
    wanted = addresses.target(path)
    if wanted is None:
        raise Problem("not-found", "there is no target of this name")
    return await _answered(request, caller, wanted)


async def _answered(request: Request, caller: Caller, wanted: Wanted) -> Response:
    return Ready(await _desk(request).answer(caller, wanted, _asked(request)))


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _asked(request: Request) -> Asked:
    return Asked(joined(request.scope["headers"]), request.receive)
