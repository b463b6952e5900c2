"""A reviewer's pace: how far today's work is, what the body asks for, and an end of it for today.

Time counts by the pages of review that a person of a review body opens; hotlines have no pace. Only a person
sees its own state. What the numbers mean: app/identity/people/pace.py.
"""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from app.core.terms import Kind
from app.identity.access import acting
from app.identity.people import pace
from app.identity.people.pace import BOUNDS, Limits, Spent, State
from app.identity.people.sessions import Visitor
from app.identity.permissions import Scope
from app.platform.context import Context, Platform
from app.platform.problems import Problem
from app.web.access import Anyone, Needs, Sent
from app.web.edge import PageRoute
from app.web.pages import page

router = APIRouter(prefix="/console/pace", route_class=PageRoute, include_in_schema=False)
Reviewer = Annotated[Visitor, Depends(Needs(Scope.REVIEWS_WRITE, Scope.APPEALS_DECIDE))]
_LONGEST_NUMBER = 6


def state_of(context: Context, visitor: Anyone) -> State | None:
    """Where somebody of a review body stands, who does something now; None of everybody else."""
    member = visitor.member
    if member.caller.kind is not Kind.REVIEW_BODY:
        return None
    with context.database.reading() as session:
        found = pace.state(session, member, context.clock())
    if found.is_due:
        with context.database.writing() as session:
            pace.seen(session, member, context.clock())
    return found


Paced = Annotated[State | None, Depends(state_of)]


def working(paced: Paced) -> State | None:
    """The same, with work left for today. Raises Spent."""
    if paced and paced.is_spent:
        raise Spent
    return paced


Working = Annotated[State | None, Depends(working)]
"""Of a page that shows one more entry, or asks for a signature."""


@router.get("", response_class=HTMLResponse)
def own_pace(context: Context, request: Request, visitor: Reviewer) -> Response:
    """One's own day, and for a lead the form that sets everybody's."""
    return _page(context, request, visitor, {})


@router.post("", response_class=HTMLResponse)
def change(context: Context, request: Request, visitor: Reviewer, form: Sent) -> Response:
    """A lead sets the pace of the whole body; what is wrong is said in the form."""
    try:
        wanted = Limits(**{name: _number(form.get(name, "")) for name in BOUNDS})
        with acting(context, visitor.member.caller) as session:
            pace.set_limits(session, visitor.member, wanted)
    except Problem as problem:
        if not problem.errors:
            raise
        return _page(context, request, visitor, form, problem)
    return RedirectResponse("/console/pace", 303)


def _number(text: str) -> int:
    """A whole number; -1, which is out of any bounds, for what is none."""
    is_one = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_one else -1


def _page(
    context: Platform,
    request: Request,
    visitor: Visitor,
    typed: dict[str, str],
    problem: Problem | None = None,
) -> HTMLResponse:
    with context.database.reading() as session:
        state = pace.state(session, visitor.member, context.clock())
    members: dict[str, Any] = {
        "state": state,
        "bounds": BOUNDS,
        "typed": {**asdict(state.limits), **{name: typed[name] for name in BOUNDS if name in typed}},
        "faults": {error["field"]: error["detail"] for error in problem.errors} if problem else {},
    }
    return page(request, "console/pace.html", visitor, problem.status if problem else 200, **members)
