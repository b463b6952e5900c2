"""nginx with deploy/nginx.conf before a running service that has one version of a list."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.nginx import PROGRAM, Nginx, free_port
from tests.programs.service import LIST, Service, approve, new_entry, running

LATEST = f"/v1/lists/{LIST}/snapshots/latest"


@dataclass
class Front:
    """The service as it is seen through nginx; every connection of it goes through there."""

    service: Service
    nginx: Nginx
    hotline: Connection
    reviewer: Connection
    provider: Connection

    def list_them(self, *urls: str) -> None:
        """One more version, with these, out for a second."""
        for url in urls:
            approve(self.reviewer, self.hotline.request("POST", "/v1/entries", json=new_entry(url)).json())
        self.service.publish()
        self.nginx.age()

    def get(self, path: str, token: str | None = None, **headers: str) -> httpx.Response:
        """An answer of nginx."""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return httpx.get(self.nginx.address + path, headers=headers, timeout=90)

    def manifest(self) -> dict[str, Any]:
        """The newest that the provider sees."""
        found: dict[str, Any] = self.provider.request("GET", LATEST).json()
        return found


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Shared by a module's tests: each adds to it, none takes anything away from another."""
    if PROGRAM is None:
        pytest.skip("nginx is not installed")
    folder: Path = tmp_path_factory.mktemp("front")
    port = free_port()
    service = Service(folder / "home", issuer=f"http://127.0.0.1:{port}", trusted_proxies="127.0.0.1")
    nginx = Nginx(folder / "nginx", service.settings.home, service.settings.port, port)
    with nginx.running(), running(service):
        service.add_list()
        isp = service.organisation(Kind.ISP)
        service.subscribe(isp)
        with (
            service.connect(Kind.HOTLINE) as hotline,
            service.connect(Kind.REVIEW_BODY) as reviewer,
            service.connect(Kind.ISP, isp) as provider,
        ):
            made = Front(service, nginx, hotline, reviewer, provider)
            made.list_them("https://a.example.test/1")
            yield made
