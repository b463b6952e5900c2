"""Who takes part: organisations with their clients and keys; suspended, readmitted, their flags cleared.

Programs' keys are registered by `wardlist client add` or `org admit`: their owners make them. Another
operator is added on the machine, not here: a brake's second word must be another organisation's.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from app.audit import flags
from app.core import signup
from app.core.terms import Kind
from app.entries.schemas import COUNTRIES
from app.identity import keys as all_keys
from app.identity import service as identity
from app.identity.access import acting
from app.identity.people import service as people
from app.platform.context import Context
from app.platform.problems import Problem, at_field
from app.web import signing
from app.web.access import Operator, Sent
from app.web.console import filters
from app.web.console.people import invites_for
from app.web.edge import PageRoute
from app.web.pages import page
from app.web.signing import Statement, act

router = APIRouter(prefix="/console/organisations", route_class=PageRoute, include_in_schema=False)
Id = Annotated[str, Path(alias="organisation", max_length=64)]
Place = Annotated[str, Query(max_length=64)]
_STANDINGS = {"suspend": True, "readmit": False}
_ADDED_HERE = tuple(kind for kind in Kind if kind is not Kind.OPERATOR)


@router.get("", response_class=HTMLResponse)
def everyone(context: Context, request: Request, visitor: Operator, cursor: Place = "") -> Response:
    """Organisations, a page at a time, and the flags of hotlines that were wrong too often."""
    with context.database.reading() as session:
        found = identity.organisations(session)
        raised = flags.every(session)
    names = {one.id: one.name for one in found}
    shown, following = filters.part(found, filters.place(cursor))
    members: dict[str, Any] = {
        "organisations": shown,
        "next_page": filters.next_page("/console/organisations", {}, following),
        "flags": raised,
        "names": names,
        "kinds": _ADDED_HERE,
    }
    return page(request, "console/organisations.html", visitor, **members)


@router.post("")
def add(context: Context, visitor: Operator, form: Sent) -> Response:
    """Register one. It can do nothing yet: nobody signs in for it, and no key is its."""
    kind = filters.word(Kind, "kind", form.get("kind", ""))
    country = form.get("country", "").strip().upper()
    if kind is None or country not in COUNTRIES:
        raise at_field("invalid-input", "country", "choose a kind, and write the country's two letters")
    if kind not in _ADDED_HERE:
        raise Problem("forbidden", "another operator is added by `wardlist org add` on the machine")
    with acting(context, visitor.member.caller) as session:
        made = identity.add_organisation(session, kind, form.get("name", ""), country, context.clock()).id
    return RedirectResponse(f"/console/organisations/{made}", 303)


@router.get("/{organisation}", response_class=HTMLResponse)
def one(
    context: Context, request: Request, visitor: Operator, organisation_id: Id, cursor: Place = ""
) -> Response:
    """One with its clients, programs and people alike, and their keys, retired ones too."""
    with context.database.reading() as session:
        found = identity.organisation(session, organisation_id)
        clients = [client for client, _ in identity.clients(session, organisation_id)]
        keys = all_keys.ever(session, organisation_id)
        names = {person.client_id: person.name for person, _, _ in people.every(session, organisation_id)}
    shown, following = filters.part(clients, filters.place(cursor))
    members: dict[str, Any] = {
        "organisation": found,
        "clients": shown,
        "next_page": filters.next_page(f"/console/organisations/{found.id}", {}, following),
        "names": names,
        "keys": keys,
        "fingerprint": signup.fingerprint,
        "may_invite": found.suspended_at is None and invites_for(visitor, found),
    }
    return page(request, "console/organisation.html", visitor, **members)


@router.post("/{organisation}/standing/options")
def standing_options(context: Context, visitor: Operator, organisation_id: Id, form: Sent) -> Response:
    """The passkey signs whom, and which of both."""
    return signing.options(context, visitor, _standing(organisation_id, form))


@router.post("/{organisation}/standing")
def standing(context: Context, visitor: Operator, organisation_id: Id, form: Sent) -> Response:
    """Suspend or readmit, from the next request on."""
    statement = _standing(organisation_id, form)
    with acting(context, visitor.member.caller) as session:
        signing.signed(context, session, visitor, form, statement)
        if organisation_id == visitor.member.organisation.id:
            raise at_field("invalid-input", "organisation", "another operator must suspend your own")
        suspends = _STANDINGS[form["standing"]]
        identity.suspend_organisation(session, organisation_id, suspends, context.clock())
    context.wake_publisher()
    return RedirectResponse(f"/console/organisations/{organisation_id}", 303)


@router.post("/{organisation}/flag")
def clear(context: Context, visitor: Operator, organisation_id: Id, form: Sent) -> Response:
    """A flag was dealt with; only further upheld appeals raise it again."""
    with acting(context, visitor.member.caller) as session:
        flags.clear(session, organisation_id, form.get("list", ""), context.clock())
    return RedirectResponse("/console/organisations", 303)


def _standing(organisation: str, form: dict[str, str]) -> Statement:
    wanted = form.get("standing", "")
    if wanted not in _STANDINGS:
        raise at_field("invalid-input", "standing", "suspend or readmit")
    return act(f"organisation.{wanted}", organisation=organisation)
