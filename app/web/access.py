"""Who may open a page or send a form. Deny by default: each route of the console names its scopes here.

A form counts only from a page of this console: by the browser's own word (Sec-Fetch-Site, or Origin), by the
session's token in the form, and by a cookie that no other site's request carries. Sources: RFC 6265bis,
section 5.8.3; Fetch Metadata Request Headers; OWASP CSRF Prevention Cheat Sheet.
"""

import hmac
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response

from app.core.terms import Kind
from app.identity.people import sessions
from app.identity.people.passkeys import Site
from app.identity.people.sessions import Visitor
from app.identity.permissions import MAY_HOLD, Scope
from app.platform.context import Context, Platform
from app.platform.forms import FormReader
from app.platform.problems import Problem
from app.platform.rates import Rates

LARGEST_FORM = 64 * 1024
_FIELDS = 60
Form = Annotated[dict[str, str], Depends(FormReader(LARGEST_FORM, _FIELDS))]


class SignedOut(Exception):
    """Nobody is signed in: the page of signing in comes first."""


class Elsewhere(Exception):
    """The console was asked for under another name than its own."""


def site_of(context: Platform) -> Site:
    """Where the console is."""
    return Site(context.settings.console)


def here(request: Request, context: Context) -> Site:
    """The console under its own name, and not called from another site. Raises Elsewhere or a 403 problem."""
    site = site_of(context)
    if request.headers.get("host", "") != site.origin.partition("://")[2]:
        raise Elsewhere
    if request.method != "GET":
        _refuse_other_sites(request, site)
    return site


Here = Annotated[Site, Depends(here)]


def watcher_of(request: Request, context: Context, _site: Here) -> Visitor:
    """Who is signed in, when the browser asks by itself: that does not keep a session. Raises SignedOut."""
    token = request.cookies.get(cookie_name(context), "")
    with context.database.reading() as session:
        found = sessions.find(session, token, context.clock()) if token else None
    if found is None:
        raise SignedOut
    request.state.visitor, request.state.client_id = found, found.member.caller.client_id
    rates: Rates = request.app.state.rates
    rates.of_client(request.method, found.member.caller.client_id)
    return found


Watching = Annotated[Visitor, Depends(watcher_of)]


def visitor_of(context: Context, found: Watching) -> Visitor:
    """Who is signed in and does something now. Raises SignedOut."""
    if found.is_due:
        with context.database.writing() as session:
            sessions.touch(session, found.session_id, context.clock())
    return found


Anyone = Annotated[Visitor, Depends(visitor_of)]


class Needs:
    """A page's rule: the person must hold one of these scopes, its organisation be of a kind that may."""

    def __init__(self, *scopes: Scope) -> None:
        self.scopes = frozenset(scopes)
        self.kinds = frozenset(kind for kind in Kind if MAY_HOLD[kind] & self.scopes)

    def __call__(self, visitor: Anyone) -> Visitor:
        """The visitor, when allowed. Raises a 403 problem."""
        return self.allowed(visitor)

    def allowed(self, visitor: Visitor) -> Visitor:
        """The same of somebody known. Raises a 403 problem."""
        caller = visitor.member.caller
        if caller.kind not in self.kinds or not caller.scopes & self.scopes:
            raise Problem("forbidden", "ask the operator for the right to do this")
        return visitor


class Watches(Needs):
    """The rule of what a page asks for again by itself, without its person: a stream, how far a job is."""

    def __call__(self, visitor: Watching) -> Visitor:
        """The visitor, when allowed. Raises a 403 problem."""
        return self.allowed(visitor)


Operator = Annotated[Visitor, Depends(Needs(Scope.ADMIN))]
"""Only operators may hold the scope."""


def sent(visitor: Anyone, form: Form) -> dict[str, str]:
    """The fields of a form of this session. Raises a 403 problem."""
    if not hmac.compare_digest(form.pop("csrf", "").encode(), visitor.csrf.encode()):
        raise Problem("forbidden", "the form is of another session; open the page again")
    return form


Sent = Annotated[dict[str, str], Depends(sent)]


def cookie_name(context: Platform, what: str = "wardlist") -> str:
    """With the prefix that binds a cookie to this host and to TLS, where there is TLS."""
    return f"__Host-{what}" if context.settings.console.startswith("https://") else what


def set_cookie(response: Response, context: Platform, value: str, what: str = "wardlist") -> None:
    """A cookie that scripts do not read and other sites' requests do not carry; it ends with the browser."""
    response.set_cookie(value=value, **_cookie(context, what))


def drop_cookie(response: Response, context: Platform, what: str = "wardlist") -> None:
    """Have the browser forget it."""
    response.delete_cookie(**_cookie(context, what))


def _cookie(context: Platform, what: str) -> dict[str, Any]:
    is_secure = context.settings.console.startswith("https://")
    name = cookie_name(context, what)
    return {"key": name, "path": "/", "secure": is_secure, "httponly": True, "samesite": "strict"}


def _refuse_other_sites(request: Request, site: Site) -> None:
    said = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    is_ours = said in (None, "same-origin") and origin in (None, site.origin)
    if not is_ours or (said is None and origin is None):
        raise Problem("forbidden", "this was sent from another site; open the console and do it there")
