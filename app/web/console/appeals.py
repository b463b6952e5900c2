"""Appeals that a body may decide: what each concerns, and the decision as a form that a passkey signs.

The address is shown on demand only, in a form that is no link. What is signed is the statement of
app/core/appeal over the entries as the form showed them; the rest is app/appeals/decisions.py's.
"""

import re
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError
from starlette.responses import Response

from app.appeals import decisions, service
from app.appeals.schemas import AppealView, NewDecision
from app.core import appeal as core
from app.core import url
from app.core.defang import defanged, unlinked
from app.core.reasons import without_addresses
from app.core.terms import AppealOutcome, OwnershipProof
from app.identity.access import acting
from app.identity.people import pace
from app.identity.people.pace import State
from app.identity.people.sessions import Visitor
from app.identity.permissions import Scope
from app.platform.context import Context, Platform
from app.platform.problems import FieldError, Problem
from app.web import signing
from app.web.access import Needs, Sent
from app.web.console import filters, plain
from app.web.console.deciding import typed_text
from app.web.console.filters import PER_PAGE
from app.web.console.pacing import Paced, Working
from app.web.edge import PageRoute
from app.web.pages import page
from app.web.signing import Statement

router = APIRouter(prefix="/console/appeals", route_class=PageRoute, include_in_schema=False)
Body = Annotated[Visitor, Depends(Needs(Scope.APPEALS_DECIDE))]
Id = Annotated[str, Path(alias="appeal", max_length=64)]
Short = Annotated[str, Query(max_length=64)]
_ID = re.compile(r"[0-9a-f-]{1,64}")
_UNSIGNED = "unsigned"
_WHERE = {
    OwnershipProof.DNS_TXT: "a TXT record of the host, named _wardlist-appeal, that holds",
    OwnershipProof.WELL_KNOWN: "plain text of the host at /.well-known/wardlist-appeal, that is",
}
_ELSEWHERE = ("not-found", "took-part", "appeal-decided", "unauthenticated")
"""Refusals after which there is no appeal to show the form with."""


@router.get("", response_class=HTMLResponse)
def appeals(
    context: Context, request: Request, visitor: Body, paced: Paced, cursor: Short = "", done: Short = ""
) -> Response:
    """What waits for this body, oldest first."""
    with context.database.reading() as session:
        found, following = service.queue(
            session, context.keyring, visitor.member.caller, filters.place(cursor), PER_PAGE
        )
    is_spent = paced is not None and paced.is_spent
    return page(
        request,
        "console/appeals.html",
        visitor,
        waiting=[] if is_spent else found,
        paced=paced,
        now=context.clock(),
        span=plain.span,
        is_signed=bool(done),
        next_page=None if is_spent else filters.next_page("/console/appeals", {}, following),
    )


@router.get("/{appeal}", response_class=HTMLResponse)
def appeal(context: Context, request: Request, visitor: Body, paced: Working, appeal_id: Id) -> Response:
    """An appeal without its address."""
    return _page(context, request, visitor, paced, appeal_id, {})


@router.get("/{appeal}/address", response_class=HTMLResponse)
def address(context: Context, request: Request, visitor: Body, _paced: Working, appeal_id: Id) -> Response:
    """The address, because somebody asked for it, and the statement if it names one."""
    with context.database.reading() as session:
        view = service.one(session, context.keyring, visitor.member.caller, appeal_id)
    is_less = _without_address(view) != view.statement
    return page(
        request,
        "console/address.html",
        visitor,
        title=f"Address of appeal {appeal_id[:8]}",
        back=f"/console/appeals/{appeal_id}",
        address=defanged(view.url),
        hosting_address=None,
        texts={"Statement": unlinked(view.statement)} if is_less else {},
    )


@router.post("/{appeal}/decision/options")
def options(context: Context, visitor: Body, _paced: Working, appeal_id: Id, form: Sent) -> Response:
    """What the passkey is asked to sign."""
    with context.database.reading() as session:
        view = service.one(session, context.keyring, visitor.member.caller, appeal_id)
    return signing.options(context, visitor, _statement(view, form, _decision(view, form)))


@router.post("/{appeal}/decision", response_class=HTMLResponse)
def decide(
    context: Context, request: Request, visitor: Body, paced: Paced, appeal_id: Id, form: Sent
) -> Response:
    """Take in the signed decision; what was upheld leaves its lists at once."""
    caller = visitor.member.caller
    try:
        with acting(context, caller) as session:
            now = context.clock()
            pace.decided(session, visitor.member, now)
            view = service.one(session, context.keyring, caller, appeal_id)
            new = _decision(view, form)
            made = signing.signed(context, session, visitor, form, _statement(view, form, new))
            signed = new.model_copy(update={"signature": made.token})
            decisions.decide(session, context.keyring, caller, appeal_id, signed, now)
    except Problem as problem:
        if problem.code in _ELSEWHERE:
            raise
        return _page(context, request, visitor, paced, appeal_id, form, problem)
    context.wake_publisher()
    return RedirectResponse("/console/appeals?done=yes", 303)


def _page(
    context: Platform,
    request: Request,
    visitor: Visitor,
    paced: State | None,
    appeal_id: str,
    typed: Mapping[str, str],
    fault: Problem | None = None,
) -> HTMLResponse:
    with context.database.reading() as session:
        view = service.one(session, context.keyring, visitor.member.caller, appeal_id)
    statement = _without_address(view)
    return page(
        request,
        "console/appeal.html",
        visitor,
        fault.status if fault else 200,
        appeal=view,
        statement=statement,
        is_less=statement != view.statement,
        where=_WHERE[view.proof] if view.proof else None,
        may_read=Scope.ENTRIES_READ in visitor.member.caller.scopes,
        scopes=plain.SCOPES,
        grounds={one.id: plain.ground(one.legal_ground) for one in view.entries},
        paced=paced,
        typed=typed,
        fault=fault,
    )


def _without_address(view: AppealView) -> str:
    return without_addresses(view.statement, url.host_of(view.url))


def _decision(view: AppealView, form: Mapping[str, str]) -> NewDecision:
    """The fields as the API has them, still unsigned. Raises a 422 problem that names each field at fault."""
    faults: list[FieldError] = []
    outcome = form.get("outcome", "")
    if outcome not in set(AppealOutcome):
        faults.append({"field": "outcome", "detail": "choose upheld or denied"})
    elif outcome == AppealOutcome.UPHELD and not view.entries:
        faults.append({"field": "outcome", "detail": "deny it: no entry covers this address"})
    try:
        new = NewDecision(
            outcome=AppealOutcome.DENIED if faults else AppealOutcome(outcome),
            reason=typed_text(form.get("reason", "")),
            ownership_confirmed=form.get("ownership_confirmed") == "yes",
            signature=_UNSIGNED,
        )
    except ValidationError:
        faults.append({"field": "reason", "detail": "write 1 to 4,000 characters of plain text, in words"})
    if faults:
        raise Problem("invalid-input", "something is missing in the form", faults)
    return new


def _statement(view: AppealView, form: Mapping[str, str], new: NewDecision) -> Statement:
    """What is signed names the entries that the form showed; deciding finds out whether they still fit."""
    shown = [one for one in form.get("entries", "").split() if _ID.fullmatch(one)]
    return lambda iat: core.statement(
        bytes.fromhex(view.appeal_key),
        appeal=view.log_id,
        entries=shown,
        iat=iat,
        outcome=new.outcome,
        reason=new.reason,
    )
