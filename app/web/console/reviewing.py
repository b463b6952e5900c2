"""One entry: all that a decision rests on, and for reviewers the decision as a form.

Its address is shown on demand only, in a form that is no link; until then every text is without addresses.
Who decided is never shown, and what they decided only once it is settled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session
from starlette.responses import Response

from app.core import url
from app.core.defang import defanged, unlinked
from app.core.reasons import without_addresses
from app.entries import service as entries
from app.entries import timeline
from app.entries.models import Entry
from app.entries.schemas import EntryView
from app.identity import register
from app.identity import service as identity
from app.identity.people import passkeys
from app.identity.people.pace import State
from app.identity.people.sessions import Visitor
from app.identity.permissions import Scope
from app.platform.context import Context, Platform
from app.platform.problems import Problem
from app.reviews import progress
from app.reviews import service as reviews
from app.web.access import Needs
from app.web.console import plain
from app.web.console.pacing import Working
from app.web.console.queue import Chosen, Filtered, Short, said_of
from app.web.edge import PageRoute
from app.web.pages import page

router = APIRouter(prefix="/console/entries", route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Visitor, Depends(Needs(Scope.ENTRIES_READ))]
Id = Annotated[str, Path(alias="entry", max_length=64)]
UNCERTIFIED = (
    "Your passkey is not certified yet, so a decision of yours would not count. "
    "Give your review body its fingerprint, which stands in your account."
)


@router.get("/{entry}", response_class=HTMLResponse)
def entry(
    context: Context,
    request: Request,
    visitor: Reader,
    paced: Working,
    entry_id: Id,
    filtered: Filtered,
    done: Short = "",
) -> Response:
    """An entry without its address."""
    return entry_page(context, request, visitor, paced, entry_id, filtered, done=done)


@router.get("/{entry}/address", response_class=HTMLResponse)
def address(context: Context, request: Request, visitor: Reader, _paced: Working, entry_id: Id) -> Response:
    """The address, because somebody asked for it, and the texts that name it."""
    caller = visitor.member.caller
    with context.database.reading() as session:
        found = entries.visible(session, caller, entry_id)
        view = entries.views(session, context.keyring.epochs, caller, [found])[0]
    if view.canonical_url is None:
        raise Problem("not-found", "the address is not shown to you, or was erased")
    return page(
        request,
        "console/address.html",
        visitor,
        title=f"Address of entry {entry_id[:8]}",
        back=f"/console/entries/{entry_id}",
        address=defanged(view.canonical_url),
        hosting_address=view.hosting_address,
        texts=_whole(view),
    )


def entry_page(
    context: Platform,
    request: Request,
    visitor: Visitor,
    paced: State | None,
    entry_id: str,
    filtered: Chosen,
    done: str = "",
    typed: Mapping[str, str] | None = None,
    fault: Problem | None = None,
) -> HTMLResponse:
    """The page of an entry; `typed` is a form that could not be taken, and `fault` why. Raises Problem."""
    caller = visitor.member.caller
    with context.database.reading() as session:
        found = entries.visible(session, caller, entry_id)
        view = entries.views(session, context.keyring.epochs, caller, [found])[0]
        members: dict[str, Any] = {
            "steps": [(one.at, plain.step(one)) for one in timeline.of(session, caller, found)],
            "submitter": identity.organisation(session, found.organisation_id).name,
            "decided": progress.decided(session, caller, found),
            "signed": said_of(session, visitor, done),
            "deciding": _deciding(session, visitor, found),
        }
    return page(
        request,
        "console/entry.html",
        visitor,
        fault.status if fault else 200,
        entry=view,
        texts=_without_address(view),
        ground=plain.ground(view.legal_ground),
        material=plain.material(view.material),
        scope=plain.SCOPES[view.scope],
        takedown=plain.TAKEDOWNS[view.takedown],
        suffix=plain.SUFFIXES[view.collateral.suffix_class] if view.collateral else None,
        questions=plain.QUESTIONS,
        paced=paced,
        chosen=filtered,
        typed=typed or {},
        fault=fault,
        **members,
    )


@dataclass(frozen=True)
class Deciding:
    """Whether the visitor may decide on an entry now, and why not."""

    may: bool
    why_not: str | None


def _deciding(session: Session, visitor: Visitor, found: Entry) -> Deciding | None:
    """None for whoever does not review."""
    caller = visitor.member.caller
    if Scope.REVIEWS_WRITE not in caller.scopes:
        return None
    if not reviews.is_open(found):
        return Deciding(False, None)
    try:
        reviews.refuse_dependent(session, caller, found)
    except Problem as problem:
        return Deciding(False, f"{problem.title}: {problem.detail}.")
    kids = [one.kid for one in passkeys.in_force(session, visitor.member)]
    is_certified = bool(register.certified_kids(session, kids))
    return Deciding(is_certified, None if is_certified else UNCERTIFIED)


Texts = dict[str, tuple[str, bool]]
"""Texts of an entry by name, and of each whether an address was left out."""


def _without_address(view: EntryView) -> Texts:
    if view.canonical_url is None:
        return {}
    host = url.host_of(view.canonical_url)
    kept = {name: without_addresses(text, host) for name, text in _texts(view).items()}
    return {name: (kept[name], kept[name] != text) for name, text in _texts(view).items()}


def _whole(view: EntryView) -> dict[str, str]:
    """The texts from which an address was left out, with it in a form that is no link."""
    texts, shown = _texts(view), _without_address(view)
    return {name: unlinked(texts[name]) for name, (_, is_less) in shown.items() if is_less}


def _texts(view: EntryView) -> dict[str, str]:
    named = {
        "Statement": view.statement,
        "Why no narrower scope works": view.scope_reason,
        "Hotline’s reference": view.hotline_reference,
        "Hosting provider, as assessed": view.hosting_provider,
    }
    return {name: text for name, text in named.items() if text}
