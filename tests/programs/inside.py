"""Calls to the application without a socket, for tests that make tens of thousands of them."""

import asyncio

import httpx
from fastapi import FastAPI


class Inside(httpx.BaseTransport):
    """Hands requests to the application in this thread. One at a time; close it when done."""

    def __init__(self, app: FastAPI) -> None:
        self._loop = asyncio.new_event_loop()
        self._asgi = httpx.ASGITransport(app=app, raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer, read."""
        return self._loop.run_until_complete(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = await self._asgi.handle_async_request(asked)
        content = await answer.aread()
        headers = [(name, value) for name, value in answer.headers.raw if name.lower() != b"content-encoding"]
        return httpx.Response(answer.status_code, headers=headers, content=content, request=request)

    def finish(self) -> None:
        """End the loop. `close` is called by every client that shares this transport."""
        self._loop.run_until_complete(self._asgi.aclose())
        self._loop.close()
