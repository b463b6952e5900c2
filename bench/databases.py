"""SQLite and PostgreSQL side by side: submissions, reviews and a mix with polls, at 1, 2 and 4 processes.

The server is `wardlist serve --workers N`, with publisher and worker beside. Eight clients call it at once
from this process, on the same cores; what they sign is signed before the time is taken.
"""

import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.postgres import postgres
from tests.programs.service import LIST, RATES, Service, new_entry, signed_review, wait_until_up

PROCESSES = (1, 2, 4)
CLIENTS, EACH, POLLS = 8, 400, 1200
_OFTEN = {f"WARDLIST_{name.upper()}": "1000000000" for name in ("poll_burst", *RATES)}
Act = Callable[[int], object]


@dataclass(frozen=True)
class Rate:
    """How many a second, and the 99th percentile in milliseconds."""

    second: float
    p99: float


@contextmanager
def serving(service: Service, processes: int) -> Iterator[None]:
    """`wardlist serve` on the service's installation until the block ends."""
    settings = service.settings
    named = {"HOME": str(settings.home), "PORT": str(settings.port), "ISSUER": service.address}
    if settings.database_url:
        named["DATABASE_URL"] = settings.database_url
    environment = {**os.environ, **_OFTEN, **{f"WARDLIST_{name}": value for name, value in named.items()}}
    command = [str(Path(sys.executable).with_name("wardlist")), "serve", "--workers", str(processes)]
    with (settings.home / "serve.log").open("wb") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        try:
            wait_until_up(service.address)
            yield
        finally:
            process.terminate()
            process.wait(60)


def measure(folder: Path, processes: int, address: str | None) -> dict[str, Rate]:
    """The three rates of one database (SQLite when `address` is None) with so many processes."""
    service = Service(folder / "home", database_url=address)
    service.add_list(brake_changes=10_000_000, brake_free=10_000_000)
    provider = service.organisation(Kind.ISP)
    service.subscribe(provider)
    bodies = [service.organisation(Kind.HOTLINE), service.organisation(Kind.REVIEW_BODY), provider]
    with ExitStack() as stack:
        stack.enter_context(serving(service, processes))
        hotline, reviewer, isp = (
            _clients(stack, service, body, kind)
            for body, kind in zip(bodies, (Kind.HOTLINE, Kind.REVIEW_BODY, Kind.ISP), strict=True)
        )
        submitted: dict[int, dict[str, Any]] = {}

        def submit(number: int) -> None:
            body = new_entry(f"https://s{number}.example.test/")
            submitted[number] = hotline(number).request("POST", "/v1/entries", json=body).json()

        def review(number: int) -> None:
            entry, body = signed[number]
            reviewer(number).request("POST", f"/v1/entries/{entry}/reviews", json=body)

        def poll(number: int) -> None:
            isp(number).request("GET", f"/v1/lists/{LIST}")

        found = {"submissions": _rate([(submit, n) for n in range(2 * EACH)])}
        key = reviewer(0).credentials.private_jwk
        signed = {n: (one["id"], signed_review(one, key)) for n, one in submitted.items()}
        found["reviews"] = _rate([(review, n) for n in range(EACH)])
        mixed: list[tuple[Act, int]] = [(submit, n) for n in range(2 * EACH, 3 * EACH)]
        mixed += [(review, n) for n in range(EACH, 2 * EACH)] + [(poll, n) for n in range(POLLS)]
        random.Random(1).shuffle(mixed)
        found["mixed"] = _rate(mixed)
    service.database.close()
    return found


def _clients(
    stack: ExitStack, service: Service, organisation: str, kind: Kind
) -> Callable[[int], Connection]:
    """A connection for each of the callers, all of one client: the call's number says which."""
    first = stack.enter_context(service.connect(kind, organisation))
    made = [first, *(stack.enter_context(Connection(first.credentials)) for _ in range(CLIENTS - 1))]
    for one in made:
        one.token()
    return lambda number: made[number % CLIENTS]


def _rate(acts: list[tuple[Act, int]]) -> Rate:
    """Done by CLIENTS at once, each on its own connections."""
    shares: list[list[tuple[Act, int]]] = [[] for _ in range(CLIENTS)]
    for act, number in acts:
        shares[number % CLIENTS].append((act, number))
    started = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        times = sorted(one for share in pool.map(_timed, shares) for one in share)
    return Rate(len(acts) / (time.monotonic() - started), 1000 * times[math.ceil(len(times) * 0.99) - 1])


def _timed(share: list[tuple[Act, int]]) -> list[float]:
    times = []
    for act, number in share:
        started = time.monotonic()
        act(number)
        times.append(time.monotonic() - started)
    return times


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    found = {}
    for name in ("SQLite", "PostgreSQL"):
        for processes in PROCESSES:
            own = folder / f"{name}-{processes}"
            own.mkdir()
            with nullcontext((None, own)) if name == "SQLite" else postgres() as (address, _):
                found[name, processes] = measure(own, processes, address)
    peer = found["SQLite", 1]
    lines = [
        "",
        "## SQLite and PostgreSQL",
        f"`wardlist serve --workers N`; {CLIENTS} clients at once on the same cores. Mixed: as many",
        f"submissions as reviews, and {POLLS // EACH} times as many looks at a list. The peer is SQLite",
        "with one process.",
        "",
        "| database | processes | submissions/s | p99 ms | / peer | reviews/s | p99 ms | / peer "
        "| mixed/s | p99 ms | / peer |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (name, processes), rates in found.items():
        cells = [
            f"{rate.second:.0f} | {rate.p99:.0f} | {rate.second / peer[what].second:.2f}"
            for what, rate in rates.items()
        ]
        lines.append(f"| {name} | {processes} | {' | '.join(cells)} |")
    return lines
