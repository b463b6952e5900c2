"""The stop page: what a provider shows, or links to, in the place of what is blocked.

Its reference names a list and a version, `national-url-12`, as `wardlist isp squid-helper` gives it to the
proxy; never an address, and nothing about one is asked or told. Lists, versions and policies stand in the
public log anyway; whatever else comes gets the page in general. The answer is 200: this is not what was
asked for, and the provider that blocks it answers 451 itself (RFC 7725, deploy/isp/proxy).
Sources: Directive 2011/93/EU art. 25(2); RFC 7725.
"""

import re

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session
from starlette.responses import Response

from app.lists import figures as lists
from app.lists.figures import Published
from app.platform.context import Context
from app.web.edge import PageRoute
from app.web.public.speaking import country, spoken_page

router = APIRouter(prefix="/stop", route_class=PageRoute, include_in_schema=False)
_REFERENCE = re.compile(r"([a-z0-9][a-z0-9-]{0,62})[-.]([1-9][0-9]{0,8})")


@router.get("/{reference}", response_class=HTMLResponse)
def stop(context: Context, request: Request, reference: str) -> Response:
    """Why, under which law, who decided, how to appeal, where to get help."""
    with context.database.reading() as session:
        found = _published(session, reference)
    return spoken_page(
        request,
        "stop.html",
        is_kept=True,
        found=found,
        country=country,
        help_page=context.settings.help_page,
    )


def _published(session: Session, reference: str) -> Published | None:
    named = _REFERENCE.fullmatch(reference)
    return lists.published(session, named[1], int(named[2])) if named else None
