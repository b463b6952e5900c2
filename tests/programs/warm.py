"""What each of thousands of services in one process would do anew is done once. No test looks at any of it.

- Certificates: a client of httpx reads the machine's 150 authorities, 20 ms each time.
- Statements: SQLAlchemy keeps what it compiled with the engine, and each service has an engine of its own.
- Routes: FastAPI works out what a route takes at its first request, anew in each application.
- Garbage: a full collection walks all that was ever imported, 200 ms each time.
- Patience: httpx gives up after five seconds, which a machine with much else to do can take.
- Stopping: uvicorn looks ten times a second whether it should stop, and then waits for another tenth.
"""

import asyncio
import gc
from functools import cache
from typing import Any
from unittest import mock

import httpx
import uvicorn.server
from fastapi import APIRouter
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from sqlalchemy import Engine, create_engine
from starlette.routing import BaseRoute

from app.main import Application
from app.platform import database
from tests.programs import databases

_STATEMENTS = 5000
"""More than the application has, so that none is compiled twice."""
_FASTER = 10
_PATIENCE_SECONDS = 60.0
_include_router = Application.include_router
_included: dict[int, BaseRoute] = {}


def warm_up() -> None:
    """For this process and for good. To be called when all that is needed has been imported."""
    mock.patch("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context)).start()
    mock.patch.object(database, "create_engine", _engine).start()
    mock.patch.object(Application, "include_router", _include_once).start()
    mock.patch.object(uvicorn.server, "asyncio", _Brisk()).start()
    for limit in ("connect", "read", "write", "pool"):
        setattr(DEFAULT_TIMEOUT_CONFIG, limit, _PATIENCE_SECONDS)
    gc.collect()
    gc.freeze()


def _engine(address: str, **options: Any) -> Engine:
    """An engine that compiles only what no other of this process has compiled for its kind of database."""
    made = create_engine(address, **options)
    is_sqlite = made.dialect.name == "sqlite"
    if is_sqlite or databases.IS_POSTGRESQL:
        first = _first_engine("sqlite://" if is_sqlite else databases.address("postgres"))
        made.dialect, made._compiled_cache = first.dialect, first._compiled_cache
    return made


@cache
def _first_engine(address: str) -> Engine:
    """Its dialect has seen the server's or library's version: it was connected once."""
    made = create_engine(address, query_cache_size=_STATEMENTS)
    made.connect().close()
    made.dispose()
    return made


def _include_once(service: Application, router: APIRouter, **options: Any) -> None:
    """What the framework works out for a router stays with the first application's; the others take that."""
    _include_router(service, router, **options)
    service.router.routes[-1] = _included.setdefault(id(router), service.router.routes[-1])


class _Brisk:
    """The module asyncio, where a tenth of a second is a hundredth."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / _FASTER)
