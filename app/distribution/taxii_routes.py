"""TAXII 2.1 for law enforcement and CERTs: discovery, one API root, and the lists that a caller may read.

Whoever comes has a Bearer token with the scope `indicators:read`; a list shows to its readers only
(app/lists/readers.py). Refusals are this service's problem documents: TAXII 2.1 leaves the form of an error's
body to the server (section 3.6). Every answer carries `Cache-Control: no-store`.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel import Session

from app.distribution import taxii, taxii_filters
from app.distribution.taxii import Page
from app.distribution.taxii_schemas import (
    MEDIA_TYPE,
    ApiRoot,
    Collection,
    Collections,
    Discovery,
    Envelope,
    ManifestPage,
    ManifestRecord,
    Versions,
)
from app.identity.access import Access
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.lists.models import BlockList
from app.platform.context import Context, Platform
from app.platform.problems import MEDIA_TYPE as PROBLEM
from app.platform.problems import Problem, ProblemDocument

ROOT = "/taxii2/lists/"
COLLECTION = ROOT + "collections/{collection}/"
OBJECT = COLLECTION + "objects/{object}/"
Parameters = dict[str, str | None]
_TAKEN = frozenset({"application/taxii+json", "application/*", "*/*"})


class Taxii(JSONResponse):
    """An answer in TAXII's media type, for nobody's cache."""

    media_type = MEDIA_TYPE

    @classmethod
    def of(cls, resource: BaseModel, page: Page | None = None) -> "Taxii":
        """A resource, without the members it does not have, and the dates of what is on its page."""
        made = cls(resource.model_dump(exclude_none=True), headers={"Cache-Control": "no-store"})
        if page and page.items:
            made.headers["X-TAXII-Date-Added-First"] = _date(page.items[0].added_at)
            made.headers["X-TAXII-Date-Added-Last"] = _date(page.items[-1].added_at)
        return made


def _date(moment: datetime) -> str:
    """RFC 3339 with six digits (section 3.1)."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def takes_taxii(
    caller: Annotated[Caller, Depends(Access(Scope.INDICATORS_READ))],
    accept: Annotated[str | None, Header(alias="Accept")] = None,
) -> Caller:
    """The caller, one that takes TAXII 2.1. Raises a 406 problem."""
    if accept is None or any(_is_taken(part) for part in accept.split(",")):
        return caller
    raise Problem("not-acceptable", f"accept {MEDIA_TYPE}")


def _is_taken(part: str) -> bool:
    media_type, *rest = (word.strip().lower() for word in part.split(";"))
    parameters = dict(word.replace(" ", "").partition("=")[::2] for word in rest)
    is_wanted = parameters.get("q", "1").strip("0.") != ""
    version = parameters.get("version", "2.1").strip('"')
    return media_type in _TAKEN and version == "2.1" and is_wanted


def parameters(
    added_after: Annotated[str | None, Query()] = None,
    limit: Annotated[str | None, Query()] = None,
    following: Annotated[str | None, Query(alias="next")] = None,
    ids: Annotated[str | None, Query(alias="match[id]")] = None,
    types: Annotated[str | None, Query(alias="match[type]")] = None,
    versions: Annotated[str | None, Query(alias="match[version]")] = None,
    spec_versions: Annotated[str | None, Query(alias="match[spec_version]")] = None,
) -> Parameters:
    """What is asked for, by the names of TAXII: read once it is known that the collection is there."""
    return {
        "added_after": added_after,
        "limit": limit,
        "next": following,
        "match[id]": ids,
        "match[type]": types,
        "match[version]": versions,
        "match[spec_version]": spec_versions,
    }


Reader = Annotated[Caller, Depends(takes_taxii)]
Wanted = Annotated[str, Path(alias="collection", max_length=100)]
ObjectId = Annotated[str, Path(alias="object", max_length=200)]
Asked = Annotated[Parameters, Depends(parameters)]
router = APIRouter(
    tags=["taxii"],
    default_response_class=Taxii,
    responses={
        406: {"model": ProblemDocument, "content": {PROBLEM: {}}, "description": "Not in a form you take"}
    },
)


