"""Lists: creating one, and reading what there is."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from app.identity.access import Access
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.lists import service
from app.lists.schemas import Lists, ListView, NewList
from app.platform.context import Context

router = APIRouter(prefix="/v1/lists", tags=["lists"])
Admin = Annotated[Caller, Depends(Access(Scope.ADMIN))]
Reader = Annotated[Caller, Depends(Access(Scope.LISTS_READ))]
Name = Annotated[str, Path(alias="list", max_length=63)]


@router.post("", status_code=201)
def create(context: Context, _caller: Admin, new: NewList, response: Response) -> ListView:
    """Create a list with its policy."""
    with context.database.writing() as session:
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
