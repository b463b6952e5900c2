"""From sign-off to installed at a provider that holds a poll, and the bytes of a provider's day."""

import gzip
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpcore
import httpx
import orjson
from sqlalchemy import text

from app.client.session import Connection
from app.client.store import Store
from app.client.trusted import Trust
from app.client.watch import Did, Watcher
from app.core import age
from app.core.terms import Confidentiality, Kind
from app.identity import service as identity
from app.identity.permissions import MAY_HOLD
from bench import filling
from tests.programs.service import LIST, Service, approve, new_entry, running

DAY_LIVE, DAY_CHANGES, DAY_VERSIONS, SINGLE_VERSIONS, PROVIDERS = 25_000, 1_100, 24, 100, 50
SIZES, TIMES = (25_000, 100_000), 30
_WARM = 2
_SPACE_SECONDS = 1.2
"""A list has at most one version a second; sign-offs here do not wait for that."""


class _Counting(httpcore.SyncBackend):
    """Counts every byte of HTTP, both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def connect_tcp(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        """A counted connection."""
        return _Counted(super().connect_tcp(*args, **options), self)


class _Counted(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, count: _Counting) -> None:
        self._stream, self._count = stream, count

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        taken = self._stream.read(max_bytes, timeout)
        self._count.bytes += len(taken)
        return taken

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._count.bytes += len(buffer)
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@contextmanager
def _sealed(folder: Path, live: int) -> Iterator[tuple[Service, str, str]]:
    """A sealed list with so many entries and 50 providers; the service, one provider and its identity."""
    with running(Service(folder / "home")) as service:
        service.add_list(
            confidentiality=Confidentiality.SEALED,
            formats=["jsonl", "hashes"],
            min_poll_seconds=1,
            brake_changes=live * 3,
            brake_free=live * 3,
        )
        for _ in range(PROVIDERS):
            provider = service.organisation(Kind.ISP)
            secret, public = age.generate()
            with service.database.writing() as session:
                identity.add_recipient(session, provider, public, service.clock())
            service.subscribe(provider)
        filling.approved(service, live)
        service.publish()
        yield service, provider, secret


def _listed(service: Service, count: int) -> list[str]:
    query = text("SELECT id FROM entry WHERE status = 'LISTED' ORDER BY seq LIMIT :count")
    with service.database.reading() as session:
        return list(session.execute(query, {"count": count}).scalars())


def day(folder: Path) -> dict[str, tuple[int, int, float]]:
    """How a day comes -> versions, bytes a version by deltas, bytes a version as gzip JSON."""
    found = {}
    with _sealed(folder, DAY_LIVE) as (service, provider, secret), service.connect(Kind.OPERATOR) as operator:
        backend, transport = _Counting(), httpx.HTTPTransport()
        transport._pool._network_backend = backend
        with service.connect(Kind.ISP, provider, transport) as connection:
            store = Store(folder / "isp")
            watcher = Watcher(connection, LIST, store, Trust(service.root, identities=(secret,)))
            assert watcher.step().did is Did.INSTALLED
            assert not watcher.hear(1)
            start = DAY_LIVE
            for name, versions, each in (
                ("24 versions", DAY_VERSIONS, -(-DAY_CHANGES // DAY_VERSIONS)),
                ("1,100 versions", SINGLE_VERSIONS, 1),
            ):
                took = 0
                for _ in range(versions):
                    _change(service, operator, start, each)
                    start, before = start + each, backend.bytes
                    assert watcher.hear(30)
                    assert watcher.step().did is Did.INSTALLED
                    took += backend.bytes - before
                found[name] = (versions, took // versions, _gzipped(store))
    return found


def _change(service: Service, operator: Connection, start: int, count: int) -> None:
    """A version with so many additions and removals."""
    filling.approved(service, count, start)
    gone = _listed(service, count)
    operator.request("POST", "/v1/entries/emergency-delisting", json={"entries": gone})
    service.publish()


def _gzipped(store: Store) -> float:
    whole = orjson.dumps([orjson.loads(line) for line in store.lines(LIST)])
    return len(gzip.compress(whole, 6))


def delays(folder: Path, live: int) -> list[float]:
    """Seconds from a reviewer's request to the current link, the daemon being another process."""
    with (
        _sealed(folder, live) as (service, provider, secret),
        service.connect(Kind.HOTLINE) as hotline,
        service.connect(Kind.REVIEW_BODY) as reviewer,
    ):
        service.worker.start()
        waiting = [
            hotline.request("POST", "/v1/entries", json=new_entry(f"https://n{n}.example.test/")).json()
            for n in range(TIMES + _WARM)
        ]
        try:
            with _watching(service, provider, secret, folder) as link:
                return [_once(service, reviewer, entry, link) for entry in waiting][_WARM:]
        finally:
            service.worker.stop()


def _once(service: Service, reviewer: Connection, entry: dict[str, Any], link: Path) -> float:
    while not service.announcer.waiting:
        time.sleep(0.01)
    time.sleep(_SPACE_SECONDS)
    before = os.readlink(link)
    started = time.monotonic()
    approve(reviewer, entry)
    while os.readlink(link) == before:
        time.sleep(0.002)
    return time.monotonic() - started


@contextmanager
def _watching(service: Service, provider: str, secret: str, folder: Path) -> Iterator[Path]:
    files = {
        "root.json": service.root,
        "identity": secret.encode(),
        "credentials": _written(service, provider),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    words = ("isp", "watch", "--list", LIST, "--dir", folder / "isp", "--root", folder / "root.json")
    secrets = ("--identity", folder / "identity", "--credentials", folder / "credentials")
    command = [Path(sys.executable).with_name("wardlist"), *words, *secrets]
    daemon = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
    link = folder / "isp" / "lists" / LIST / "current"
    try:
        while not link.is_symlink():
            assert daemon.poll() is None
            time.sleep(0.1)
        yield link
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)


def _written(service: Service, provider: str) -> bytes:
    made = service.credentials(provider, set(MAY_HOLD[Kind.ISP]))
    names = ("issuer", "token_endpoint", "client_id", "private_jwk")
    return orjson.dumps({name: getattr(made, name) for name in names})


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    lines = [
        "",
        "## A provider's day in bytes",
        f"{DAY_LIVE:,} live entries, {DAY_CHANGES:,} added and as many removed, sealed to {PROVIDERS}"
        " providers: every byte of HTTP both ways (held poll, TUF metadata, delta, receipt), a poll a"
        " version, against the whole list as gzip JSON each time. Of the 1,100 versions of one,"
        f" {SINGLE_VERSIONS} are measured.",
        "",
        "| the day comes as | bytes a version | gzip JSON | one to |",
        "|---|---|---|---|",
    ]
    for name, (_, took, whole) in day(folder / "day").items():
        lines.append(f"| {name} | {took:,} | {whole:,.0f} | {whole / took:.0f} |")
    lines += [
        "",
        "## Sign-off to installed",
        f"A provider's daemon holds a poll; sealed to {PROVIDERS} providers, formats jsonl and hashes, "
        f"{TIMES} sign-offs each: seconds from the reviewer's request to the new version being current.",
        "",
        "| live entries | p50 | p99 (the worst) |",
        "|---|---|---|",
    ]
    for live in SIZES:
        found = delays(folder / str(live), live)
        lines.append(f"| {live:,} | {statistics.median(found):.2f} | {max(found):.2f} |")
    return lines
