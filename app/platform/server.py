"""The web server: uvicorn, which lets waiting requests go before it stops."""

import resource
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from app.platform.announcer import Announcer
from app.platform.patience import Patience
from app.platform.repeating import repeating
from app.platform.settings import Settings

KEEP_ALIVE_SECONDS = 75
"""Longer than a minute between two polls, and longer than a reverse proxy keeps an idle connection."""


def configured(service: FastAPI, settings: Settings) -> uvicorn.Config:
    """How to serve it. Who calls is told by the connection, or by a proxy that the settings name.

    Otherwise anyone on this machine, a proxy that is not named here too, could say any address. The loop and
    the parser (httptools) are named, for uvicorn would fall back on much slower ones without a word.
    """
    return uvicorn.Config(
        service,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=repeating(service.state.repeats.answer, Patience(settings)),
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        access_log=False,
        # Its lines go where all lines of this process go (app/platform/logs.py), not in a form of their own.
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
    )


class Server(uvicorn.Server):
    """uvicorn waits for every open request before it stops; a long poll would keep it for a minute.

    `on_life` is called from the event loop, ten times a second as long as that turns.
    """

    def __init__(
        self, config: uvicorn.Config, announcer: Announcer, on_life: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._announcer, self._on_life = announcer, on_life

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, with as many connections allowed as the system lets us have."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        await super().startup(sockets)

    def stop(self) -> None:
        """Have it stop, also before it has started. From any thread, or a signal's handler."""
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """uvicorn's: whether it is time to stop."""
        self._on_life()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, after whoever waits was answered."""
        self._announcer.close()
        await super().shutdown(sockets)
