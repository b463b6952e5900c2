"""What each act costs at 10,000, 100,000 and a million entries, and how fast that grows.

The slope is that of the straight line through (log entries, log milliseconds): 0 does not grow, 1 grows as
the list does. By HTTP, one client, the server in this process; each size in a process of its own.
"""

import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.client.session import Connection
from app.core.terms import Kind
from app.log import service as log
from app.log.models import Leaf
from bench import apart, filling
from tests.programs.postgres import postgres
from tests.programs.service import LIST, Service, new_entry, running, signed_review

SIZES = (10_000, 100_000, 1_000_000)
TIMES, VERSIONS = 100, 5
ACTS = ("submit", "review", "publish", "poll", "prove")


def measure(folder: Path, size: int, address: str | None) -> dict[str, float]:
    """Milliseconds of each act, median."""
    service = Service(folder / "home", database_url=address)
    service.add_list(brake_changes=10_000_000, brake_free=10_000_000)
    filling.listed(service, size)
    _grow_log(service, size)
    provider = service.organisation(Kind.ISP)
    service.subscribe(provider)
    with (
        running(service),
        service.connect(Kind.HOTLINE) as hotline,
        service.connect(Kind.REVIEW_BODY) as reviewer,
        service.connect(Kind.ISP, provider) as isp,
    ):
        service.publish()
        made: list[dict[str, Any]] = []
        found = {"submit": _median(lambda n: made.append(_submit(hotline, n)))}
        key = reviewer.credentials.private_jwk
        signed = [(one["id"], signed_review(one, key)) for one in made]
        found["review"] = _median(lambda n: _review(reviewer, *signed[n]))
        service.publish()
        found["publish"] = _publishing(service, hotline, reviewer)
        found["poll"] = _median(lambda _: isp.request("GET", f"/v1/lists/{LIST}/snapshots/latest"))
        found["prove"] = _median(lambda n: hotline.request("GET", f"/v1/log/entries/{made[n]['id']}/proof"))
    service.database.close()
    return found


def _grow_log(service: Service, size: int) -> None:
    """As many leaves as entries, sequenced."""
    with service.database.writing() as session:
        for start in range(0, size, 50_000):
            rows = [
                {"body": b'{"n":%d,"type":"bench.leaf"}' % number}
                for number in range(start, min(start + 50_000, size))
            ]
            session.execute(sa.insert(Leaf), rows)
    with service.database.writing() as session:
        log.sequence(session)


def _submit(hotline: Connection, number: int) -> dict[str, Any]:
    body = new_entry(f"https://n{number}.example.test/")
    made: dict[str, Any] = hotline.request("POST", "/v1/entries", json=body).json()
    return made


def _review(reviewer: Connection, entry: str, body: dict[str, Any]) -> None:
    reviewer.request("POST", f"/v1/entries/{entry}/reviews", json=body)


def _publishing(service: Service, hotline: Connection, reviewer: Connection) -> float:
    times = []
    for number in range(VERSIONS):
        made = _submit(hotline, TIMES + number)
        _review(reviewer, made["id"], signed_review(made, reviewer.credentials.private_jwk))
        started = time.perf_counter()
        service.publish()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def _median(act: Callable[[int], object]) -> float:
    times = []
    for number in range(TIMES):
        started = time.perf_counter()
        act(number)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def slope(milliseconds: list[float]) -> float:
    """Of log(milliseconds) over log(entries), by least squares."""
    xs, ys = [math.log(size) for size in SIZES], [math.log(one) for one in milliseconds]
    x, y = statistics.mean(xs), statistics.mean(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


def _apart(folder: Path, size: int, address: str | None) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        return apart.measured("bench.growth", Path(own), str(size), address or "")


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    found: dict[str, list[dict[str, float]]] = {"SQLite": [_apart(folder, size, None) for size in SIZES]}
    found["PostgreSQL"] = []
    for size in SIZES:
        with postgres() as (address, _):
            found["PostgreSQL"].append(_apart(folder, size, address))
    sizes = " | ".join(f"{size:,}" for size in SIZES)
    lines = [
        "",
        "## Growth",
        f"Milliseconds, medians of {TIMES} ({VERSIONS} versions), by HTTP, one client. As many leaves as",
        "entries.",
        "Slope of log over log: 0 does not grow, 1 grows as the list does.",
        "",
        f"| database | act | {sizes} | slope |",
        "|---|---|---|---|---|---|",
    ]
    for name, by_size in found.items():
        for act in ACTS:
            times = [one[act] for one in by_size]
            cells = " | ".join(f"{one:.1f}" for one in times)
            lines.append(f"| {name} | {act} | {cells} | {slope(times):.2f} |")
    return lines


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] or None)))
