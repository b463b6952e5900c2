"""The web server: uvicorn, which lets waiting requests go before it stops."""

import socket

import uvicorn

from app.platform.announcer import Announcer


class Server(uvicorn.Server):
    """uvicorn waits for every open request before it stops; a long poll would keep it for a minute."""

    def __init__(self, config: uvicorn.Config, announcer: Announcer) -> None:
        super().__init__(config)
        self._announcer = announcer

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, after whoever waits was answered."""
        self._announcer.close()
        await super().shutdown(sockets)
