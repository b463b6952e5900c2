"""docs/isp.md and deploy/isp: each configuration, in its real program, does what it says."""

import os
import re
import shlex
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.query
import dns.zone
import pytest
import rfc8785

from app.core.terms import Format
from app.lists.formats import FORMATS
from app.lists.formats.sheet import Sheet
from tests.programs import resolvers
from tests.programs.resolvers import Answer, Resolver, program, serving, upstream
from tests.programs.witness import free_port

TOP = Path(__file__).parents[2]
GUIDE = (TOP / "docs" / "isp.md").read_text()
PROXY, PROXY6 = "192.0.2.53", "2001:db8::53"
Entry = tuple[str, str]
FIRST: list[Entry] = [
    ("host", "https://host.example.test/"),
    ("domain", "https://domain.example.test/"),
    ("url", "https://page.example.test/listed/1"),
]
SECOND: list[Entry] = [
    ("host", "https://later.example.test/"),
    ("path", "https://other.example.test/listed/"),
]


KIT = {"sh": "reload", "unbound": "resolver/unbound.conf", "nginx-stream": "proxy/nginx-443.conf"}
"""Configurations that are files of deploy/isp; the others stand in the guide."""


def block(name: str) -> str:
    """The configuration of this name, which the guide holds or leads to."""
    if name in KIT:
        assert f"(../deploy/isp/{KIT[name]})" in GUIDE
        return (TOP / "deploy" / "isp" / KIT[name]).read_text()
    (found,) = re.findall(rf"^```{name}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    return str(found)


@dataclass
class Zones:
    """The two zones of a resolver in `folder`, made as `isp watch` and its reload program do."""

    folder: Path

    def write(self, version: int, entries: list[Entry]) -> None:
        lines = sorted(
            rfc8785.dumps(
                {"commitment_key": "0" * 64, "entry": str(uuid.uuid4()), "scope": scope, "url": address}
            )
            for scope, address in entries
        )
        sheet = Sheet("national-url", version, lines)
        for form, file in ((Format.JSONL, "list.jsonl"), (Format.RPZ, "block.rpz")):
            (self.folder / f".{file}").write_bytes(b"".join(FORMATS[form].render(sheet)))
            os.replace(self.folder / f".{file}", self.folder / file)
        (command,) = (line for line in block("sh").splitlines() if "divert.py" in line)
        here = command.replace("python3", sys.executable)
        here = here.replace("/usr/local/lib/wardlist", str(TOP / "deploy" / "isp"))
        here = re.sub(r"/var/lib/(unbound/)?wardlist", str(self.folder), here)
        subprocess.run(shlex.split(here), check=True)

    def placed(self, text: str) -> str:
        """A configuration with this folder in place of the usual one."""
        return re.sub(r"/var/lib/[a-z-]+/wardlist", str(self.folder), text)


@contextmanager
def unbound(zones: Zones) -> Iterator[tuple[Resolver, Callable[[], object]]]:
    control = program("unbound-control")
    socket_file = zones.folder / "ctl"
    conf = zones.placed(block("unbound")).replace("/run/unbound.ctl", str(socket_file))
    with resolvers.unbound(zones.folder, clauses=conf) as up:
        command = [control, "-c", str(zones.folder / "unbound.conf"), "-q", "reload_keep_cache"]
        yield up, lambda: subprocess.run(command, check=True)


@contextmanager
def bind(zones: Zones) -> Iterator[tuple[Resolver, Callable[[], object]]]:
    serve, rndc, port, control = program("named"), program("rndc"), free_port(), free_port()
    folder = zones.folder
    folder.chmod(0o777)
    key = 'key "k" { algorithm hmac-sha256; secret "c2VjcmV0LW9mLWEtdGVzdA=="; };\n'
    (folder / "rndc.key").write_text(key)
    with upstream() as above:
        (folder / "named.conf").write_text(
            f'{key}controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ "k"; }}; }};\n'
            f'options {{ directory "{folder}"; pid-file none; session-keyfile none; recursion yes;\n'
            f"  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; dnssec-validation no;\n"
            f"  forward only; forwarders {{ 127.0.0.1 port {above}; }}; empty-zones-enable no;\n"
            f"{block('bind-options')}}};\n{zones.placed(block('bind'))}"
        )
        with serving([serve, "-g", "-c", str(folder / "named.conf"), "-n", "1"], folder, port) as up:
            command = [rndc, "-k", str(folder / "rndc.key"), "-p", str(control), "reload"]
            yield up, lambda: subprocess.run(command, check=True, capture_output=True)


@contextmanager
def knot_resolver(zones: Zones) -> Iterator[tuple[Resolver, Callable[[], object]]]:
    serve, port, folder = program("kresd"), free_port(), zones.folder
    with upstream() as above:
        (folder / "kresd.conf").write_text(
            f"net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})\n"
            "modules.unload('ta_update') modules.unload('ta_signal_query') trust_anchors.remove('.')\n"
            f"cache.size = 10*MB\n{zones.placed(block('kresd'))}"
            f"policy.add(policy.all(policy.FORWARD({{'127.0.0.1@{above}'}})))\n"
        )
        with serving([serve, "-n", "-c", str(folder / "kresd.conf"), str(folder)], folder, port) as up:
            yield up, lambda: None


@contextmanager
def powerdns(zones: Zones) -> Iterator[tuple[Resolver, Callable[[], object]]]:
    serve, control, port, folder = program("pdns_recursor"), program("rec_control"), free_port(), zones.folder
    (folder / "recursor.lua").write_text(zones.placed(block("pdns-lua")))
    conf = block("pdns").replace("/etc/powerdns", str(folder))
    with upstream() as above:
        (folder / "recursor.conf").write_text(
            f"local-address=127.0.0.1\nlocal-port={port}\nsocket-dir={folder}\ndnssec=off\ndont-query=\n"
            f"forward-zones-recurse=.=127.0.0.1:{above}\nsecurity-poll-suffix=\n{conf}"
        )
        with serving([serve, f"--config-dir={folder}"], folder, port) as up:
            command = [control, f"--socket-dir={folder}", "reload-lua-config"]
            yield up, lambda: subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize("started", [unbound, bind, knot_resolver, powerdns], ids=lambda one: one.__name__)
def test_a_resolver_blocks_hosts_diverts_hosts_of_pages_and_takes_the_next_version(
    started: Callable[[Zones], Iterator[tuple[Resolver, Callable[[], object]]]], tmp_path: Path
) -> None:
    zones = Zones(tmp_path)
    zones.write(1, FIRST)
    with started(zones) as (resolver, reload):  # type: ignore[attr-defined]
        for name in ("host.example.test", "domain.example.test", "a.b.domain.example.test"):
            assert resolver.ask(name).code == "NXDOMAIN", name
        assert resolver.ask("page.example.test").texts == (PROXY,)
        assert resolver.ask("page.example.test", "AAAA").texts == (PROXY6,)
        for name in ("x.host.example.test", "www.page.example.test", "example.test", "later.example.test"):
            assert resolver.ask(name).leads_there, name
        zones.write(2, SECOND)
        reload()
        _until(resolver, "later.example.test", lambda answer: answer.code == "NXDOMAIN")
        _until(resolver, "other.example.test", lambda answer: answer.texts == (PROXY,))
        for name in ("host.example.test", "a.b.domain.example.test", "page.example.test"):
            _until(resolver, name, lambda answer: answer.leads_there)


def test_bind_hands_the_list_to_nobody(tmp_path: Path) -> None:
    zones = Zones(tmp_path)
    zones.write(1, FIRST)
    with bind(zones) as (resolver, _):
        assert resolver.ask("block.example", "SOA").code == "REFUSED"
        with pytest.raises(dns.exception.DNSException):
            dns.query.inbound_xfr("127.0.0.1", dns.zone.Zone("block.example"), port=resolver.port)


def _until(resolver: Resolver, name: str, holds: Callable[[Answer], bool]) -> None:
    end = time.monotonic() + 30
    while not holds(answer := resolver.ask(name)):
        assert time.monotonic() < end, (name, answer)
        time.sleep(0.1)


def test_divert_leaves_out_what_a_zone_cannot_hold_and_keeps_the_old_one_when_it_fails(
    tmp_path: Path,
) -> None:
    zones = Zones(tmp_path)
    hosts = ["a%0a.example.test", "b c.example.test", "*.example.test", "x.rpz-ip", "-.example.test"]
    hosts += ["good.example.test", f"{'long.' * 40}example.test", "$ttl", "port.example.test:8080"]
    zones.write(1, [("url", f"https://{host}/listed") for host in hosts])
    zone = (tmp_path / "divert.rpz").read_text()
    names = {line.split()[0] for line in zone.splitlines() if line.endswith((PROXY, PROXY6))}
    assert names == {"good.example.test", "port.example.test"}
    assert "; left out: 7 hosts" in zone
    (tmp_path / "list.jsonl").write_text("not a list\n")
    command = [sys.executable, str(TOP / "deploy/isp/divert.py"), "list.jsonl", "divert.rpz", PROXY]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode
    assert (tmp_path / "divert.rpz").read_text() == zone


def test_port_443_is_passed_on_by_name_and_an_address_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve, module = program("nginx"), Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    if not module.exists():
        pytest.skip("nginx has no stream module here")
    monkeypatch.setattr(resolvers, "ADDRESS", "127.0.0.1")
    port = free_port()
    with upstream() as above, socketserver.TCPServer(("127.0.0.1", 0), _Origin) as origin:
        threading.Thread(target=origin.serve_forever, args=(0.05,), daemon=True).start()
        conf = block("nginx-stream").replace("resolver 192.0.2.1", f"resolver 127.0.0.1:{above} ipv6=off")
        conf = conf.replace("$name:443", f"$name:{origin.server_address[1]}")
        conf = (
            conf.replace("listen [::]:443", f"listen [::1]:{port}")
            .replace("listen 443", f"listen 127.0.0.1:{port}")
            .replace("192.0.2.0/24", "127.0.0.0/8")
        )
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error;\nload_module {module};\n"
            f"events {{}}\n{conf}"
        )
        command = [serve, "-p", str(tmp_path), "-c", "nginx.conf", "-e", str(tmp_path / "error")]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            assert _hello(port, "page.example.test") == b"from page.example.test"
            assert _hello(port, "127.0.0.1") == b""
            assert _hello(port, None) == b""
        finally:
            process.terminate()
            process.wait(timeout=20)
            origin.shutdown()