@router.get("/taxii2/", response_model=Discovery)
def discovery(context: Context, _caller: Reader) -> Response:
    """What this server has: one API root."""
    root = context.settings.address + ROOT
    return Taxii.of(Discovery(title="wardlist", default=root, api_roots=[root]))


@router.get(ROOT, response_model=ApiRoot)
def api_root(context: Context, _caller: Reader) -> Response:
    """The API root of all lists."""
    most = context.settings.max_body_bytes
    return Taxii.of(ApiRoot(title="Lists", versions=[MEDIA_TYPE], max_content_length=most))


@router.get(ROOT + "collections/", response_model=Collections)
def collections(context: Context, caller: Reader) -> Response:
    """The lists that you may read, by name."""
    with context.database.reading() as session:
        views = [_view(one) for one in taxii.collections(session, caller)]
    return Taxii.of(Collections(collections=views or None))


@router.get(COLLECTION, response_model=Collection)
def collection(context: Context, caller: Reader, wanted: Wanted) -> Response:
    """A list that you may read, by the collection's id or alias."""
    with context.database.reading() as session:
        return Taxii.of(_view(taxii.collection(session, caller, wanted)))


@router.get(COLLECTION + "objects/", response_model=Envelope)
def objects(context: Context, caller: Reader, wanted: Wanted, asked: Asked) -> Response:
    """A page of a list's indicators, in the order they were added; at most 1,000."""
    with context.database.reading() as session:
        return _envelope(context, session, *_page(context, session, caller, wanted, asked))


@router.get(OBJECT, response_model=Envelope)
def one_object(
    context: Context, caller: Reader, wanted: Wanted, object_id: ObjectId, asked: Asked
) -> Response:
    """The newest version of one object; no other is kept."""
    with context.database.reading() as session:
        return _envelope(context, session, *_page(context, session, caller, wanted, asked, object_id))


@router.get(OBJECT + "versions/", response_model=Versions)
def versions(context: Context, caller: Reader, wanted: Wanted, object_id: ObjectId, asked: Asked) -> Response:
    """When the version of an object that is kept was made."""
    asked = {**asked, "match[version]": None}
    with context.database.reading() as session:
        found, following = _page(context, session, caller, wanted, asked, object_id)
    there = [item.version for item in found.items] or None
    return Taxii.of(Versions(more=found.is_more, next=following, versions=there), found)


@router.get(COLLECTION + "manifest/", response_model=ManifestPage)
def manifest(context: Context, caller: Reader, wanted: Wanted, asked: Asked) -> Response:
    """A page of what `objects` holds, without its content."""
    with context.database.reading() as session:
        found, following = _page(context, session, caller, wanted, asked)
    records = [
        ManifestRecord(id=item.id, date_added=_date(item.added_at), version=item.version)
        for item in found.items
    ]
    return Taxii.of(ManifestPage(more=found.is_more, next=following, objects=records or None), found)


def _view(found: BlockList) -> Collection:
    return Collection(id=taxii.collection_id(found.name), title=found.title, alias=found.name)


def _page(
    context: Platform,
    session: Session,
    caller: Caller,
    wanted: str,
    asked: Parameters,
    object_id: str | None = None,
) -> tuple[Page, str | None]:
    """What is asked for of a collection, or of one object in it, and the `next` that leads on."""
    found, key = taxii.collection(session, caller, wanted), context.keyring.fingerprint
    filters = taxii_filters.read(asked, key, found.name)
    if object_id is not None:
        taxii.require_object(session, found, context.settings.address, object_id)
        filters = replace(filters, ids=frozenset({object_id}), types=None)
    page = taxii.page(session, found, context.settings.address, filters)
    last = page.items[-1].added_at if page.is_more else None
    return page, taxii_filters.following(key, found.name, last) if last else None


def _envelope(context: Platform, session: Session, page: Page, following: str | None) -> Response:
    made = taxii.objects(session, context.keyring.epochs, context.settings.address, page.items)
    return Taxii.of(Envelope(more=page.is_more, next=following, objects=made or None), page)
