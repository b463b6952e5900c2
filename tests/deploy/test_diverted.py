"""The second stage of docs/isp.md: the proxy decides by the address about what DNS leads to it."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.client.store import Store
from app.client.sync import sync
from app.core.terms import Kind
from tests.programs.service import LIST, Service, approve, new_entry, running
from tests.programs.squid import ORIGIN, Proxy, folder_for_squid, helper, squid
from tests.programs.witness import free_port

TOP = Path(__file__).parents[2]
SHIPPED = TOP / "deploy" / "isp" / "proxy"


@dataclass(frozen=True)
class Diverted:
    """The proxy as a customer meets it who was led there by DNS; `port` stands for 80."""

    proxy: Proxy
    port: int

    def ask(self, host: str, path: str) -> tuple[int, bytes]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode())
            with connection.makefile("rb") as answer:
                top, _, body = answer.read().partition(b"\r\n\r\n")
        return int(top.split()[1]), body


@pytest.fixture(scope="module")
def diverted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Diverted]:
    folder, port = tmp_path_factory.mktemp("diverted"), free_port()
    _install(folder)
    with (
        folder_for_squid() as for_squid,
        helper(for_squid, "isp", "squid-helper", "--dir", str(folder / "isp")) as program,
        squid(_configuration(for_squid, program, port), for_squid, [SHIPPED / "ERR_WARDLIST"]) as proxy,
    ):
        yield Diverted(proxy, port)


def _install(folder: Path) -> None:
    """A list with one page and one path, installed."""
    with running(Service(folder / "home")) as service:
        service.add_list()
        provider = service.organisation(Kind.ISP)
        service.subscribe(provider)
        with service.connect(Kind.HOTLINE) as hotline, service.connect(Kind.REVIEW_BODY) as reviewer:
            for address, scope in (
                ("https://a.example.test/1", "url"),
                ("https://b.example.test/x/", "path"),
            ):
                body = new_entry(address, scope=scope)
                approve(reviewer, hotline.request("POST", "/v1/entries", json=body).json())
        service.publish()
        with service.connect(Kind.ISP, provider) as connection:
            assert sync(connection, LIST, Store(folder / "isp"), service.root).entry_count == 2


def _configuration(folder: Path, program: Path, port: int) -> list[str]:
    """The guide's, on this machine."""
    conf = (SHIPPED / "wardlist-divert.conf").read_text()
    shipped = (SHIPPED / "wardlist.conf").read_text()
    command = "/usr/local/bin/wardlist isp squid-helper --dir /var/lib/wardlist"
    assert command in shipped
    (folder / "wardlist.conf").write_text(shipped.replace(command, str(program)))
    here = {
        "/etc/squid/wardlist.conf": str(folder / "wardlist.conf"),
        "192.0.2.0/24 2001:db8::/32": "127.0.0.0/8",
        "http_port 80": f"http_port 127.0.0.1:{port}",
    }
    for usual, other in here.items():
        assert usual in conf
        conf = conf.replace(usual, other)
    return [line for line in conf.splitlines() if not line.startswith("#")]


def test_a_listed_page_gets_the_stop_page_and_its_neighbours_pass(diverted: Diverted) -> None:
    for host, path in (("a.example.test", "/1"), ("A.example.test:80", "/%31"), ("b.example.test", "/x/y?z")):
        status, page = diverted.ask(host, path)
        assert (status, b"This address is blocked" in page) == (451, True), (host, path)
    for host, path in (("a.example.test", "/"), ("a.example.test", "/11"), ("b.example.test", "/y")):
        assert diverted.ask(host, path) == (200, ORIGIN), (host, path)


def test_the_proxy_writes_down_nobody_s_requests(diverted: Diverted) -> None:
    assert diverted.ask("a.example.test", "/2") == (200, ORIGIN)
    assert diverted.ask("a.example.test", "/1")[0] == 451
    for log in ("access.log", "cache.log"):
        file = diverted.proxy.folder / log
        assert "a.example.test" not in (file.read_text() if file.exists() else ""), log
