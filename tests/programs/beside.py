"""A second API server on the same installation, with connections and a writers' queue of its own.

To the database it is another process: what the two agree on they agree on there.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from app.client.session import Connection
from app.core.terms import Kind
from app.main import create_app
from app.platform.database import Database
from app.platform.server import Server, configured
from tests.programs.nginx import free_port
from tests.programs.service import Service, wait_until_up


class _Elsewhere(httpx.HTTPTransport):
    """Takes requests for the installation's address to another port."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(port=self._port)
        return super().handle_request(request)


class Beside:
    """The second server; clients of it are clients of the installation."""

    def __init__(self, service: Service, port: int) -> None:
        self._service, self._port = service, port

    def connect(self, kind: Kind, organisation: str | None = None) -> Connection:
        """As `Service.connect`, to this server."""
        return self._service.connect(kind, organisation, _Elsewhere(self._port))


@contextmanager
def beside(service: Service) -> Iterator[Beside]:
    """Serve until the block ends."""
    settings = service.settings.model_copy(update={"port": free_port()})
    database = Database(settings.database)
    app = create_app(settings, database, service.keyring, service.clock)
    server = Server(configured(app, settings), service.announcer)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until_up(f"http://127.0.0.1:{settings.port}")
    try:
        yield Beside(service, settings.port)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        database.close()
