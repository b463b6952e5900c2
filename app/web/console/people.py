"""People of every organisation: invited, invited again, and gone; each step signed by a passkey.

An operator gets no passkey of another operator's people, who would then give that one's word for a brake.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from app.core.terms import Kind
from app.identity import service as identity
from app.identity.access import acting
from app.identity.models import Organisation
from app.identity.people import service as people
from app.identity.people.sessions import Visitor
from app.identity.permissions import MAY_HOLD, Scope
from app.platform.context import Context, Platform
from app.platform.problems import Problem, at_field
from app.web import signing
from app.web.access import Operator, Sent
from app.web.console import filters
from app.web.edge import PageRoute
from app.web.pages import page
from app.web.signing import Statement, act

router = APIRouter(prefix="/console/people", route_class=PageRoute, include_in_schema=False)
Id = Annotated[str, Path(alias="person", max_length=64)]
_FIELDS = ("lead", "name", "organisation")
_ENOUGH = 2
"""Passkeys: with one alone, its loss keeps somebody from work."""


def invites_for(visitor: Visitor, organisation: Organisation) -> bool:
    """Whether this operator may have passkeys enrolled for people of the organisation."""
    return organisation.kind is not Kind.OPERATOR or organisation.id == visitor.member.organisation.id


@router.get("", response_class=HTMLResponse)
def everybody(
    context: Context,
    request: Request,
    visitor: Operator,
    cursor: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Who signs in, a page at a time, and how many of them have too few passkeys."""
    with context.database.reading() as session:
        found = people.every(session)
    shown, following = filters.part(found, filters.place(cursor))
    members: dict[str, Any] = {
        "people": [(*row, invites_for(visitor, row[1])) for row in shown],
        "lacking": sum(count < _ENOUGH for _, _, count in found),
        "next_page": filters.next_page("/console/people", {}, following),
    }
    return page(request, "console/people.html", visitor, **members)


@router.get("/new/{organisation}", response_class=HTMLResponse)
def new(
    context: Context,
    request: Request,
    visitor: Operator,
    organisation_id: Annotated[str, Path(alias="organisation", max_length=64)],
) -> Response:
    """A form with the rights that people of this organisation may have."""
    with context.database.reading() as session:
        found = _invited_here(visitor, identity.organisation(session, organisation_id))
    return page(
        request, "console/person_new.html", visitor, organisation=found, scopes=sorted(MAY_HOLD[found.kind])
    )


@router.post("/invitation/options")
def invite_options(context: Context, visitor: Operator, form: Sent) -> Response:
    """The passkey signs who is invited, for whom and to what."""
    return signing.options(context, visitor, _invitation(form))


@router.post("/invitation", response_class=HTMLResponse)
def invite(context: Context, request: Request, visitor: Operator, form: Sent) -> Response:
    """A new person; the link is shown on this page and never again."""
    with acting(context, visitor.member.caller) as session:
        signing.signed(context, session, visitor, form, _invitation(form))
        owner = _invited_here(visitor, identity.organisation(session, form.get("organisation", "")))
        scopes, name, is_lead = _scopes(form), form.get("name", ""), form.get("lead") == "yes"
        by = visitor.member.person.id
        _, token = people.invite(session, owner.id, name, scopes, is_lead, context.clock(), by)
    return _link(context, request, visitor, token)


@router.post("/{person}/again/options")
def again_options(context: Context, visitor: Operator, person_id: Id, _form: Sent) -> Response:
    """The passkey signs who is invited again."""
    return signing.options(context, visitor, act("person.again", person=person_id))


@router.post("/{person}/again", response_class=HTMLResponse)
def again(context: Context, request: Request, visitor: Operator, person_id: Id, form: Sent) -> Response:
    """One more passkey for somebody, who lost the others."""
    with acting(context, visitor.member.caller) as session:
        signing.signed(context, session, visitor, form, act("person.again", person=person_id))
        _invited_here(visitor, people.member(session, person_id).organisation)
        token = people.invite_again(session, person_id, context.clock(), visitor.member.person.id)
    return _link(context, request, visitor, token)


@router.post("/{person}/end/options")
def end_options(context: Context, visitor: Operator, person_id: Id, _form: Sent) -> Response:
    """The passkey signs who leaves."""
    return signing.options(context, visitor, act("person.end", person=person_id))


@router.post("/{person}/end")
def end(context: Context, visitor: Operator, person_id: Id, form: Sent) -> Response:
    """Somebody leaves: signed out everywhere, passkeys and name gone."""
    with acting(context, visitor.member.caller) as session:
        signing.signed(context, session, visitor, form, act("person.end", person=person_id))
        if person_id == visitor.member.person.id:
            raise at_field("invalid-input", "person", "somebody else must end your own access")
        people.end(session, person_id, context.clock())
    return RedirectResponse("/console/people", 303)


def _invited_here(visitor: Visitor, organisation: Organisation) -> Organisation:
    """The organisation. Raises a 403 problem when its people are invited by itself, or on the machine."""
    if not invites_for(visitor, organisation):
        raise Problem("forbidden", "another operator's people are invited by itself, or on the machine")
    return organisation


def _invitation(form: dict[str, str]) -> Statement:
    said = {name: form.get(name, "") for name in _FIELDS}
    return act("person.invite", scopes=sorted(scope.value for scope in _scopes(form)), **said)


def _scopes(form: dict[str, str]) -> set[Scope]:
    """A field for each scope, so that each has its own box."""
    return {scope for scope in Scope if form.get(f"scope-{scope.value}") == "yes"}


def _link(context: Platform, request: Request, visitor: Visitor, token: str) -> Response:
    link = f"{context.settings.console}/console/enrol#{token}"
    return page(request, "console/invited.html", visitor, link=link)
