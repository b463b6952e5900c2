"""Who may call a route. Deny by default: each route names its scope here or is listed as public.

Source: RFC 6750 (bearer tokens), RFC 9110 section 11.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlmodel import Session

from app.core.terms import Kind
from app.identity import service
from app.identity.gate import Gate, ended, unauthenticated
from app.identity.permissions import MAY_HOLD, Scope
from app.identity.service import Caller
from app.platform.context import Context, Platform
from app.platform.problems import Problem
from app.platform.rates import Rates

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def caller_of(request: Request, context: Context, credentials: Credentials) -> Caller:
    """The caller behind the bearer token. Raises a 401 or 429 problem."""
    if len(request.headers.getlist("authorization")) > 1:
        raise unauthenticated("send one Authorization field", "")
    if credentials is None:
        raise unauthenticated("send an access token as `Authorization: Bearer ...`", "")
    gate: Gate = request.app.state.gate
    address = request.client.host if request.client else ""
    token = gate.admit(credentials.credentials.encode("latin-1"), address, context.clock().timestamp())
    with context.database.reading() as session:
        caller = service.caller(session, token.client_id, token.scopes)
    if caller is None:
        raise ended()
    request.state.client_id = caller.client_id
    rates: Rates = request.app.state.rates
    request.state.rate_fields = rates.of_client(request.method, caller.client_id)
    return caller


class Access:
    """A route's rule: the token must hold one of these scopes, its organisation be of a kind that may."""

    def __init__(self, *scopes: Scope) -> None:
        self.scopes = frozenset(scopes)
        self.kinds = frozenset(kind for kind in Kind if MAY_HOLD[kind] & self.scopes)

    def __call__(self, caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
        """The caller, when allowed. Raises a 403 problem."""
        if caller.kind not in self.kinds or not caller.scopes & self.scopes:
            needed = " or ".join(sorted(self.scopes))
            raise Problem(
                "forbidden",
                f"this needs the scope {needed} and a kind of organisation that may hold it",
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
            )
        return caller


@contextmanager
def acting(context: Platform, caller: Caller) -> Iterator[Session]:
    """One transaction by this caller, who is in force still: it may have waited for another writer.

    Raises a 401 problem.
    """
    with context.database.writing() as session:
        refuse_ended(session, caller)
        yield session


def refuse_ended(session: Session, caller: Caller) -> None:
    """For a request that took its time: the caller is in force still. Raises the 401 problem of a new one."""
    if service.active(session, caller.client_id) is None:
        raise ended()
