"""Polls: an unchanged one beside nginx answering 304 for a file, and ten thousand that wait at once.

The server is `wardlist serve` with one worker, pinned to one core; what loads it runs on the other.
"""

import asyncio
import os
import re
import resource
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import sqlalchemy as sa

from app.core.terms import Kind
from app.distribution.waiting import AT_ONCE
from app.identity.models import Client
from app.identity.permissions import Scope
from app.identity.tokens import Issuer
from bench import filling
from tests.programs.service import LIST, Service, wait_until_up

LATEST = f"/v1/lists/{LIST}/snapshots/latest"
RUNS, SECONDS, CROWD = 5, 3, 10_000
_NGINX = """
user root; daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""


@contextmanager
def _program(command: list[str], core: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run pinned to a core until the block ends."""
    pinned = ["taskset", "-c", str(core), *command]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(pinned, env={**os.environ, **environment}, stdout=said, stderr=said)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def _serving(service: Service) -> Iterator[int]:
    """`wardlist serve` on the service's folder; its process id."""
    settings = service.settings
    environment = {"HOME": str(settings.home), "PORT": str(settings.port), "ISSUER": service.address}
    environment |= {"POLL_BURST": "1000000000"}
    command = [str(Path(sys.executable).with_name("wardlist")), "serve"]
    named = {f"WARDLIST_{name}": value for name, value in environment.items()}
    with _program(command, 0, **named) as process:
        wait_until_up(service.address)
        yield process.pid


def _wait_for(port: int) -> None:
    while True:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)


def _published(folder: Path) -> Service:
    service = Service(folder / "home")
    service.add_list()
    filling.approved(service, 100)
    service.publish()
    return service


def _tokens(service: Service, count: int) -> list[str]:
    """Of as many clients of one provider that subscribes."""
    now, organisation = service.clock(), service.organisation(Kind.ISP)
    service.subscribe(organisation)
    ids = [secrets.token_hex(16) for _ in range(count)]
    common = {"organisation_id": organisation, "scopes": Scope.LISTS_READ.value, "created_at": now}
    with service.database.writing() as session:
        session.execute(sa.insert(Client), [{"id": one, **common} for one in ids])
    issuer = Issuer(service.address, service.keyring.token)
    return [issuer.issue(one, organisation, {Scope.LISTS_READ.value}, now) for one in ids]


def _rate(address: str, headers: dict[str, str]) -> float:
    """Answers a second to 32 connections of one thread. Raises ValueError for any that is not 2xx or 3xx."""
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{SECONDS}s", *given, address]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise ValueError(said)
    return float(found[1])


def unchanged(folder: Path) -> tuple[list[float], list[float]]:
    """Answers a second of wardlist and of nginx, measured in turns."""
    service = _published(folder)
    (token,) = _tokens(service, 1)
    own = {"Authorization": f"Bearer {token}", "If-None-Match": f'"{LIST}-1"'}
    port = service.settings.port + 1 if service.settings.port < 65000 else service.settings.port - 1
    nginx = folder / "nginx"
    (nginx / "www").mkdir(parents=True)
    (nginx / "nginx.conf").write_text(_NGINX.format(folder=nginx, port=port))
    with _serving(service), _program(["nginx", "-c", str(nginx / "nginx.conf"), "-p", str(nginx)], 0):
        _wait_for(port)
        answer = httpx.get(service.address + LATEST, headers={"Authorization": own["Authorization"]})
        (nginx / "www" / "latest").write_bytes(answer.content)
        peer = f"http://127.0.0.1:{port}/latest"
        theirs = {**own, "If-None-Match": httpx.get(peer).headers["etag"]}
        for address, headers in ((service.address + LATEST, own), (peer, theirs)):
            assert httpx.get(address, headers=headers).status_code == 304
        pairs = [(_rate(service.address + LATEST, own), _rate(peer, theirs)) for _ in range(RUNS)]
    service.database.close()
    return [one for one, _ in pairs], [other for _, other in pairs]


def crowd(folder: Path) -> dict[str, float]:
    """Seconds from an emergency delisting to the first and last answer; the server's KiB a waiting poll."""
    service = _published(folder)
    tokens = _tokens(service, CROWD // AT_ONCE)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.sched_setaffinity(0, {1})
    try:
        with _serving(service) as process, service.connect(Kind.OPERATOR) as operator:
            operator.token()
            with service.database.reading() as session:
                entry = session.execute(
                    sa.text("SELECT id FROM entry WHERE status = 'LISTED' LIMIT 1")
                ).scalar_one()

            def delist() -> None:
                body = {"entries": [entry]}
                operator.request("POST", "/v1/entries/emergency-delisting", json=body)

            return asyncio.run(_wait_all(service, process, tokens, delist))
    finally:
        os.sched_setaffinity(0, {0, 1})
        service.database.close()


async def _wait_all(
    service: Service, process: int, tokens: list[str], delist: Callable[[], object]
) -> dict[str, float]:
    gate = asyncio.Semaphore(200)
    before = _resident_kib(process)
    polls = [asyncio.create_task(_poll(service, token, gate)) for token in tokens for _ in range(AT_ONCE)]
    async with httpx.AsyncClient() as client:
        while (
            f"wardlist_polls_waiting {float(len(polls))}"
            not in (await client.get(f"{service.address}/metrics")).text
        ):
            await asyncio.sleep(0.2)
    held = _resident_kib(process) - before
    started = time.monotonic()
    await asyncio.to_thread(delist)
    answers = await asyncio.gather(*polls)
    assert {status for status, _ in answers} == {b"200"}
    times = [at - started for _, at in answers]
    return {"first": min(times), "last": max(times), "kib": held / len(polls)}


async def _poll(service: Service, token: str, gate: asyncio.Semaphore) -> tuple[bytes, float]:
    async with gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.settings.port, limit=4096)
        head = (
            f"GET {LATEST} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            f'If-None-Match: "{LIST}-1"\r\nPrefer: wait=60\r\n\r\n'
        )
        writer.write(head.encode())
        await writer.drain()
    line = await reader.readline()
    at = time.monotonic()
    with suppress(OSError):
        writer.close()
    return line.split()[1], at


def _resident_kib(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+([0-9]+) kB", status)
    assert found is not None
    return int(found[1])


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    ours, theirs = unchanged(folder / "unchanged")
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    own, peer = statistics.median(ours), statistics.median(theirs)
    found = crowd(folder / "crowd")
    return [
        "",
        "## Polls",
        f"Server on one core, wrk on the other, 32 connections; medians of {RUNS} runs of {SECONDS} s.",
        "",
        "| what | a second | ratio |",
        "|---|---|---|",
        f"| nginx, one worker, 304 for a file of the same size (peer) | {peer:.0f} | 1 |",
        f"| unchanged poll, authenticated, its bytes repeated, one worker | {own:.0f} | {ratio:.2f} |",
        "",
        f"{CROWD:,} polls wait in one process. After an emergency delisting was asked for, the first was",
        f"answered in {found['first']:.2f} s and the last in {found['last']:.2f} s. A waiting poll takes "
        f"{found['kib']:.1f} KiB.",
    ]
