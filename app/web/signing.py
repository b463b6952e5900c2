"""Having a passkey sign: a decision, or a dangerous act that must be meant (step-up).

A page's form names, in `data-options`, the address that asks: it gets the same fields, makes the statement
from them and answers with the options for the browser. The form itself then carries `ceremony` and `answer`,
and the statement is made again from the fields that came: an answer to another one does not hold.
"""

from collections.abc import Callable
from typing import Any

import rfc8785
from fastapi.responses import JSONResponse
from sqlmodel import Session

from app.identity.people import passkeys
from app.identity.people.passkeys import Signed
from app.identity.people.sessions import Visitor
from app.platform.context import Platform
from app.web.access import site_of
from app.web.pages import HEADERS

Statement = Callable[[int], bytes]
"""Makes what is to be signed, given `iat` (seconds since 1970)."""


def options(context: Platform, visitor: Visitor, statement: Statement) -> JSONResponse:
    """What the browser needs to ask the person for a signature."""
    with context.database.writing() as session:
        now = context.clock()
        wanted = statement(int(now.replace(microsecond=0).timestamp()))
        asked = passkeys.ask_to_sign(
            session, site_of(context), visitor.member, visitor.session_id, wanted, now
        )
    return answer(*asked)


def signed(
    context: Platform, session: Session, visitor: Visitor, form: dict[str, str], statement: Statement
) -> Signed:
    """The person's signature over the statement of this very form. Raises a 422 problem."""
    ceremony, now = form.get("ceremony", ""), context.clock()
    issued = passkeys.asked_at(session, ceremony, visitor.session_id, now)
    wanted, said = statement(issued), form.get("answer", "")
    site, member = site_of(context), visitor.member
    return passkeys.signed(session, site, member, ceremony, visitor.session_id, wanted, said, now)


def act(name: str, /, **members: Any) -> Statement:
    """The statement of a dangerous act: its name, what it is done to, and when it was asked."""
    return lambda iat: rfc8785.dumps({"act": name, "iat": iat, **members})


def answer(ceremony: str, public_key: dict[str, Any]) -> JSONResponse:
    """Options in the shape that static/passkeys.js reads."""
    return JSONResponse({"ceremony": ceremony, "publicKey": public_key}, headers=HEADERS)
