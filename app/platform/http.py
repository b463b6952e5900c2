"""The outermost layer: body limit, request ids, one log line a request, and problems as answers.

The log line names the route's template, never the address that was asked for.
"""

import itertools
import json
import secrets
import sys
import time
import uuid
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.platform.failures import place
from app.platform.problems import MEDIA_TYPE, FieldError, Problem

_logger = structlog.get_logger("http")
NOSNIFF = (b"x-content-type-options", b"nosniff")
_PROCESS, _count = secrets.token_hex(8).encode(), itertools.count(1)
_BY_STATUS = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large", 503: "unavailable"}


class Edge:
    """ASGI middleware: refuses large bodies before they are read whole, and logs each request."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self.app, self.max_body_bytes = app, max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, request_id, taken = time.perf_counter(), 0, uuid.uuid4().hex, 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.max_body_bytes:
                raise Problem("body-too-large", f"send at most {self.max_body_bytes} bytes")
            return message

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    NOSNIFF,
                ]
            await send(message)

        try:
            if "\0" in scope["path"] or b"%00" in scope["query_string"]:
                # PostgreSQL takes no such text, and nothing here has such a name.
                nothing = Problem("not-found", "no address has a zero byte")
                await respond(nothing)(scope, receive, answered)
            elif _announced(scope) > self.max_body_bytes:
                refusal = Problem("body-too-large", f"send at most {self.max_body_bytes} bytes")
                await respond(refusal)(scope, receive, answered)
            else:
                await self.app(scope, counted, answered)
        except Exception as failure:
            if status:
                raise
            kind, where = type(failure).__name__, place(failure)
            _logger.error("failure", request_id=request_id, kind=kind, where=where)
            detail = "nothing was changed; the operator finds it in the log by its x-request-id"
            await respond(Problem("internal", detail))(scope, receive, answered)
        finally:
            route = scope.get("route")
            _logger.info(
                "request",
                request_id=request_id,
                method=scope["method"],
                route=getattr(route, "path", None),
                status=status,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
                client=scope.get("state", {}).get("client_id"),
            )


def request_id() -> tuple[bytes, bytes]:
    """The header that names a request: a part by chance for this process, and a count."""
    return b"x-request-id", b"%s%016x" % (_PROCESS, next(_count))


def answer_with_problems(app: FastAPI) -> None:
    """Make every refusal and failure an `application/problem+json` answer."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)


def respond(problem: Problem) -> JSONResponse:
    """The answer that carries a problem."""
    return JSONResponse(problem.document(), problem.status, problem.headers, media_type=MEDIA_TYPE)


async def _problem(_request: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, Problem)  # noqa: S101 - registered for this type only
    return respond(problem)


async def _invalid(_request: Request, failure: Exception) -> JSONResponse:
    assert isinstance(failure, RequestValidationError)  # noqa: S101 - registered for this type only
    found = failure.errors()
    if any(error["type"] == "json_invalid" for error in found):
        return respond(Problem("body-not-json", "send valid JSON as application/json"))
    detail = "correct the fields under errors and send it again; nothing was kept"
    return respond(Problem("invalid-input", detail, [_field_error(error) for error in found[:100]]))


async def _plain(_request: Request, failure: Exception) -> JSONResponse:
    assert isinstance(failure, HTTPException)  # noqa: S101 - registered for this type only
    if isinstance(failure.__cause__, Problem):
        return respond(failure.__cause__)
    if failure.status_code == 400:
        return respond(Problem("body-not-json", "the body could not be read; send valid JSON in UTF-8"))
    code = _BY_STATUS.get(failure.status_code, "internal")
    advice = {"not-found": "see /docs for the addresses", "method-not-allowed": "see the Allow header"}
    headers = dict(failure.headers or {})
    return respond(Problem(code, advice.get(code, "try again later"), headers=headers))


def _field_error(error: Any) -> FieldError:
    """Name the field, and in a batch the index; the offending value is never repeated."""
    where = [part for part in error["loc"][1:] if not str(part).startswith("function-")]
    place: FieldError = {"field": "body", "detail": error["msg"], "code": error["type"]}
    if len(where) >= 2 and where[0] == "entries" and isinstance(where[1], int):
        place["index"] = where[1]
        where = where[2:] or where[:1]
    if where:
        place["field"] = ".".join(str(part) for part in where)[:200]
    return place


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def log_as_json() -> None:
    """One JSON object a line on stderr. Values are what callers name, so nothing slips in."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=json.dumps),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
