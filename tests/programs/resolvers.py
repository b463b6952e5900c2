"""Name servers on free ports of 127.0.0.1, before an upstream in this process that knows every name."""

import os
import shutil
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from tests.programs.witness import free_port

ADDRESS = "192.0.2.80"
"""What the upstream says that every name has."""
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Answer:
    """`code` as DNS names it; `texts` are the records' data, in order."""

    code: str
    texts: tuple[str, ...]

    @property
    def leads_there(self) -> bool:
        """Whether it is what the upstream says."""
        return ADDRESS in self.texts


@dataclass(frozen=True)
class Resolver:
    """A running name server."""

    port: int

    def ask(self, name: str, kind: str = "A") -> Answer:
        """Ask for a name whose labels may hold any byte but a dot."""
        labels = [*(label.encode() for label in name.split(".")), b""]
        query = dns.message.make_query(dns.name.Name(labels), kind)
        found = dns.query.udp(query, "127.0.0.1", timeout=20, port=self.port, raise_on_truncation=True)
        texts = tuple(record.to_text() for several in found.answer for record in several)
        return Answer(dns.rcode.to_text(found.rcode()), texts)


def program(name: str) -> str:
    """Where it is; the test is skipped when it is nowhere."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@contextmanager
def upstream() -> Iterator[int]:
    """The port of a name server that gives every name one address."""
    with socketserver.UDPServer(("127.0.0.1", 0), _KnowsAll) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@contextmanager
def unbound(folder: Path, server: str = "", clauses: str = "") -> Iterator[Resolver]:
    """Unbound with these lines in its `server:` clause and these clauses after it."""
    serve, check, port = program("unbound"), program("unbound-checkconf"), free_port()
    conf = folder / "unbound.conf"
    with upstream() as above:
        conf.write_text(
            f'server:\n  interface: 127.0.0.1@{port}\n  do-daemonize: no\n  username: ""\n  chroot: ""\n'
            f'  directory: "{folder}"\n  pidfile: ""\n  use-syslog: no\n  do-not-query-localhost: no\n'
            f'  local-zone: "test." nodefault\n  num-threads: 1\n  {server}\n{clauses}\n'
            f'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@{above}\n'
        )
        checked = subprocess.run([check, str(conf)], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        with serving([serve, "-d", "-c", str(conf)], folder, port) as up:
            yield up


@contextmanager
def bind(folder: Path, zone_file: Path, zone: str = "block.example") -> Iterator[Resolver]:
    """BIND with a master file as its response policy zone."""
    serve, port = program("named"), free_port()
    folder.chmod(0o777)
    conf = folder / "named.conf"
    with upstream() as above:
        conf.write_text(
            f'options {{ directory "{folder}"; pid-file none; session-keyfile none; recursion yes;\n'
            f"  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; dnssec-validation no;\n"
            f"  forward only; forwarders {{ 127.0.0.1 port {above}; }}; empty-zones-enable no;\n"
            f'  response-policy {{ zone "{zone}" add-soa no; }} qname-wait-recurse no; }};\n'
            f'controls {{ }};\nzone "{zone}" {{ type primary; file "{zone_file}"; }};\n'
        )
        with serving([serve, "-g", "-c", str(conf), "-n", "1"], folder, port) as up:
            yield up


@contextmanager
def dnsmasq(folder: Path, hosts_file: Path) -> Iterator[Resolver]:
    """dnsmasq that knows a hosts file alone."""
    serve, port = program("dnsmasq"), free_port()
    options: tuple[str, ...] = (
        "--keep-in-foreground",
        "--no-resolv",
        "--no-hosts",
        "--conf-file=/dev/null",
        "--pid-file",
    )
    own = (f"--addn-hosts={hosts_file}", f"--port={port}", "--listen-address=127.0.0.1", "--user=root")
    options += ("--bind-interfaces", "--log-facility=-", *own)
    with serving([serve, *options], folder, port) as up:
        yield up


class _KnowsAll(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, socket = self.request
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        if question.rdtype == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", ADDRESS))
        socket.sendto(answer.to_wire(), self.client_address)


@contextmanager
def serving(command: list[str], folder: Path, port: int) -> Iterator[Resolver]:
    """A name server's program, once it answers on this port; what it says goes to the file `out`."""
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        _wait_for(process, port, folder / "out")
        yield Resolver(port)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(process: subprocess.Popen[bytes], port: int, out: Path) -> None:
    end, query = time.monotonic() + 30, dns.message.make_query("ready.test", "A")
    while time.monotonic() < end:
        assert process.poll() is None, out.read_text(errors="replace")
        try:
            dns.query.udp(query, "127.0.0.1", timeout=0.5, port=port)
            return
        except (OSError, dns.exception.Timeout):
            time.sleep(0.05)
    raise TimeoutError("the name server did not come up")
