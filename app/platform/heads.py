"""ASGI: who asks with HEAD is answered as with GET, without the body. Source: RFC 9110, section 9.3.2.

A range is of GET alone (section 14.2).
"""

from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class _Answered(Exception):
    """All that is asked for is sent: of the body nothing is to be read, or waited for."""


class Heads:
    """Middleware in front of routes that know GET only."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        inner = {**scope, "method": "GET", "headers": headers}

        async def begun(message: Message) -> None:
            """The answer ends where its body would begin: a body may be large, or have no end."""
            if message["type"] != "http.response.start":
                return
            if "route" in inner:
                scope["route"] = inner["route"]
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            raise _Answered

        with suppress(_Answered):
            await self.app(inner, receive, begun)
