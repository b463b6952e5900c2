"""Appealing without an account: the form, what the appellant keeps, and how it stands.

The answer is the same for every address, listed or not, as that of the API (app/appeals/service.py). The
secret is shown once; neither it nor the address ever stands in an address, an attribute or a log. What was
typed comes back with a form that cannot be taken. Source: Directive 2011/93/EU art. 25(2); DSA art. 20.
"""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from starlette.responses import Response

from app.appeals import service
from app.appeals.schemas import NewAppeal
from app.core.terms import OwnershipProof
from app.platform.context import Context, Platform
from app.platform.problems import Problem
from app.web.access import Form
from app.web.edge import PageRoute
from app.web.public.speaking import refuse_other_sites, spoken_page

router = APIRouter(prefix="/appeal", route_class=PageRoute, include_in_schema=False)
OURS = [Depends(refuse_other_sites)]
_FIELDS = ("url", "statement", "list", "proof")
Faults = dict[str, str]
"""By field, the word under which the page says what is wrong."""


@router.get("", response_class=HTMLResponse)
def form_page(request: Request) -> Response:
    """The form; `?list=` is what the stop page says."""
    return _form(request, {"list": request.query_params.get("list", "")[:63]}, is_kept=True)


@router.post("", response_class=HTMLResponse, dependencies=OURS)
def file(context: Context, request: Request, form: Form) -> Response:
    """Take in an appeal; what is wrong in the form is said beside it, and nothing typed is lost."""
    typed = {name: form.get(name, "").replace("\r\n", "\n").strip() for name in _FIELDS}
    try:
        new = NewAppeal.model_validate({name: value for name, value in typed.items() if value})
    except ValidationError as wrong:
        return _form(
            request, typed, 422, {str(error["loc"][0]): str(error["loc"][0]) for error in wrong.errors()}
        )
    wait = _wait(context, request)
    if wait:
        answer = _form(request, typed, 429, {"form": "too_many"})
        answer.headers["Retry-After"] = str(wait)
        return answer
    try:
        with context.database.writing() as session:
            filed = service.file(session, context.keyring.epochs, new, context.clock())
    except Problem as refused:
        return _form(request, typed, refused.status, {"url": refused.code})
    return spoken_page(request, "filed.html", 201, filed=filed, proof=new.proof)


@router.get("/status", response_class=HTMLResponse)
def status_page(request: Request) -> Response:
    """A form for reference and secret."""
    return _status(request, is_kept=True)


@router.post("/status", response_class=HTMLResponse, dependencies=OURS)
def status(context: Context, request: Request, form: Form) -> Response:
    """How an appeal stands; the same answer for a wrong secret and for no such appeal."""
    reference, secret = form.get("reference", "").strip(), form.get("secret", "").strip()
    try:
        with context.database.reading() as session:
            found = service.status(session, context.keyring.epochs, reference[:64], secret[:200])
    except Problem as refused:
        return _status(request, refused.status, reference=reference[:64], fault=refused.code)
    return _status(request, found=found)


def _form(
    request: Request,
    typed: dict[str, str],
    status: int = 200,
    faults: Faults | None = None,
    is_kept: bool = False,
) -> HTMLResponse:
    members: dict[str, Any] = {"typed": dict.fromkeys(_FIELDS, "") | typed, "faults": faults or {}}
    return spoken_page(request, "appeal.html", status, is_kept, proofs=list(OwnershipProof), **members)


def _status(request: Request, status: int = 200, is_kept: bool = False, **members: Any) -> HTMLResponse:
    shown = {"found": None, "reference": "", "fault": None, **members}
    return spoken_page(request, "status.html", status, is_kept, **shown)


def _wait(context: Platform, request: Request) -> int:
    """Seconds until one more is taken from where this comes from, counted together with the API's."""
    address = request.client.host if request.client else ""
    seconds: int = request.app.state.appeals_throttle.take(address, context.clock())
    return seconds
