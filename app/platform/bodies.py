"""ASGI: a body is looked at before the framework reads it. JSON is held to limits, uploads are refused.

Source of the limits: app/core/plain_json.py. A body of another media type is its route's to read.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import plain_json
from app.platform.aside import aside
from app.platform.problems import Problem

_AT_ONCE = 64 * 1024
"""Bytes up to which JSON is looked at here; a thread has the larger ones."""


class Bodies:
    """Middleware. Raises problems: `body-not-json`, `body-too-complex`, `media-type-not-taken`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        kind = _media_type(scope) if scope["type"] == "http" else ""
        if kind.startswith("multipart/"):
            raise Problem("media-type-not-taken", "send application/json, or a form as x-www-form-urlencoded")
        if not _is_json(kind):
            await self.app(scope, receive, send)
            return
        body = await _whole(receive)
        if body is not None:
            await require_plain(body)
            await self.app(scope, _Again(body, receive), send)


async def require_plain(body: bytes) -> None:
    """Look at JSON; an empty body is the route's to judge. Raises the problems above."""
    try:
        if len(body) > _AT_ONCE:
            await aside(plain_json.loads, body)
        elif body:
            plain_json.loads(body)
    except plain_json.TooComplex as fault:
        raise Problem("body-too-complex", str(fault)) from None
    except plain_json.NotJson as fault:
        raise Problem("body-not-json", f"{fault}; the body is application/json") from None


class _Again:
    """The body once more for who comes after, then what the connection says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _whole(receive: Receive) -> bytes | None:
    """The body; None when whoever sent it went away."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _media_type(scope: Scope) -> str:
    """As the framework reads it, which decides by this whether it takes the body for JSON."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            found: str = value.decode("latin-1").partition(";")[0].strip().lower()
            return found
    return ""


def _is_json(kind: str) -> bool:
    return kind.startswith("application/") and (kind == "application/json" or kind.endswith("+json"))
