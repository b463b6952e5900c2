"""Who may see and change what a hotline has: its own people, by their scopes."""

from typing import Annotated

from fastapi import Depends

from app.core.terms import Kind
from app.identity.people.sessions import Visitor
from app.identity.permissions import Scope
from app.platform.problems import Problem
from app.web.access import Needs


def reader_of(visitor: Annotated[Visitor, Depends(Needs(Scope.ENTRIES_READ))]) -> Visitor:
    """Somebody of a hotline: review bodies may read entries too, but have none. Raises a 403 problem."""
    if visitor.member.caller.kind is not Kind.HOTLINE:
        raise Problem("forbidden", "this page is for people of hotlines")
    return visitor


def writes(visitor: Visitor) -> bool:
    """Whether forms that change an entry are of use to the visitor."""
    return Scope.ENTRIES_WRITE in visitor.member.caller.scopes


Reader = Annotated[Visitor, Depends(reader_of)]
Writer = Annotated[Visitor, Depends(Needs(Scope.ENTRIES_WRITE))]
"""Only hotlines may hold the scope."""
