"""Calls to the application without a socket, for tests that make tens of thousands of them."""

import asyncio
from collections.abc import Callable
from typing import Any
from unittest import mock

import httpx
from fastapi import FastAPI


class Inside(httpx.BaseTransport):
    """Hands requests to the application in this thread. One at a time; close it when done.

    What the application gives to worker threads is done at once: it is one request after another anyway.
    Requests come from `address`.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app, self.address = app, "127.0.0.1"
        self._loop = asyncio.new_event_loop()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer, read."""
        with mock.patch("anyio.to_thread.run_sync", _at_once):
            status, headers, content = self._loop.run_until_complete(self._answer(request))
        headers = [(name, value) for name, value in headers if name.lower() != b"content-encoding"]
        return httpx.Response(status, headers=headers, content=content, request=request)

    async def _answer(self, request: httpx.Request) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        started: dict[str, Any] = {}
        parts: list[bytes] = []
        sent = [{"type": "http.request", "body": request.read(), "more_body": False}]
        is_answered = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if sent:
                return sent.pop()
            await is_answered.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                is_answered.set()

        try:
            await self._app(_scope(request, self.address), receive, send)
        except Exception:
            # As a server does: the application has answered 500 before it lets its exception through.
            if not is_answered.is_set():
                raise
        return started["status"], list(started["headers"]), b"".join(parts)

    def finish(self) -> None:
        """End the loop. `close` is called by every client that shares this transport."""
        self._loop.close()


def _scope(request: httpx.Request, address: str) -> dict[str, Any]:
    """Source: the ASGI specification, HTTP connection scope."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": (address, 123),
        "root_path": "",
    }


async def _at_once(act: Callable[..., Any], *arguments: Any, **_limits: Any) -> Any:
    return act(*arguments)
