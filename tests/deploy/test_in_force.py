"""A whole provider: `isp watch` keeps a sealed list in force at a running Squid and in a zone, by itself."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.core.terms import Kind
from tests.client.subscription import Subscription, subscribed
from tests.client.test_daemon import Installation
from tests.programs.faulty import Faulty, network
from tests.programs.service import Service, approve, new_entry, running
from tests.programs.squid import ORIGIN, Proxy, folder_for_squid, helper, squid

SHIPPED = Path(__file__).parents[2] / "deploy" / "isp" / "proxy"
CHECKER = shutil.which("named-checkzone", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
PAGE, NEIGHBOUR, HOST = "http://a.example.test/1", "http://a.example.test/2", "h.example.test"


class Provider:
    """Everything here is a program of its own; only the service is in this process."""

    def __init__(self, at: Subscription, proxy: Proxy, net: Faulty, folder: Path) -> None:
        self.at, self.proxy, self.net = at, proxy, net
        self.zone, self.reloads, self.health = (
            folder / "block.rpz",
            folder / "reloads",
            folder / "health.json",
        )
        self.version = 0

    def lists(self, address: str, scope: str = "url") -> str:
        """List an address and publish; the entry's id."""
        body = new_entry(address, scope=scope, list=self.at.name)
        entry: dict[str, Any] = self.at.hotline.request("POST", "/v1/entries", json=body).json()
        approve(self.at.reviewer, entry)
        if scope == "host":
            with self.at.service.connect(Kind.REVIEW_BODY) as second:
                approve(second, entry)
        self._publish()
        return str(entry["id"])

    def delists(self, entry: str) -> None:
        """Withdraw and publish."""
        self.at.withdraw(entry)
        self._publish()

    def answers(self, target: str, status: int) -> bool:
        """Whether Squid answers so now."""
        return self.proxy.ask(target)[0] == status

    def is_told(self) -> bool:
        """Whether the service was told that the newest version is in force."""
        return self.at.told(self.version) == "applied"

    def _publish(self) -> None:
        self.at.publish()
        self.version += 1


def until(holds: Callable[[], bool]) -> None:
    """Return once it is so. Fails after a minute."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Nothing is listed yet. The daemon reaches the service through a network that can go down."""
    if CHECKER is None:
        pytest.skip("named-checkzone is not installed")
    folder = tmp_path_factory.mktemp("in-force")
    with (
        running(Service(folder / "home", canary_suffixes="owned.example")) as service,
        service.connect(Kind.HOTLINE) as hotline,
        subscribed((service, hotline), folder) as at,
        filtering(at, folder) as (proxy, installation),
        network() as net,
    ):
        one = Provider(at, proxy, net, folder)
        check, reload = f"{CHECKER} -q block.example {{}}", f"sh -c 'echo >> {one.reloads}'"
        to = ["--format", "rpz", "--out", str(one.zone), "--check", check, "--reload", reload]
        with watching(installation.command(*to, "--health", str(one.health)), net):
            yield one


@contextmanager
def filtering(at: Subscription, folder: Path) -> Iterator[tuple[Proxy, Installation]]:
    """Squid with the shipped configuration, over a folder where nothing is installed."""
    installation = Installation(at, folder)
    conf = (SHIPPED / "wardlist.conf").read_text()
    command = "/usr/local/bin/wardlist isp squid-helper --dir /var/lib/wardlist"
    assert command in conf
    with (
        folder_for_squid() as for_squid,
        helper(for_squid, "isp", "squid-helper", "--dir", str(folder / "isp")) as program,
        squid(
            conf.replace(command, str(program)).splitlines(), for_squid, [SHIPPED / "ERR_WARDLIST"]
        ) as proxy,
    ):
        yield proxy, installation


@contextmanager
def watching(command: list[str], net: Faulty) -> Iterator[None]:
    """The daemon runs until the block ends, and then ends well without having named an address."""
    environment = {**os.environ, "http_proxy": net.address, "HTTP_PROXY": net.address, "no_proxy": ""}
    daemon = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield
        daemon.terminate()
        _, printed = daemon.communicate(timeout=60)
    finally:
        daemon.kill()
        daemon.wait()
    assert daemon.returncode == 0
    assert "example" not in printed


def test_a_listed_page_is_blocked_and_passes_again_by_itself_once_delisted(provider: Provider) -> None:
    page = provider.lists(PAGE)
    until(lambda: provider.answers(PAGE, 451))
    status, body = provider.proxy.ask(PAGE)
    assert (status, b"This address is blocked" in body) == (451, True)
    assert provider.proxy.ask(NEIGHBOUR) == (200, ORIGIN)
    until(provider.is_told)

    host = provider.lists(f"http://{HOST}/", "host")
    until(lambda: provider.answers(f"http://{HOST}/any", 451))
    until(provider.is_told)
    assert f"\n{HOST} " in provider.zone.read_text()
    assert "a.example.test" not in provider.zone.read_text()

    provider.delists(page)
    until(lambda: provider.answers(PAGE, 200))
    assert provider.proxy.ask(PAGE) == (200, ORIGIN)
    assert provider.answers(f"http://{HOST}/any", 451)
    until(provider.is_told)

    provider.delists(host)
    until(lambda: provider.answers(f"http://{HOST}/any", 200))
    until(provider.is_told)
    assert f"\n{HOST} " not in provider.zone.read_text()
    assert provider.reloads.read_text() == "\n" * provider.version


def test_a_page_stays_blocked_while_the_network_is_down_and_follows_once_it_is_up(provider: Provider) -> None:
    first = provider.lists(PAGE)
    until(provider.is_told)
    until(lambda: provider.answers(PAGE, 451))
    zone = provider.zone.read_bytes()
    provider.net.down()
    provider.delists(first)
    # The poll that was held when the network went down brings the news, and nothing else comes through.
    until(lambda: json.loads(provider.health.read_bytes())["state"] == "degraded")
    assert "does not answer" in json.loads(provider.health.read_bytes())["lists"][0]["last_error"]
    assert provider.answers(PAGE, 451)
    assert provider.zone.read_bytes() == zone
    provider.net.up()
    until(provider.is_told)
    until(lambda: provider.answers(PAGE, 200))
    assert json.loads(provider.health.read_bytes())["state"] == "ok"
