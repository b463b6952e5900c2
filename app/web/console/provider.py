"""What an internet provider should know of itself: how far it is with each list, how old its keys are."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from app.core import signup
from app.core.terms import Kind
from app.distribution import provider
from app.identity import keys
from app.identity.people.sessions import Visitor
from app.identity.permissions import Scope
from app.lists import expiry
from app.lists import figures as lists
from app.lists import service as policies
from app.lists.repository import Repository
from app.platform.context import Context
from app.platform.problems import Problem
from app.web.access import Needs
from app.web.edge import PageRoute
from app.web.pages import page

router = APIRouter(prefix="/console/lists", route_class=PageRoute, include_in_schema=False)
MOST_KEYS = 50
SOON = timedelta(days=3)
"""Before which a role's end is worth a word,"""
SOON_OF = {"root": timedelta(days=30), "timestamp": timedelta(minutes=15)}
"""and for these: root is signed by hand, the others by the service itself."""


def provider_of(visitor: Annotated[Visitor, Depends(Needs(Scope.LISTS_READ))]) -> Visitor:
    """Somebody of an internet provider. Raises a 403 problem."""
    if visitor.member.caller.kind is not Kind.ISP:
        raise Problem("forbidden", "this page is for people of internet providers")
    return visitor


@router.get("", response_class=HTMLResponse)
def own_lists(
    context: Context, request: Request, visitor: Annotated[Visitor, Depends(provider_of)]
) -> Response:
    """Each list with the newest version and the one in force here; keys, and when they end."""
    own, now = visitor.member.organisation.id, context.clock()
    with context.database.reading() as session:
        standings = provider.standings(session, own, now)
        names = [one.list.list for one in standings]
        rotations = lists.match_keys(session, names)
        in_force = policies.policies(session)
        recipients = keys.recipients(session, own)
        own_keys = keys.of_clients(session, own, MOST_KEYS + 1)
    repository = Repository(context.settings.public, context.settings.keys)
    roles = expiry.of_roles(repository, names)
    return page(
        request,
        "console/provider.html",
        visitor,
        standings=standings,
        rotations=[
            (name, key, key.made_at + timedelta(days=in_force[name].match_key_days))
            for name, key in rotations.items()
        ],
        recipients=recipients,
        keys=[(one, signup.fingerprint(one.kid)) for one in own_keys[:MOST_KEYS]],
        has_more_keys=len(own_keys) > MOST_KEYS,
        roles=[(one, one.expires - now < SOON_OF.get(one.role, SOON)) for one in roles],
        now=now,
    )
