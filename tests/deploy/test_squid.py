"""A running Squid with deploy/isp/proxy: it blocks what an installed list holds, by the helper's word."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.client.session import Connection
from app.client.store import Store
from app.client.sync import sync
from app.core.terms import Kind
from tests.programs.service import LIST, Service, approve, new_entry, running
from tests.programs.squid import ORIGIN, Proxy, folder_for_squid, helper, squid

SHIPPED = Path(__file__).parents[2] / "deploy" / "isp" / "proxy"


class Filter(NamedTuple):
    """A provider's Squid with the shipped configuration, and the list it blocks by."""

    proxy: Proxy
    service: Service
    hotline: Connection
    reviewer: Connection
    provider: Connection
    store: Store

    def list_entry(self, address: str, scope: str = "url") -> dict[str, Any]:
        """List an address; it is not installed yet."""
        sent = self.hotline.request("POST", "/v1/entries", json=new_entry(address, scope=scope))
        entry: dict[str, Any] = sent.json()
        approve(self.reviewer, entry)
        return entry

    def install(self) -> int:
        """Install the newest version."""
        self.service.publish()
        return int(sync(self.provider, LIST, self.store, self.service.root).version)

    def status_becomes(self, status: int, target: str) -> bool:
        """Whether Squid comes to answer so; the helper looks for another version twice a second."""
        end = time.monotonic() + 20
        while self.proxy.ask(target)[0] != status and time.monotonic() < end:
            time.sleep(0.05)
        return self.proxy.ask(target)[0] == status


@pytest.fixture(scope="module")
def filtering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filter]:
    folder = tmp_path_factory.mktemp("filter")
    with (
        running(Service(folder / "home")) as service,
        service.connect(Kind.HOTLINE) as hotline,
        service.connect(Kind.REVIEW_BODY) as reviewer,
        folder_for_squid() as for_squid,
        helper(for_squid, "isp", "squid-helper", "--dir", str(folder / "isp")) as program,
    ):
        service.add_list(quorum={"url": 1, "path": 1, "host": 2, "domain": 2})
        organisation = service.organisation(Kind.ISP)
        service.subscribe(organisation)
        conf = (SHIPPED / "wardlist.conf").read_text()
        command = "/usr/local/bin/wardlist isp squid-helper --dir /var/lib/wardlist"
        assert command in conf
        lines = conf.replace(command, str(program)).splitlines()
        with (
            service.connect(Kind.ISP, organisation) as provider,
            squid(lines, for_squid, [SHIPPED / "ERR_WARDLIST"]) as proxy,
        ):
            yield Filter(proxy, service, hotline, reviewer, provider, Store(folder / "isp"))


def test_squid_blocks_a_listed_address_and_passes_its_neighbour(filtering: Filter) -> None:
    assert filtering.proxy.ask("http://a.example.test/1") == (200, ORIGIN)
    entry = filtering.list_entry("https://a.example.test/1")
    odd = filtering.list_entry("https://a.example.test/two%23parts?of=%25it")
    assert filtering.install() == 1
    assert filtering.status_becomes(451, "http://a.example.test/1")

    status, page = filtering.proxy.ask("http://a.example.test/1")
    assert status == 451
    assert b"This address is blocked" in page
    assert b"<code>national-url-1</code>" in page
    assert b"a.example.test" not in page
    assert re.findall(rb"\S*//\S*", page) == [b'href="https://wardlist.example/stop/national-url-1"']
    for neighbour in ("/", "/2", "/1/", "/1?x", "/11", "/two", "/two%2523parts"):
        assert filtering.proxy.ask(f"http://a.example.test{neighbour}") == (200, ORIGIN), neighbour
    assert filtering.proxy.ask("http://b.example.test/1") == (200, ORIGIN)

    for spelling in (
        "http://A.EXAMPLE.test/1",
        "http://a.example.test:80/1",
        "http://a.example.test./1",
        "http://u:p@a.example.test/1",
        "http://a.ex%61mple.test/1",
        "http://a.example.test/%31",
        "http://a.example.test/%2531",
        "http://a.example.test/./x/../1",
        "http://a.example.test//1",
        "http://a.example.test/1#part",
        "http://a.example.test/two%23parts?of=%25it",
        "http://a.example.test/two%2523parts?of=%2525it",
    ):
        assert filtering.proxy.ask(spelling)[0] == 451, spelling
    # A connection shows no path, and no entry covers all of the host.
    assert filtering.proxy.ask("a.example.test:443", "CONNECT")[0] != 451

    for one in (entry, odd):
        filtering.hotline.request("POST", f"/v1/entries/{one['id']}/withdrawal")
    assert filtering.install() == 2
    assert filtering.status_becomes(200, "http://a.example.test/1")
    written = (filtering.proxy.folder / "access.log").read_text()
    assert "http://b.example.test/1" in written
    assert "/451 " not in written
    assert "example.test" not in (filtering.proxy.folder / "cache.log").read_text()


def test_squid_blocks_connections_to_a_listed_host(filtering: Filter) -> None:
    entry = filtering.list_entry("https://h.example.test/", scope="host")
    with filtering.service.connect(Kind.REVIEW_BODY) as second:
        approve(second, entry)
    filtering.install()
    assert filtering.status_becomes(451, "http://h.example.test/anything")
    assert filtering.proxy.ask("h.example.test:443", "CONNECT")[0] == 451
    assert filtering.proxy.ask("www.h.example.test:443", "CONNECT")[0] != 451


def test_a_broken_helper_shows_no_stop_page() -> None:
    with folder_for_squid() as folder:
        broken = folder / "wardlist"
        broken.write_text(
            '#!/bin/sh\nwhile read -r channel rest; do echo "$channel BH message=broken"; done\n'
        )
        broken.chmod(0o755)
        conf = (SHIPPED / "wardlist.conf").read_text()
        lines = conf.replace("/usr/local/bin/wardlist isp squid-helper --dir /var/lib/wardlist", str(broken))
        with squid(lines.splitlines(), folder, [SHIPPED / "ERR_WARDLIST"]) as proxy:
            status, page = proxy.ask("http://a.example.test/1")
    assert status == 503
    assert b"This address is blocked" not in page
