"""The transparency report over HTTP. Public: no token, nothing about who asks is kept."""

import hashlib
import re
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Query, Response

from app.audit.report import lines, service
from app.audit.report.schemas import Answer
from app.audit.report.service import Months
from app.platform.context import Context, Platform

router = APIRouter(prefix="/v1/transparency", tags=["transparency"])
LASTING = "public, max-age=60"
JSON, CSV = "application/json", "text/csv"
_WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?")
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": Answer, "content": {CSV: {}}, "description": "JSON, or CSV where that is asked for"},
    304: {"description": "You have this already"},
}


@router.get("/report", response_class=Response, responses=RESPONSES)
def report(
    context: Context,
    since: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    until: Annotated[str | None, Query(alias="to", max_length=40)] = None,
    form: Annotated[Literal["json", "csv"] | None, Query(alias="format")] = None,
    accept: Annotated[str, Header(max_length=1000)] = "",
    if_none_match: Annotated[str, Header(max_length=1000)] = "",
) -> Response:
    """Months that `from` and `to` lie in and all between: closed ones as signed, open ones preliminary."""
    asked = service.months(since, until, context.clock())
    is_csv = form == "csv" or (form is None and _asks_for_csv(accept))
    body = _as_csv(context, asked) if is_csv else _as_json(context, asked)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"Cache-Control": LASTING, "ETag": etag, "Vary": "Accept"}
    if etag in if_none_match or if_none_match.strip() == "*":
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=f"{CSV}; charset=utf-8" if is_csv else JSON)


def _asks_for_csv(accept: str) -> bool:
    """Whether CSV is named, and JSON is not liked better. Source: RFC 9110, section 12.5.1."""
    weights = {}
    for one in accept.lower().split(","):
        name, *parameters = (part.strip() for part in one.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weights[name] = float(weight) if _WEIGHT.fullmatch(weight) else 0.0
    return weights.get(CSV, 0.0) > 0 and weights[CSV] >= weights.get(JSON, 0.0)


def _as_csv(context: Platform, asked: Months) -> bytes:
    with context.database.reading() as session:
        reports = service.closed(session, asked)
        return lines.written(reports, service.preliminary(session, asked, context.clock()))


def _as_json(context: Platform, asked: Months) -> bytes:
    """An Answer; the documents go in as they were signed."""
    with context.database.reading() as session:
        reports = service.kept(session, asked)
        preliminary = service.preliminary(session, asked, context.clock())
    answer = {
        "from": asked.first,
        "to": asked.last,
        "reports": [
            {
                "period": one.period,
                "sha256": one.sha256,
                "leaf_index": one.leaf_index,
                "jws": one.jws,
                "document": orjson.Fragment(one.document),
            }
            for one in reports
        ],
        "preliminary": [one.model_dump(mode="json") for one in preliminary],
    }
    return orjson.dumps(answer)
