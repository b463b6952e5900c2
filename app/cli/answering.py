"""The web server of one process, alone or one of several on a port: what `serve` and its children share."""

import signal
import socket
from collections.abc import Callable

from app.cli.background import Parts
from app.main import create_app
from app.platform import news
from app.platform.announcer import Announcer
from app.platform.clock import system_clock
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.server import Server, configured
from app.platform.settings import Settings


def run(
    settings: Settings,
    database: Database,
    keyring: Keyring,
    announcer: Announcer,
    parts: Parts,
    sockets: list[socket.socket],
    on_life: Callable[[], None],
) -> None:
    """Answer requests until SIGTERM or SIGINT; `parts` work meanwhile. `on_life`: see Server.

    Raises OSError.
    """
    service = create_app(
        settings,
        database,
        keyring,
        system_clock,
        lambda: parts.tell(news.PUBLISHER),
        lambda: parts.tell(news.EXPORTS),
        announcer,
    )
    server = Server(configured(service, settings), announcer, on_life)
    # When uvicorn has stopped it raises the signal that it stopped for once more; other parts stop after it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: server.stop())
    parts.start()
    try:
        server.run(sockets)
    finally:
        parts.stop()
        database.close()
