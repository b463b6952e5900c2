"""The outermost layer: body limit, request ids, one log line a request, and problems as answers.

The log line names the route's template, never the address that was asked for.
"""

import itertools
import os
import re
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from app.platform import telemetry
from app.platform.database import is_outage
from app.platform.epochs import EpochOver
from app.platform.failures import place
from app.platform.headers import NO_STORE, Header, added
from app.platform.hosts import Hosts
from app.platform.problems import MEDIA_TYPE, FieldError, Problem
from app.platform.rates import FIELDS

_logger = structlog.get_logger("http")
_process, _count = secrets.token_hex(8).encode(), itertools.count(1)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REFUSED = frozenset({401, 403, 429})
_PERSONAL = frozenset({b"authorization", b"cookie"})
_REQUEST_ID = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""As nginx makes them, or a UUID: nothing else can be written in it."""
_BY_STATUS = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large", 503: "unavailable"}


STRANGERS_BYTES = 64 * 1024
"""The most that is read of who shows no token: a form, an appeal, a peer's message."""


@dataclass(frozen=True)
class Rules:
    """What holds for every request. `headers` are those of every answer; without `hosts` any name will do.

    `max_body_bytes` is for callers who show a token; see STRANGERS_BYTES.
    """

    max_body_bytes: int
    headers: tuple[Header, ...]
    hosts: Hosts | None

    def most_bytes(self, scope: Scope) -> int:
        """That are read of this request's body."""
        shows_token = any(name == b"authorization" for name, _ in scope["headers"])
        return self.max_body_bytes if shows_token else min(STRANGERS_BYTES, self.max_body_bytes)

    def refusal(self, scope: Scope) -> Problem | None:
        """Why a request goes no further, if it does not, by what its first bytes say."""
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            # PostgreSQL takes no such text, and nothing here has such a name.
            return Problem("not-found", "no address has a zero byte")
        most = self.most_bytes(scope)
        if _announced(scope) > most:
            return _too_large(most)
        return self.hosts.refusal(scope) if self.hosts else None


class Edge:
    """ASGI middleware: refuses large bodies before they are read whole, and logs each request."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self.app, self.rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, taken = time.perf_counter(), 0, 0
        request_id = _named_by_proxy(scope) or uuid.uuid4().hex
        bound = bind_contextvars(request_id=request_id)
        most = self.rules.most_bytes(scope)

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise _too_large(most)
            return message

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", request_id.encode())
                more = (own, *self.rules.headers, *_about(scope, status))
                message["headers"] = added(message["headers"], more)
            await send(message)

        try:
            refusal = self.rules.refusal(scope)
            if refusal:
                raise refusal
            await self.app(scope, counted, answered)
        except Problem as refused:
            if status:
                raise
            await respond(refused)(scope, receive, answered)
        except Exception as failure:
            if status:
                raise
            kind, where = type(failure).__name__, place(failure)
            _logger.error("failure", kind=kind, where=where)
            await respond(_failed(failure))(scope, receive, answered)
        finally:
            _record(scope, status, time.perf_counter() - started)
            reset_contextvars(**bound)


def _record(scope: Scope, status: int, seconds: float) -> None:
    """Log and count an answered request. Without a status its caller went away before the answer."""
    route = getattr(scope.get("route"), "path", None)
    method = scope["method"] if scope["method"] in _METHODS else "other"
    _logger.info(
        "request",
        method=method,
        route=route,
        status=status,
        milliseconds=round(seconds * 1000, 1),
        client=scope.get("state", {}).get("client_id"),
    )
    telemetry.REQUESTS.labels(route or "none", method, f"{status // 100}xx").inc()
    telemetry.REQUEST_SECONDS.labels(route or "none").observe(seconds)
    if status in _REFUSED:
        telemetry.REFUSALS.labels(str(status)).inc()


def _named_by_proxy(scope: Scope) -> str | None:
    """The id that a trusted proxy gave the request, where it is one; others' word is not taken.

    uvicorn took the caller's address from such a proxy, and then has no port for it.
    """
    if not scope["client"] or scope["client"][1] != 0:
        return None
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    return given[0].decode() if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]) else None


def _about(scope: Scope, status: int) -> list[Header]:
    """What an answer says of its caller: how often it may ask, and that nobody else keeps the answer."""
    state = scope.get("state", {})
    fields = [(name.lower().encode(), text.encode()) for name, text in state.get(FIELDS, {}).items()]
    is_private = status >= 400 or any(name in _PERSONAL for name, _ in scope["headers"])
    return [*fields, NO_STORE] if is_private else fields


def _failed(failure: Exception) -> Problem:
    """What a failure is to the caller. A commit may have been the last that a database did before it went."""
    if isinstance(failure, EpochOver):
        return Problem("unavailable", "keys were changed just now; try again", headers={"Retry-After": "1"})
    if is_outage(failure):
        detail = "the database does not answer; try again, with the same Idempotency-Key where you sent one"
        return Problem("unavailable", detail, headers={"Retry-After": "5"})
    return Problem("internal", "nothing was changed; the operator finds it in the log by its x-request-id")


def _begin_anew() -> None:
    """A process that was forked gives requests names of its own."""
    global _process
    _process = secrets.token_hex(8).encode()


os.register_at_fork(after_in_child=_begin_anew)


def request_id() -> tuple[bytes, bytes]:
    """The header that names a request: a part by chance for this process, and a count."""
    return b"x-request-id", b"%s%016x" % (_process, next(_count))


def answer_with_problems(app: FastAPI) -> None:
    """Make every refusal and failure an `application/problem+json` answer."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)


def respond(problem: Problem) -> JSONResponse:
    """The answer that carries a problem."""
    return JSONResponse(problem.document(), problem.status, problem.headers, media_type=MEDIA_TYPE)


async def _problem(_request: Request, problem: Exception) -> JSONResponse:
    return respond(cast(Problem, problem))


async def _invalid(_request: Request, failure: Exception) -> JSONResponse:
    found = cast(RequestValidationError, failure).errors()
    if any(error["type"] == "json_invalid" for error in found):
        return respond(Problem("body-not-json", "send valid JSON as application/json"))
    detail = "correct the fields under errors and send it again; nothing was kept"
    return respond(Problem("invalid-input", detail, [_field_error(error) for error in found[:100]]))


async def _plain(request: Request, raised: Exception) -> JSONResponse:
    failure = cast(HTTPException, raised)
    if isinstance(failure.__cause__, Problem):
        return respond(failure.__cause__)
    if failure.status_code == 400:
        return respond(Problem("body-not-json", "the body could not be read; send valid JSON in UTF-8"))
    code = _BY_STATUS.get(failure.status_code, "internal")
    advice = {"not-found": "see /docs for the addresses", "method-not-allowed": "see the Allow header"}
    headers = dict(failure.headers or {})
    if failure.status_code == 405:
        headers["Allow"] = _methods(request)
    return respond(Problem(code, advice.get(code, "try again later"), headers=headers))


def _methods(request: Request) -> str:
    """What an address takes: the route that refused knows its own method only."""
    if "app_root_path" in request.scope:
        # What is mounted are files, and routes would be looked for below their folder.
        return "GET, HEAD"
    routes = request.app.routes
    taken = {
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    }
    return ", ".join(sorted(taken | {"HEAD"} if "GET" in taken else taken))


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


def _too_large(most: int) -> Problem:
    return Problem("body-too-large", f"send at most {most} bytes")


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0
