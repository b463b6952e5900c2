"""Taking entries off at once, and erasing one for good: each signed by a passkey, for just those."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from app.core.terms import ErasureReason
from app.entries import erasure
from app.entries import service as entries
from app.identity.access import acting
from app.identity.people.sessions import Visitor
from app.identity.permissions import Scope
from app.platform.context import Context
from app.platform.problems import at_field
from app.web import signing
from app.web.access import Needs, Operator, Sent
from app.web.console import filters
from app.web.edge import PageRoute
from app.web.pages import page
from app.web.signing import Statement, act

router = APIRouter(prefix="/console/removal", route_class=PageRoute, include_in_schema=False)
Either = Annotated[Visitor, Depends(Needs(Scope.ADMIN, Scope.ERASURE_WRITE))]
Eraser = Annotated[Visitor, Depends(Needs(Scope.ERASURE_WRITE))]
MOST = 500
_LONGEST_ID = 64


@router.get("", response_class=HTMLResponse)
def removal(request: Request, visitor: Either) -> Response:
    """The two forms, as far as one may use them."""
    return _page(request, visitor)


@router.post("/emergency/options")
def emergency_options(context: Context, visitor: Operator, form: Sent) -> Response:
    """The passkey signs the entries or the batch."""
    return signing.options(context, visitor, _emergency(form))


@router.post("/emergency", response_class=HTMLResponse)
def emergency(context: Context, request: Request, visitor: Operator, form: Sent) -> Response:
    """Off their lists now, past every queue and brake."""
    statement, (ids, batch) = _emergency(form), _named(form)
    with acting(context, visitor.member.caller) as session:
        signing.signed(context, session, visitor, form, statement)
        ended = entries.emergency(session, visitor.member.caller, ids, batch, context.clock())
    context.wake_publisher()
    return _page(request, visitor, _told(len(ended), len(ids)))


@router.post("/erasure/options")
def erasure_options(context: Context, visitor: Eraser, form: Sent) -> Response:
    """The passkey signs the entry and the reason."""
    return signing.options(context, visitor, _erasure(form))


@router.post("/erasure", response_class=HTMLResponse)
def erase(context: Context, request: Request, visitor: Eraser, form: Sent) -> Response:
    """Destroy what an entry hides; a listed one leaves its list first."""
    statement, entry = _erasure(form), form.get("entry", "").strip()
    reason = ErasureReason(form["reason"])
    with acting(context, visitor.member.caller) as session:
        signing.signed(context, session, visitor, form, statement)
        erasure.request(session, visitor.member.caller, entry, reason, context.clock())
    context.wake_publisher()
    return _page(request, visitor, "The entry is erased: its key is destroyed once that is on record.")


def _page(request: Request, visitor: Visitor, done: str = "") -> Response:
    held = visitor.member.caller.scopes
    members: dict[str, Any] = {
        "may_end": Scope.ADMIN in held,
        "may_erase": Scope.ERASURE_WRITE in held,
        "done": done,
    }
    return page(request, "console/removal.html", visitor, reasons=list(ErasureReason), **members)


def _told(ended: int, named: int) -> str:
    """What became of them; of a batch, `named` is 0."""
    what = "1 entry leaves" if ended == 1 else f"{ended} entries leave"
    others = f" Of those named, {named - ended} had ended already." if named > ended else ""
    return f"{what} the list, or will not enter it.{others}"


def _named(form: dict[str, str]) -> tuple[list[str], str | None]:
    """Entries by id, or one batch. Raises a 422 problem."""
    ids, batch = sorted(set(form.get("entries", "").split())), form.get("batch", "").strip()
    if bool(ids) == bool(batch) or len(ids) > MOST or any(len(one) > _LONGEST_ID for one in (*ids, batch)):
        raise at_field("invalid-input", "entries", f"name 1 to {MOST} entries, or one batch")
    return ids, batch or None


def _emergency(form: dict[str, str]) -> Statement:
    ids, batch = _named(form)
    return act("emergency", batch=batch, entries=ids)


def _erasure(form: dict[str, str]) -> Statement:
    reason = filters.word(ErasureReason, "reason", form.get("reason", ""))
    entry = form.get("entry", "").strip()
    if reason is None or not 1 <= len(entry) <= _LONGEST_ID:
        raise at_field("invalid-input", "entry", "name one entry, and choose a reason")
    return act("erasure", entry=entry, reason=reason.value)
