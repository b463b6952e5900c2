"""The link in a notice: a page for people, and the same for programs. Public: the link is the permission."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError
from sqlmodel import Session

from app.core.terms import ProviderAnswer
from app.platform.context import Context, Platform, private
from app.platform.forms import FormReader
from app.platform.languages import language
from app.platform.problems import MEDIA_TYPE, Problem, ProblemDocument
from app.platform.strangers import Strangers
from app.takedown.answers import links, pages
from app.takedown.answers import service as answers
from app.takedown.answers.service import Found, Taken, Use
from app.takedown.schemas import AnswerView, NewAnswer, NextLink

router = APIRouter(tags=["takedown"])
Accepted = Annotated[str, Header(alias="Accept-Language", max_length=1000)]
LARGEST_FORM = 4096
_FIELDS = 4
PROBLEM: dict[str, Any] = {"model": ProblemDocument, "content": {MEDIA_TYPE: {}}}
_TEXTS = {
    404: "No link of this service",
    409: "It cannot be answered so",
    410: "Used, expired, or the notice no longer stands",
    422: "Something is missing in the form",
    429: "Too many links that are none",
}
_PAGE: dict[str, Any] = {"content": {"text/html": {}, MEDIA_TYPE: {}}}
PAGES: dict[int | str, dict[str, Any]] = {
    status: {**_PAGE, "description": _TEXTS[status]} for status in _TEXTS
}
FORM = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"answer": {"type": "string"}, "reason": {"type": "string"}},
                }
            }
        }
    }
}


Form = Annotated[dict[str, str], Depends(FormReader(LARGEST_FORM, _FIELDS))]


def made_here(context: Context, request: Request, token: str) -> str:
    """A token that this installation made; looked at before anything is read. Raises a 404 or 429 problem."""
    if links.read(context.keyring.notice, token) is None:
        strangers: Strangers = request.app.state.link_strangers
        address = request.client.host if request.client else ""
        strangers.admit(address, context.clock().timestamp())
        strangers.count(address, context.clock().timestamp())
        raise answers.unknown()
    return token


@router.get("/takedown/{token}", response_class=HTMLResponse, responses=PAGES)
def page(context: Context, request: Request, token: str, accept_language: Accepted = "") -> Response:
    """The page of a link: what is asked, until when, and a form to answer. Opening it answers nothing."""
    try:
        made_here(context, request, token)
        with context.database.reading() as session:
            found = answers.find(session, context.keyring.notice, token, context.clock())
            return _shown(session, found, accept_language)
    except Problem as refused:
        return pages.refused(refused, language(accept_language))


@router.post(
    "/takedown/{token}",
    response_class=HTMLResponse,
    responses={**PAGES, 303: {"description": "Acknowledged: the page of the next link"}},
    openapi_extra=FORM,
)
def answer_form(
    context: Context, request: Request, token: str, form: Form, accept_language: Accepted = ""
) -> Response:
    """Answer by the form of the page."""
    try:
        made_here(context, request, token)
        with context.database.writing() as session:
            found = answers.find(session, context.keyring.notice, token, context.clock())
            new = _filled_in(form)
            fault = _fault(found, form, new)
            if found.use is not Use.OPEN or new is None or fault:
                return _shown(session, found, accept_language, fault)
            taken = _answer(context, session, found, new)
    except Problem as refused:
        return pages.refused(refused, language(accept_language))
    context.wake_publisher()
    if taken.token:
        return RedirectResponse(f"/takedown/{taken.token}", 303, pages.HEADERS)
    return pages.recorded(new.answer, language(accept_language, found.notice.language))


@router.post(
    "/v1/takedown-answers/{token}",
    dependencies=[Depends(private)],
    responses={status: {**PROBLEM, "description": _TEXTS[status]} for status in (404, 409, 410, 429)},
)
def answer(context: Context, token: Annotated[str, Depends(made_here)], new: NewAnswer) -> AnswerView:
    """Answer by program. After `acknowledged`, the link in `next` says what became of it; each works once."""
    with context.database.writing() as session:
        now = context.clock()
        found = answers.find(session, context.keyring.notice, token, now)
        taken = _answer(context, session, found, new)
    context.wake_publisher()
    following = _next(context.settings.address, taken)
    return AnswerView(notice=taken.notice_id, answer=new.answer, answered_at=now, next=following)


def _answer(context: Platform, session: Session, found: Found, new: NewAnswer) -> Taken:
    lasts = timedelta(days=context.settings.notice_link_days)
    key, now = context.keyring.notice, context.clock()
    return answers.answer(session, key, found, new.answer, new.reason, lasts, now)


def _next(address: str, taken: Taken) -> NextLink | None:
    if not taken.token or not taken.expires_at:
        return None
    return NextLink(
        page=f"{address}/takedown/{taken.token}",
        answer=f"{address}/v1/takedown-answers/{taken.token}",
        expires_at=taken.expires_at,
    )


def _filled_in(form: dict[str, str]) -> NewAnswer | None:
    """What a form says; a reason chosen besides another answer than a refusal is passed over."""
    said = form.get("answer")
    reason = form.get("reason") if said == ProviderAnswer.REFUSED else None
    try:
        return NewAnswer.model_validate({"answer": said, "reason": reason})
    except ValidationError:
        return None


def _fault(found: Found, form: dict[str, str], new: NewAnswer | None) -> str | None:
    """What is wrong with the form; None when nothing is."""
    if new is None:
        return "reason" if form.get("answer") == ProviderAnswer.REFUSED else "answer"
    return None if new.answer in found.choices else "conflict"


def _shown(session: Session, found: Found, accepted: str, fault: str | None = None) -> Response:
    spoken = language(accepted, found.notice.language)
    if found.use is not Use.OPEN:
        return pages.closed(found.use, spoken)
    return pages.question(found, answers.deadlines(session, found), spoken, fault)
