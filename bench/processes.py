"""How soon another process knows: a publisher killed with SIGKILL, and a sign-off on the way to a poll.

Publishers, worker and API are processes of their own. The time of a takeover is from the kill to the moment
at which the standby logs that it leads, that of a version to the answer of a poll that waits.
"""

import json
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs import forked
from tests.programs.conditions import until
from tests.programs.postgres import postgres
from tests.programs.service import LIST, Service, new_entry, signed_review, wait_until_up

TAKEOVERS, SIGN_OFFS = 10, 20
LATEST = f"/v1/lists/{LIST}/snapshots/latest"


@dataclass(frozen=True)
class Found:
    """Seconds of each time."""

    takeovers: list[float]
    sign_offs: list[float]


class Program:
    """`wardlist` with these words, in a process that has imported it already."""

    def __init__(self, service: Service, log: Path, *words: str) -> None:
        self._log = log
        environment = {**service.environment, "WARDLIST_ISSUER": service.address}
        self.process = forked.forked(forked.run, environment, words, str(log))

    def since(self, event: str) -> float | None:
        """When it first said so as publisher, in seconds since 1970."""
        lines = self._log.read_text().split("\n")[:-1] if self._log.exists() else []
        for line in lines:
            said = json.loads(line) if line.startswith("{") else {}
            if (said.get("event"), said.get("role")) == (event, "publisher"):
                return datetime.fromisoformat(said["timestamp"]).timestamp()
        return None

    def end(self) -> None:
        """Have it stop, and wait until it is no more."""
        self.process.terminate()
        self.process.join(60)


def measure(folder: Path, address: str | None) -> Found:
    """On one database: SQLite when `address` is None."""
    service = Service(folder / "home", database_url=address)
    service.add_list(brake_changes=1_000_000, brake_free=1_000_000, min_poll_seconds=1)
    try:
        with _running(service, folder / "api.log", "serve", "--api-only"):
            wait_until_up(service.address, seconds=120)
            return Found(_takeovers(service, folder), _sign_offs(service, folder))
    finally:
        service.database.close()


def _takeovers(service: Service, folder: Path) -> list[float]:
    """A standby has tried already each time that the leader is killed."""
    found, leader = list[float](), Program(service, folder / "publisher.log", "publisher")
    try:
        _said(leader, "leading")
        for number in range(TAKEOVERS):
            standby = Program(service, folder / f"standby-{number}.log", "publisher")
            _said(standby, "standing by")
            killed_at = time.time()
            leader.process.kill()
            leader.process.join()
            leader = standby
            found.append(_said(leader, "leading") - killed_at)
    finally:
        leader.end()
    return found


def _said(program: Program, event: str) -> float:
    """Wait until it says so; when that was."""
    until(lambda: program.since(event) is not None)
    return program.since(event) or 0.0


def _sign_offs(service: Service, folder: Path) -> list[float]:
    isp = service.organisation(Kind.ISP)
    service.subscribe(isp)
    with ExitStack() as stack:
        stack.enter_context(_running(service, folder / "last.log", "publisher"))
        hotline, reviewer = (
            stack.enter_context(service.connect(kind)) for kind in (Kind.HOTLINE, Kind.REVIEW_BODY)
        )
        provider = stack.enter_context(service.connect(Kind.ISP, isp))
        pool = stack.enter_context(ThreadPoolExecutor(1))
        until(lambda: _version_after(hotline, reviewer, provider))
        return [_sign_off(hotline, reviewer, provider, pool, number) for number in range(SIGN_OFFS)]


def _version_after(hotline: Connection, reviewer: Connection, provider: Connection) -> bool:
    """A first version is there; the entry that makes it is submitted when none was."""
    if not hotline.request("GET", "/v1/entries").json()["entries"]:
        _approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry()).json())
    return provider.send("GET", LATEST).status_code == 200


def _sign_off(
    hotline: Connection, reviewer: Connection, provider: Connection, pool: ThreadPoolExecutor, number: int
) -> float:
    version = provider.request("GET", LATEST).json()["version"]
    entry = hotline.request("POST", "/v1/entries", json=new_entry(f"https://h{number}.example.test/")).json()
    headers = {
        "Authorization": f"Bearer {provider.token()}",
        "If-None-Match": f'"{LIST}-{version}"',
        "Prefer": "wait=60",
    }
    place = provider.credentials.issuer + LATEST
    waiting = pool.submit(httpx.get, place, headers=headers, timeout=90)
    time.sleep(0.7)
    body = signed_review(entry, reviewer.credentials.private_jwk)
    started = time.monotonic()
    reviewer.request("POST", f"/v1/entries/{entry['id']}/reviews", json=body)
    answer = waiting.result()
    seconds = time.monotonic() - started
    assert answer.json()["version"] == version + 1
    return seconds


def _approve(reviewer: Connection, entry: dict[str, object]) -> None:
    body = signed_review(entry, reviewer.credentials.private_jwk)
    reviewer.request("POST", f"/v1/entries/{entry['id']}/reviews", json=body)


@contextmanager
def _running(service: Service, log: Path, *words: str) -> Iterator[Program]:
    program = Program(service, log, *words)
    try:
        yield program
    finally:
        program.end()


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    lines = [
        "",
        "## Several processes",
        "Publisher, standby and API apart. Takeover after SIGKILL of the leading publisher, "
        f"{TAKEOVERS} times; from a sign-off's request to the answer of a poll that waits, both at another "
        f"process than the publisher, {SIGN_OFFS} times.",
        "",
        "| database | takeover median | worst | sign-off to poll median | worst |",
        "|---|---|---|---|---|",
    ]
    with postgres() as (address, _):
        for name, place in (("SQLite", None), ("PostgreSQL", address)):
            (folder / name).mkdir()
            found = measure(folder / name, place)
            figures = (
                statistics.median(found.takeovers),
                max(found.takeovers),
                statistics.median(found.sign_offs),
                max(found.sign_offs),
            )
            lines.append(f"| {name} | " + " | ".join(f"{seconds:.2f} s" for seconds in figures) + " |")
    return lines
