"""Coverage of a list, for operators and auditors."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from app.distribution import coverage
from app.distribution.schemas import Coverage
from app.identity.access import Access
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.lists import service as lists
from app.platform.context import Context

router = APIRouter(tags=["distribution"])
Overseer = Annotated[Caller, Depends(Access(Scope.AUDIT_READ, Scope.ADMIN))]


@router.get("/v1/lists/{list}/coverage")
def covered(
    context: Context, caller: Overseer, name: Annotated[str, Path(alias="list", max_length=63)]
) -> Coverage:
    """What became of a list at its subscribers, by their receipts."""
    with context.database.reading() as session:
        lists.visible(session, caller, name)
        return coverage.of_list(session, name, context.clock())
