"""One's own account: passkeys, at least two of them, and being signed in elsewhere."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from app.core import signup
from app.identity import register
from app.identity.people import passkeys, sessions
from app.identity.people import service as people
from app.identity.permissions import Scope
from app.platform.context import Context
from app.web import signing
from app.web.access import Anyone, Sent
from app.web.edge import PageRoute
from app.web.pages import page
from app.web.signing import act

router = APIRouter(prefix="/console/account", route_class=PageRoute, include_in_schema=False)


@router.get("", response_class=HTMLResponse)
def account(context: Context, request: Request, visitor: Anyone) -> Response:
    """Passkeys with what the review body needs to certify them, and what they may do."""
    with context.database.reading() as session:
        mine = passkeys.in_force(session, visitor.member)
        certified = register.certified_kids(session, [one.kid for one in mine])
    shown = [(one, signup.fingerprint(one.kid), one.kid in certified) for one in mine]
    is_reviewer = bool({Scope.REVIEWS_WRITE, Scope.APPEALS_DECIDE} & visitor.member.caller.scopes)
    return page(request, "console/account.html", visitor, passkeys=shown, is_reviewer=is_reviewer)


@router.post("/passkeys/options")
def another_options(context: Context, visitor: Anyone, _form: Sent) -> Response:
    """First a passkey that is enrolled says that it is really this person."""
    return signing.options(context, visitor, act("passkey.add", session=visitor.session_id))


@router.post("/passkeys")
def another(context: Context, visitor: Anyone, form: Sent) -> Response:
    """On to the page of an invitation, for this device or another one."""
    person = visitor.member.person
    with context.database.writing() as session:
        signing.signed(context, session, visitor, form, act("passkey.add", session=visitor.session_id))
        token = people.invite_again(session, person.id, context.clock(), person.id)
    return RedirectResponse(f"/console/enrol#{token}", 303)


@router.post("/passkeys/{kid}/removal/options")
def removal_options(context: Context, visitor: Anyone, kid: str, _form: Sent) -> Response:
    """Step-up for a removal."""
    return signing.options(context, visitor, act("passkey.remove", kid=kid))


@router.post("/passkeys/{kid}/removal")
def removal(context: Context, visitor: Anyone, kid: str, form: Sent) -> Response:
    """Take a passkey out of use, and end what it may have begun elsewhere."""
    with context.database.writing() as session:
        signing.signed(context, session, visitor, form, act("passkey.remove", kid=kid))
        passkeys.remove(session, visitor.member, kid, context.clock())
        people.take_back(session, [visitor.member.person.id])
        sessions.end_others(session, visitor.member.person.id, visitor.session_id)
    return RedirectResponse("/console/account", 303)


@router.post("/sessions/end")
def end_others(context: Context, visitor: Anyone, _form: Sent) -> Response:
    """Sign out everywhere but here."""
    with context.database.writing() as session:
        sessions.end_others(session, visitor.member.person.id, visitor.session_id)
    return RedirectResponse("/console/account", 303)
