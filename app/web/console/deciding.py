"""A reviewer's decision on an entry, signed by a passkey, and taken in exactly as one over the API.

What is signed is the statement of app/core/decision: it is made from the form's fields when the passkey is
asked, and once more when the form comes. A form that cannot be taken comes back as it was, with the reason.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError
from sqlmodel import Session
from starlette.responses import Response

from app.core import commitment
from app.core.decision import CRITERIA, statement
from app.core.terms import Decision
from app.entries import service as entries
from app.identity.access import acting
from app.identity.people import pace
from app.identity.service import Caller
from app.platform.context import Context, Platform
from app.platform.problems import FieldError, Problem, at_field
from app.reviews import service as reviews
from app.reviews.schemas import NewReview
from app.web import signing
from app.web.access import Sent
from app.web.console.pacing import Paced, Working
from app.web.console.queue import Reviewer, chosen
from app.web.console.reviewing import Id, entry_page
from app.web.edge import PageRoute
from app.web.signing import Statement

router = APIRouter(prefix="/console/entries/{entry}/decision", route_class=PageRoute, include_in_schema=False)
_ANSWERS = {"yes": True, "no": False}
_UNSIGNED = "unsigned"
_ELSEWHERE = (401, 404)
"""Refusals after which there is no entry to show the form with."""


@router.post("/options")
def options(context: Context, visitor: Reviewer, _paced: Working, entry_id: Id, form: Sent) -> Response:
    """What the passkey is asked to sign; everything that can be refused before that is."""
    with context.database.reading() as session:
        _, wanted = _prepared(context, session, visitor.member.caller, entry_id, form)
    return signing.options(context, visitor, wanted)


@router.post("", response_class=HTMLResponse)
def decide(
    context: Context, request: Request, visitor: Reviewer, paced: Paced, entry_id: Id, form: Sent
) -> Response:
    """Take in the signed decision, and on to the next entry."""
    caller, filtered = visitor.member.caller, chosen(form)
    try:
        with acting(context, caller) as session:
            now = context.clock()
            pace.decided(session, visitor.member, now)
            new, wanted = _prepared(context, session, caller, entry_id, form)
            made = signing.signed(context, session, visitor, form, wanted)
            signed = new.model_copy(update={"signature": made.token})
            reviews.decide(session, context.keyring.epochs, caller, entry_id, signed, now)
    except Problem as problem:
        if problem.status in _ELSEWHERE:
            raise
        return entry_page(context, request, visitor, paced, entry_id, filtered, typed=form, fault=problem)
    context.wake_publisher()
    return RedirectResponse(filtered.address("/console/queue/next", past=entry_id, done=entry_id), 303)


def _prepared(
    context: Platform, session: Session, caller: Caller, entry_id: str, form: Mapping[str, str]
) -> tuple[NewReview, Statement]:
    """The decision of a form, still unsigned, and what is to be signed for it. Raises Problem."""
    entry = entries.visible(session, caller, entry_id)
    reviews.refuse_dependent(session, caller, entry)
    opened = entries.secret(session, context.keyring.epochs, entry)
    if opened is None or not reviews.is_open(entry):
        raise Problem("state-conflict", "nothing is left to decide: it was settled or withdrawn meanwhile")
    if form.get("digest") != entry.digest:
        raise at_field("digest-outdated", "entry", "open it again and read what it says now")
    new = _review(form)
    if new.decision is Decision.APPROVE and not all(new.criteria.model_dump().values()):
        raise Problem("criteria-unmet", "an approval needs yes to every question; reject the entry otherwise")
    key, name, digest = opened.commitment_key, entry.list, entry.digest
    return new, lambda iat: statement(
        criteria=new.criteria.model_dump(),
        decision=new.decision.value,
        entry=entry_id,
        entry_digest=digest,
        iat=iat,
        in_list=name,
        reason_digest=commitment.reason_digest(key, new.reason),
    )


def _review(form: Mapping[str, str]) -> NewReview:
    """The fields as the API has them. Raises a 422 problem that names each field at fault."""
    faults: list[FieldError] = [
        {"field": f"question {number}", "detail": "answer it with yes or no"}
        for number, name in enumerate(CRITERIA, 1)
        if form.get(name) not in _ANSWERS
    ]
    if form.get("decision") not in set(Decision):
        faults.append({"field": "decision", "detail": "choose approve or reject"})
    reason = typed_text(form.get("reason", ""))
    try:
        # Only the reason can be at fault here: the others were looked at.
        new = NewReview.model_validate(
            {
                "decision": form["decision"] if not faults else Decision.REJECT,
                "criteria": {name: _ANSWERS.get(form.get(name, ""), False) for name in CRITERIA},
                "reason": reason,
                "signature": _UNSIGNED,
            }
        )
    except ValidationError:
        faults.append({"field": "reason", "detail": "write 1 to 2,000 characters of plain text, in words"})
    if faults:
        raise Problem("invalid-input", "something is missing in the form", faults)
    return new


def typed_text(text: str) -> str:
    """A text as typed: browsers end lines in one way when they ask and in another when they send."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
