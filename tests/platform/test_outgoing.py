"""Requests to addresses that others chose: what they may reach, and how long they may take."""

import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpcore
import pytest

from app.platform import outgoing
from app.platform.outgoing import Outgoing, Refused, Unreachable, is_public, parsed
from tests.programs.certified import Certified
from tests.programs.receiver import Receiver, receiving, status

PUBLIC = "192.31.196.1"
"""AS112, which belongs to nobody and is global unicast all the same."""
HOOK = "https://hook.example/new"


class Net(httpcore.NetworkBackend):
    """Where a name resolves to is what is given; whatever is connected to is `port` of this machine."""

    def __init__(self, *answers: list[str], port: int | None = None) -> None:
        self._answers, self._port = list(answers), port
        self.asked: list[str] = []
        self.connected: list[tuple[str, int]] = []

    def resolve(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        return self._answers[min(len(self.asked), len(self._answers)) - 1]

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        self.connected.append((host, port))
        if self._port is None:
            raise httpcore.ConnectError
        return httpcore.SyncBackend().connect_tcp("127.0.0.1", self._port, timeout)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as up:
        yield up


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.251",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
        "64:ff9b:1::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1",
        "2002:a9fe:a9fe::1",
        "2002:7f00:1::1",
    ],
)
def test_an_address_that_is_not_global_unicast_is_never_called(address: str) -> None:
    net = Net([PUBLIC, address])
    with pytest.raises(Refused) as refused:
        Outgoing(resolve=net.resolve, network=net).post(HOOK, {}, b"")
    assert (net.asked, net.connected) == (["hook.example"], [])
    assert address not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [PUBLIC, "2620:4f:8000::1", f"::ffff:{PUBLIC}", f"64:ff9b::{PUBLIC}", "2002:c01f:c401::1"],
)
def test_a_global_address_may_be_called(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://hook.example/",
        "ftp://hook.example/",
        "hook.example",
        "https:///x",
        "https://hook.example:8443/",
        "https://user@hook.example/",
        "https://user:word@hook.example/",
        "https://hook.example/#part",
        "https://hook.example/a b",
        "https://hook.example/\r\nx: y",
        "https://hook.example\\@other.example/",
        "https://h\u00f6ok.example/",
        "https://hook.example/" + "a" * 2000,
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/",
    ],
)
def test_an_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        parsed(url, allow_private=False)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost", "xn--"])
def test_this_machine_by_another_name_is_not_called(host: str) -> None:
    net = Net()
    with pytest.raises((Refused, Unreachable)):
        Outgoing(network=net).post(f"https://{host}/", {}, b"")
    assert net.connected == []


def test_a_name_is_looked_up_once_and_what_was_looked_at_is_called(certified: Certified) -> None:
    with receiving(tls=certified.server()) as up:
        net = Net([PUBLIC], ["127.0.0.1"], port=up.port)
        sent = Outgoing(resolve=net.resolve, network=net, tls=certified.client())
        assert sent.post(HOOK, {"x-word": "y"}, b"body") == 204
    assert (net.asked, net.connected) == (["hook.example"], [(PUBLIC, 443)])
    assert up.names == ["hook.example"]
    assert (up.got[0].headers["host"], up.got[0].path, up.got[0].body) == ("hook.example", "/new", b"body")


def test_a_certificate_of_another_name_is_not_accepted(certified: Certified) -> None:
    with receiving(tls=certified.server()) as up:
        net = Net([PUBLIC], port=up.port)
        sent = Outgoing(resolve=net.resolve, network=net, tls=certified.client())
        with pytest.raises(Unreachable):
            sent.post("https://other.example/", {}, b"")
    assert up.got == []


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    net = Net([PUBLIC, "2620:4f:8000::1"])
    with pytest.raises(Unreachable):
        Outgoing(resolve=net.resolve, network=net).post(HOOK, {}, b"")
    assert net.connected == [(PUBLIC, 443), ("2620:4f:8000::1", 443)]


def test_a_redirect_is_an_answer_and_not_followed(receiver: Receiver) -> None:
    with receiving(status(307, Location=receiver.url("/private"))) as up:
        assert Outgoing(allow_private=True).post(up.url(), {}, b"") == 307
    assert receiver.got == []


def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        assert Outgoing(allow_private=True).post(receiver.url(), {}, b"") == 204
    assert (len(receiver.got), proxy.got) == (1, [])


def test_a_receiver_that_drips_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "SECONDS", 0.3)
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        try:
            while True:
                handler.wfile.write(b"x")
                over.wait(0.02)
        except OSError:
            over.set()

    with receiving(drip) as up, pytest.raises(Unreachable):
        Outgoing(allow_private=True).post(up.url(), {}, b"")
    assert over.wait(10)


def test_an_endless_body_is_not_read() -> None:
    over = threading.Event()

    def pour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            over.set()

    with receiving(pour) as up:
        assert Outgoing(allow_private=True).post(up.url(), {}, b"") == 200
        assert over.wait(10)


@pytest.mark.parametrize("url", ["https://listed.example/hook", "https://LISTED.example:443/"])
def test_a_host_that_is_not_called_is_not_even_looked_up(url: str) -> None:
    net = Net([PUBLIC])
    strict = Outgoing(resolve=net.resolve, network=net, may_call=lambda host: host != "listed.example")
    with pytest.raises(Refused) as refused:
        strict.post(url, {}, b"")
    assert (net.asked, net.connected) == ([], [])
    assert "listed" not in str(refused.value)


def test_nobody_listening_is_unreachable_without_the_address_in_the_words(receiver: Receiver) -> None:
    with receiving() as gone:
        url = gone.url("/secret-path")
    with pytest.raises(Unreachable) as failed:
        Outgoing(allow_private=True).post(url, {}, b"")
    assert "secret-path" not in str(failed.value)


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    return Certified(tmp_path)
