"""The web server: uvicorn, which lets waiting requests go before it stops."""

import resource
import socket

import uvicorn
from fastapi import FastAPI

from app.platform.announcer import Announcer
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
        http=repeating(service.state.repeats.answer),
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
    )


class Server(uvicorn.Server):
    """uvicorn waits for every open request before it stops; a long poll would keep it for a minute."""

    def __init__(self, config: uvicorn.Config, announcer: Announcer) -> None:
        super().__init__(config)
        self._announcer = announcer

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, with as many connections allowed as the system lets us have."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, after whoever waits was answered."""
        self._announcer.close()
        await super().shutdown(sockets)
