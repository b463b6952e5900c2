"""What waits for a reviewer: filtered, oldest first, and without any address.

`/console/queue/next` leads to the next entry after one, under the same filters.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session
from starlette.responses import Response

from app.core.legal import GROUNDS, Ground
from app.core.terms import Decision, EntryScope
from app.entries import service as entries
from app.identity.people.sessions import Visitor
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.lists import service as lists
from app.platform.context import Context
from app.platform.problems import at_field
from app.reviews import progress
from app.reviews import service as reviews
from app.web.access import Needs
from app.web.console import filters, plain
from app.web.console.filters import PER_PAGE
from app.web.console.pacing import Paced
from app.web.edge import PageRoute
from app.web.pages import page

router = APIRouter(prefix="/console/queue", route_class=PageRoute, include_in_schema=False)
Reviewer = Annotated[Visitor, Depends(Needs(Scope.REVIEWS_WRITE))]
Short = Annotated[str, Query(max_length=64)]
OLD = timedelta(hours=24)
"""Longer than this nothing should wait."""
_COUNTRY = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True)
class Chosen:
    """Filters of the queue; they stay chosen from one entry to the next."""

    fields: Mapping[str, str]

    @property
    def in_list(self) -> str | None:
        """The list's name."""
        return self.fields["list"] or None

    @property
    def narrowed(self) -> dict[str, str]:
        """What fields of entries must be."""
        columns = {"scope": "scope", "ground": "legal_ground", "country": "hosting_country"}
        found = {column: self.fields[name] for name, column in columns.items()}
        return {column: text for column, text in found.items() if text}

    def address(self, path: str, **more: str) -> str:
        """A page's address with these filters."""
        asked = urlencode({name: text for name, text in {**self.fields, **more}.items() if text})
        return f"{path}?{asked}" if asked else path


def chosen_of(
    in_list: Annotated[str, Query(alias="list", max_length=64)] = "",
    scope: Short = "",
    ground: Short = "",
    country: Short = "",
) -> Chosen:
    """The filters of a request. Raises a 422 problem."""
    return chosen({"list": in_list, "scope": scope, "ground": ground, "country": country})


def chosen(typed: Mapping[str, str]) -> Chosen:
    """The filters among the fields of a form. Raises a 422 problem."""
    country = typed.get("country", "").strip().upper()
    if country and not _COUNTRY.fullmatch(country):
        raise at_field("invalid-input", "country", "write a country by its two letters, as NL")
    words = {
        "list": filters.list_name(typed.get("list", "")),
        "scope": filters.word(EntryScope, "scope", typed.get("scope", "")),
        "ground": filters.word(Ground, "ground", typed.get("ground", "")),
    }
    return Chosen({**{name: str(word or "") for name, word in words.items()}, "country": country})


Filtered = Annotated[Chosen, Depends(chosen_of)]


@router.get("", response_class=HTMLResponse)
def queue(
    context: Context,
    request: Request,
    visitor: Reviewer,
    paced: Paced,
    filtered: Filtered,
    cursor: Short = "",
    done: Short = "",
) -> Response:
    """What waits, a page at a time; nothing once today's work is done."""
    caller, now, after = visitor.member.caller, context.clock(), filters.place(cursor)
    with context.database.reading() as session:
        found = reviews.queue(session, caller, filtered.in_list, after, PER_PAGE + 1, filtered.narrowed)
        names = [one.name for one in lists.all_visible(session, caller)]
        signed = said_of(session, visitor, done)
    following = found[PER_PAGE - 1].seq if len(found) > PER_PAGE else None
    is_spent = paced is not None and paced.is_spent
    return page(
        request,
        "console/queue.html",
        visitor,
        waiting=[] if is_spent else [(one, now - one.submitted_at) for one in found[:PER_PAGE]],
        paced=paced,
        names=names,
        scopes=list(EntryScope),
        grounds={one.value: text.summary for one, text in GROUNDS.items()},
        chosen=filtered,
        next_page=None if is_spent else filters.next_page("/console/queue", filtered.fields, following),
        signed=signed,
        old=OLD,
        span=plain.span,
    )


@router.get("/next")
def following(
    context: Context, visitor: Reviewer, filtered: Filtered, past: Short = "", done: Short = ""
) -> Response:
    """On to the entry that waits after `past`, from the beginning again after the last."""
    caller = visitor.member.caller
    with context.database.reading() as session:
        wanted = _following(session, caller, filtered, past)
    path = f"/console/entries/{wanted}" if wanted else "/console/queue"
    return RedirectResponse(filtered.address(path, done=done), 303)


def _following(session: Session, caller: Caller, filtered: Chosen, past: str) -> str | None:
    entry = entries.get(session, past) if past else None
    for after in (entry.seq or 0, 0) if entry else (0,):
        for one in reviews.queue(session, caller, filtered.in_list, after, 2, filtered.narrowed):
            if one.id != past:
                return one.id
    return None


def said_of(session: Session, visitor: Visitor, entry_id: str) -> str | None:
    """What the visitor has just signed, as the record has it: nothing but its own decision."""
    mine = progress.mine(session, visitor.member.caller, entry_id) if entry_id else None
    if mine is None:
        return None
    word = "Approved" if mine is Decision.APPROVE else "Rejected"
    return f"{word}. Signed as {visitor.member.person.name} with your passkey. Entry {entry_id[:8]}."
