"""The hot layer: polls answered before the framework sees them, from memory and the disk alone.

It takes what is written as plainly as nearly every request for the hot addresses is; all else goes on, and
meets the same desk behind the framework's routes. Answers are counted, refusals are logged as everywhere.
"""

from dataclasses import replace
from types import SimpleNamespace

from starlette.types import ASGIApp, Receive, Scope, Send

from app.distribution import addresses
from app.distribution.addresses import Address, Wanted
from app.distribution.answers import Answer, deliver, joined
from app.distribution.desk import Asked, Desk
from app.distribution.figures import count
from app.distribution.repeats import Repeats
from app.identity.gate import Gate
from app.platform.clock import Clock
from app.platform.headers import NOSNIFF
from app.platform.http import Edge, Rules, request_id, respond
from app.platform.problems import Problem
from app.platform.repeating import REPEATABLE

_BEARER = b"bearer "
_REPEATED = {Address.LATEST, Address.METADATA}
_LONGEST_HEADER = 1000
_UNCHANGED = (NOSNIFF,)
"""Of a 304, whose reader has the other headers from the answer it keeps."""


class Hot:
    """ASGI middleware around the framework."""

    def __init__(
        self, app: ASGIApp, desk: Desk, repeats: Repeats, gate: Gate, clock: Clock, rules: Rules
    ) -> None:
        self._app, self._desk, self._gate, self._clock = app, desk, gate, clock
        self._repeats = repeats
        self._rules = replace(rules, hosts=None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the request go on."""
        wanted, headers = _plain(scope)
        if wanted is None:
            await self._app(scope, receive, send)
            return
        has_begun = False
        try:
            answered = await self._answer(scope, wanted, Asked(headers, receive))
            if answered is not None:
                has_begun = True
                more = request_id(), *(_UNCHANGED if answered.status == 304 else self._rules.headers)
                await deliver(answered, send, more, scope["method"] == "HEAD")
        except Problem as problem:
            await self._refuse(respond(problem), wanted, scope, receive, send)
        except Exception as failure:
            if has_begun:
                raise
            await self._refuse(_failing(failure), wanted, scope, receive, send)
        else:
            if answered is None:
                await self._app(scope, receive, send)
            else:
                count(wanted, answered.status)

    async def _answer(self, scope: Scope, wanted: Wanted, asked: Asked) -> Answer | None:
        token = None
        if wanted.address is Address.METADATA:
            answered = await self._desk.metadata(wanted.file, asked)
        else:
            held = asked.headers.get(b"authorization", b"")
            if held[:7].lower() != _BEARER:
                return None
            address = scope["client"][0] if scope["client"] else ""
            token = self._gate.admit(held[7:].strip(), address, self._clock().timestamp())
            scope.setdefault("state", {})["client_id"] = token.client_id
            answered = await self._desk.answer(await self._desk.caller(token), wanted, asked)
        digest = scope.get("state", {}).get(REPEATABLE)
        if digest and answered.status == 304 and wanted.address in _REPEATED:
            self._repeats.learn(digest, wanted, asked.headers, token)
        return answered

    async def _refuse(
        self, refusal: ASGIApp, wanted: Wanted, scope: Scope, receive: Receive, send: Send
    ) -> None:
        scope["route"] = SimpleNamespace(path=wanted.address.value)
        await Edge(refusal, self._rules)(scope, receive, send)


def _plain(scope: Scope) -> tuple[Wanted | None, dict[bytes, bytes]]:
    """What a request for a hot address wants, and its headers; None for all others."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return None, {}
    wanted = addresses.read(scope.get("raw_path") or b"")
    if wanted is None:
        return None, {}
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if len(headers) != len(scope["headers"]):
        headers = joined(scope["headers"])
    if scope["method"] == "HEAD":
        headers.pop(b"range", None)
    has_body = b"content-length" in headers or b"transfer-encoding" in headers
    if has_body or len(headers.get(b"if-none-match", b"")) > _LONGEST_HEADER:
        return None, {}
    if wanted.address is Address.ACCESS:
        wanted = addresses.access(wanted, scope["query_string"])
    return wanted, headers


def _failing(failure: Exception) -> ASGIApp:
    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise failure

    return fail