class _Origin(socketserver.BaseRequestHandler):
    """Says which name the hello it was passed is for."""

    def handle(self) -> None:
        hello = self.request.recv(4096)
        name = b"page.example.test"
        self.request.sendall(b"from " + name if name in hello else b"from elsewhere")


def _hello(port: int, name: str | None) -> bytes:
    """What comes back for a TLS client hello with this name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="x.example.test" if name else None)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    data = out.read()
    if name:
        data = _renamed(data, name.encode())
    end = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(data)
                try:
                    return connection.recv(100)
                except ConnectionResetError:
                    return b""
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.05)


def _renamed(hello: bytes, name: bytes) -> bytes:
    """The hello with another server name; OpenSSL itself sends none that is an address."""
    was, more = b"x.example.test", len(name) - len(b"x.example.test")
    at = hello.index(was)

    def longer(offset: int, size: int) -> bytes:
        return (int.from_bytes(hello[offset : offset + size], "big") + more).to_bytes(size, "big")

    after_random = 43 + 1 + hello[43]
    ciphers = after_random + 2 + int.from_bytes(hello[after_random : after_random + 2], "big")
    extensions = ciphers + 1 + hello[ciphers]
    parts = [(3, 2), (6, 3), (extensions, 2), (at - 7, 2), (at - 5, 2), (at - 2, 2)]
    changed = bytearray(hello)
    for offset, size in parts:
        changed[offset : offset + size] = longer(offset, size)
    return bytes(changed[:at]) + name + bytes(changed[at + len(was) :])
