"""Lists: creating one, and reading what there is."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from app.core.policy import Policy
from app.entries import collateral
from app.identity.access import Access, acting
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.lists import brakes, protection, sealing, service
from app.lists.models import ListPolicy
from app.lists.repository import Repository
from app.lists.schemas import (
    BrakeView,
    Lists,
    ListView,
    NewList,
    PolicyChange,
    PolicyView,
    ProtectedHosts,
    ProtectedView,
    Release,
)
from app.platform.context import Context

router = APIRouter(prefix="/v1/lists", tags=["lists"])
Admin = Annotated[Caller, Depends(Access(Scope.ADMIN))]
Reader = Annotated[Caller, Depends(Access(Scope.LISTS_READ))]
Name = Annotated[str, Path(alias="list", max_length=63)]


@router.post("", status_code=201)
def create(context: Context, caller: Admin, new: NewList, response: Response) -> ListView:
    """Create a list with its policy."""
    with acting(context, caller) as session:
        view = service.view(session, service.create(session, new, context.clock()))
    context.wake_publisher()
    response.headers["Location"] = f"/v1/lists/{view.name}"
    return view


@router.get("")
def every(context: Context, caller: Reader) -> Lists:
    """The lists the caller may know of; a provider sees those it subscribes to."""
    with context.database.reading() as session:
        return Lists(lists=[service.view(session, found) for found in service.all_visible(session, caller)])


@router.get("/{list}")
def one(context: Context, caller: Reader, name: Name) -> ListView:
    """One list and its policy."""
    with context.database.reading() as session:
        return service.view(session, service.visible(session, caller, name))


@router.get(
    "/{list}/keys",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "An age file"}},
)
def keys(context: Context, caller: Reader, name: Name) -> Response:
    """Match keys and canary entries of the caller's organisation, sealed to its age recipients."""
    repository = Repository(context.settings.public, context.settings.keys)
    with context.database.reading() as session:
        body = sealing.own_part(session, repository, caller, name)
    headers = {"Cache-Control": "private, no-store", "Vary": "Authorization"}
    return Response(body, headers=headers, media_type="application/octet-stream")


@router.get("/{list}/policy")
def policy(
    context: Context,
    caller: Reader,
    name: Name,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> PolicyView:
    """A version of the list's policy, the one in force without `version`."""
    with context.database.reading() as session:
        service.visible(session, caller, name)
        return _policy_view(service.policy_version(session, name, version))


@router.put("/{list}/policy")
def change_policy(context: Context, caller: Admin, name: Name, change: PolicyChange) -> PolicyView:
    """Put the next version of the policy in force; it is logged whole."""
    with acting(context, caller) as session:
        service.visible(session, caller, name)
        changed = service.change_policy(session, caller, name, change, context.clock())
        view = _policy_view(changed)
    context.wake_publisher()
    return view


@router.get("/{list}/protected-hosts")
def protected(context: Context, caller: Admin, name: Name) -> ProtectedView:
    """What the list protects."""
    with context.database.reading() as session:
        service.visible(session, caller, name)
        return ProtectedView(hosts=protection.names(session, name), listed_entries=[])


@router.put("/{list}/protected-hosts")
def protect(context: Context, caller: Admin, name: Name, wanted: ProtectedHosts) -> ProtectedView:
    """Replace what the list protects; entries that cover it need a third body from now on."""
    with acting(context, caller) as session:
        service.visible(session, caller, name)
        now = context.clock()
        protection.replace(session, name, wanted.hosts, now)
        listed = collateral.protect(session, context.keyring.epochs, name, now)
        view = ProtectedView(hosts=protection.names(session, name), listed_entries=listed)
    context.wake_publisher()
    return view


@router.get("/{list}/brake")
def brake(context: Context, caller: Admin, name: Name) -> BrakeView:
    """Whether a version is held, why, and the exact difference."""
    with context.database.reading() as session:
        service.visible(session, caller, name)
        return brakes.view(session, name, context.clock())


@router.post("/{list}/brake/release")
def release(context: Context, caller: Admin, name: Name, word: Release | None = None) -> BrakeView:
    """Let the held difference out: one person each of two organisations."""
    with acting(context, caller) as session:
        now = context.clock()
        service.visible(session, caller, name)
        brakes.release(session, caller, name, word.difference_sha256 if word else None, now)
        view = brakes.view(session, name, now)
    context.wake_publisher()
    return view


def _policy_view(found: ListPolicy) -> PolicyView:
    policy = Policy.recorded(found.policy)
    return PolicyView(list=found.list, version=found.version, changed_at=found.changed_at, policy=policy)
