"""Signing in with a passkey, enrolling the first one by an invitation, and signing out."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from app.identity.people import passkeys, sessions
from app.identity.people import service as people
from app.identity.people.service import digest
from app.platform.context import Context, Platform
from app.platform.problems import Problem
from app.platform.strangers import Strangers
from app.web import signing
from app.web.access import Anyone, Form, Here, Sent, cookie_name, drop_cookie, set_cookie
from app.web.edge import SIGN_IN, PageRoute
from app.web.menu import menu_of
from app.web.pages import page

router = APIRouter(prefix="/console", route_class=PageRoute, include_in_schema=False)
ASKED = "wardlist-asked"
"""The cookie that binds a challenge to the browser it was given to."""


@router.get("", response_class=HTMLResponse)
def home(visitor: Anyone) -> Response:
    """Where this person's work begins."""
    return RedirectResponse(menu_of(visitor)[0].path if menu_of(visitor) else "/console/account", 303)


@router.get("/sign-in", response_class=HTMLResponse)
def sign_in_page(request: Request, _site: Here) -> Response:
    """One button. Who is there, the passkey says."""
    return page(request, "console/sign_in.html")


@router.post("/sign-in/options")
def sign_in_options(context: Context, site: Here) -> Response:
    """A challenge for whoever is there, bound to this browser by a cookie."""
    held, asked = passkeys.ask_to_sign_in(_secret(context), site, context.clock())
    answer = signing.answer("", asked)
    set_cookie(answer, context, held, ASKED)
    return answer


@router.post("/sign-in", response_class=HTMLResponse)
def sign_in(context: Context, request: Request, site: Here, form: Form) -> Response:
    """Begin a session with a new cookie, whatever the browser sent before."""
    held = request.cookies.get(cookie_name(context, ASKED), "")
    with _few_strangers(context, request), context.database.writing() as session:
        now = context.clock()
        member = passkeys.sign_in(session, _secret(context), site, held, form.get("answer", ""), now)
        before = request.cookies.get(cookie_name(context))
        if before:
            sessions.end(session, digest(before))
        token = sessions.start(session, member.person.id, now)
    answer = RedirectResponse("/console", 303)
    set_cookie(answer, context, token)
    drop_cookie(answer, context, ASKED)
    return answer


@router.post("/sign-out")
def sign_out(context: Context, visitor: Anyone, _form: Sent) -> Response:
    """End the session here and now; the cookie is worth nothing any more."""
    with context.database.writing() as session:
        sessions.end(session, visitor.session_id)
    answer = RedirectResponse(SIGN_IN, 303)
    drop_cookie(answer, context)
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@router.get("/enrol", response_class=HTMLResponse)
def enrol_page(request: Request, _site: Here) -> Response:
    """The page of an invitation. Its token stands after the `#`, which no server or log gets to see."""
    return page(request, "console/enrol.html")


@router.post("/enrol/options")
def enrol_options(context: Context, request: Request, site: Here, form: Form) -> Response:
    """What the browser needs to make the first passkey."""
    token = form.get("invitation", "")
    with _few_strangers(context, request), context.database.writing() as session:
        now = context.clock()
        _, member = people.invited(session, token, now)
        asked = passkeys.ask_to_enrol(session, site, member, digest(token), now)
    return signing.answer(*asked)


@router.post("/enrol", response_class=HTMLResponse)
def enrol(context: Context, request: Request, site: Here, form: Form) -> Response:
    """Take in the passkey; the invitation is used up with it."""
    token = form.get("invitation", "")
    with _few_strangers(context, request), context.database.writing() as session:
        now = context.clock()
        invitation, member = people.invited(session, token, now)
        asked, said = form.get("ceremony", ""), form.get("answer", "")
        made = passkeys.enrol(session, site, member, asked, digest(token), said, form.get("label", ""), now)
        people.use_up(session, invitation, now)
    return page(request, "console/enrolled.html", made=made, member=member)


def _secret(context: Platform) -> bytes:
    return str(context.keyring.token["d"]).encode()


@contextmanager
def _few_strangers(context: Platform, request: Request) -> Iterator[None]:
    """Whoever sends too much that does not verify is not looked at for a while. Raises a 429 problem."""
    strangers: Strangers = request.app.state.console_strangers
    address, now = request.client.host if request.client else "", context.clock().timestamp()
    strangers.admit(address, now)
    try:
        yield
    except Problem:
        strangers.count(address, now)
        raise
