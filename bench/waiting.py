"""How long an emergency delisting takes to a provider that waits with `Prefer: wait`, over HTTP."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from sqlalchemy import text

from app.client.session import Connection
from app.core.terms import Kind
from bench import filling
from tests.programs.service import LIST, Service, running

ENTRIES, TIMES = 1_000, 20
LATEST = f"/v1/lists/{LIST}/snapshots/latest"


def measure(folder: Path, is_braked: bool) -> list[float]:
    """Seconds from the operator's request to the waiting provider's answer, for each of `TIMES`."""
    with _published(folder) as service, service.connect(Kind.OPERATOR) as operator:
        organisation = service.organisation(Kind.ISP)
        service.subscribe(organisation)
        if is_braked:
            filling.approved(service, ENTRIES + 1, start=ENTRIES)
            service.worker.wake()
            _until(operator, is_engaged=True)
        with service.connect(Kind.ISP, organisation) as provider, ThreadPoolExecutor(1) as pool:
            return [_once(service, operator, provider, pool, entry) for entry in _some(service)]


@contextmanager
def _published(folder: Path) -> Iterator[Service]:
    with running(Service(folder / "home")) as service:
        service.add_list(brake_changes=ENTRIES, brake_free=ENTRIES)
        filling.approved(service, ENTRIES)
        service.publish()
        service.worker.start()
        try:
            yield service
        finally:
            service.worker.stop()


def _some(service: Service) -> list[str]:
    query = text("SELECT id FROM entry WHERE status = 'LISTED' ORDER BY seq LIMIT :count")
    with service.database.reading() as session:
        return list(session.execute(query, {"count": TIMES}).scalars())


def _once(
    service: Service, operator: Connection, provider: Connection, pool: ThreadPoolExecutor, entry: str
) -> float:
    version = provider.request("GET", LATEST).json()["version"]
    headers = {
        "Authorization": f"Bearer {provider.token()}",
        "If-None-Match": f'"{LIST}-{version}"',
        "Prefer": "wait=30",
    }
    waiting = pool.submit(httpx.get, service.address + LATEST, headers=headers, timeout=60)
    while not service.announcer.waiting:
        time.sleep(0.005)
    started = time.monotonic()
    operator.request("POST", "/v1/entries/emergency-delisting", json={"entries": [entry]})
    answer = waiting.result()
    seconds = time.monotonic() - started
    assert answer.json()["version"] == version + 1
    return seconds


def _until(operator: Connection, is_engaged: bool) -> None:
    while operator.request("GET", f"/v1/lists/{LIST}/brake").json()["engaged"] is not is_engaged:
        time.sleep(0.05)


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    lines = [
        "",
        "## Emergency delisting to a waiting poll",
        f"{ENTRIES:,} live entries, {TIMES} times: seconds from request to answer.",
        "",
        "| brake | median | worst |",
        "|---|---|---|",
    ]
    for is_braked, name in ((False, "off"), (True, "on")):
        found = measure(folder / name, is_braked)
        lines.append(f"| {name} | {statistics.median(found):.2f} | {max(found):.2f} |")
    return lines
