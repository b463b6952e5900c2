"""A witness on a real port, and one that gives whatever answer a test wants."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.core import note
from app.core.note import Signer, Verifier
from app.witness import Witness, create_witness


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(app: Starlette, port: int | None = None) -> Iterator[str]:
    """Serve an application until the block ends; its base address."""
    port = port or free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


@contextmanager
def witness(
    path: Path, log: Verifier, name: str = "witness.example", port: int | None = None
) -> Iterator[tuple[str, Signer]]:
    """A real witness of that log: its address and key."""
    signer = Signer.generate(name, note.COSIGNATURE)
    with serving(create_witness(Witness(path, signer, [log])), port) as address:
        yield address, signer


@contextmanager
def answering(answer: Callable[[bytes], Response]) -> Iterator[str]:
    """A witness that gives whatever `answer` makes of a request's body."""

    async def handle(request: Request) -> Response:
        return answer(await request.body())

    with serving(Starlette(routes=[Route("/add-checkpoint", handle, methods=["POST"])])) as address:
        yield address


def add(address: str, body: bytes) -> httpx.Response:
    return httpx.post(f"{address}/add-checkpoint", content=body)
