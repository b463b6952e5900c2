"""Lists and their policies: what is in force, and one knob's change at a time, signed by a passkey."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError
from starlette.responses import Response

from app.core.policy import Policy
from app.identity.access import acting
from app.lists import figures
from app.lists import service as lists
from app.lists.schemas import PolicyChange
from app.platform.context import Context
from app.platform.problems import at_field
from app.web import signing
from app.web.access import Operator, Sent
from app.web.edge import PageRoute
from app.web.pages import page
from app.web.signing import Statement, act

router = APIRouter(prefix="/console/published", route_class=PageRoute, include_in_schema=False)
Name = Annotated[str, Path(alias="list", max_length=63)]
_SIGNED = ("base_version", "knob", "value")


@router.get("", response_class=HTMLResponse)
def published(context: Context, request: Request, visitor: Operator) -> Response:
    """Every list with its newest version."""
    with context.database.reading() as session:
        found = lists.every(session)
        newest = figures.newest(session)
    return page(request, "console/published.html", visitor, lists=found, newest=newest)


@router.get("/{list}", response_class=HTMLResponse)
def policy(context: Context, request: Request, visitor: Operator, name: Name) -> Response:
    """The policy in force, knob by knob."""
    with context.database.reading() as session:
        found = lists.policy_version(session, name, None)
    knobs = {knob: json.dumps(value) for knob, value in sorted(found.policy.items())}
    return page(request, "console/policy.html", visitor, found=found, knobs=knobs)


@router.post("/{list}/policy/options")
def options(context: Context, visitor: Operator, name: Name, form: Sent) -> Response:
    """The passkey signs the knob, its value and the version it is changed from."""
    return signing.options(context, visitor, _statement(name, form))


@router.post("/{list}/policy")
def change(context: Context, visitor: Operator, name: Name, form: Sent) -> Response:
    """Put the next version in force; what the form does not name stays."""
    with acting(context, visitor.member.caller) as session:
        signing.signed(context, session, visitor, form, _statement(name, form))
        found = lists.policy_version(session, name, None)
        wanted = _changed(found.policy, form)
        lists.change_policy(session, visitor.member.caller, name, wanted, context.clock())
    context.wake_publisher()
    return RedirectResponse(f"/console/published/{name}", 303)


def _statement(name: str, form: dict[str, str]) -> Statement:
    return act("policy.change", list=name, **{field: form.get(field, "") for field in _SIGNED})


def _changed(policy: dict[str, Any], form: dict[str, str]) -> PolicyChange:
    """The whole policy with one knob turned. Raises a 422 problem that names it."""
    knob, base = form.get("knob", ""), form.get("base_version", "")
    if knob not in Policy.model_fields or not (base.isdecimal() and len(base) < 10):
        raise at_field("invalid-input", "knob", "choose one of the list")
    try:
        value = json.loads(form.get("value", ""))
        return PolicyChange.model_validate({**policy, knob: value, "base_version": int(base)})
    except ValidationError as wrong:
        raise at_field("invalid-input", knob, wrong.errors()[0]["msg"]) from None
    except (ValueError, RecursionError):
        raise at_field("invalid-input", knob, 'write it as JSON: 5, "word", ["one", "two"] or null') from None
