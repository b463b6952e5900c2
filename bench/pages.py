"""Pages: how long each takes to answer with 100,000 entries on a list, beside /healthz of the same server.

The server is in this process, on a folder that holds something for every page (tests/web/seeded.py). What a
page keeps for a while is kept as it is for its readers; the worst one, a few times in the run, makes it anew.
"""

import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from app.core.terms import Kind
from bench import filling
from tests.programs.webclient import WebClient
from tests.web.seeded import Seeded, seeded
from tests.web.visits import VISITS

ENTRIES, RUNS, ANEW = 100_000, 60, 10
LIST = "large-url"


def report(folder: Path) -> list[str]:
    """The section's lines."""
    with seeded(folder / "home") as world:
        world.more(50)
        world.service.add_list(LIST)
        filling.listed(world.service, ENTRIES, world.organisations[Kind.HOTLINE], LIST)
        stranger = WebClient(world.service)
        peer = _times(world, lambda: stranger.get("/healthz").status_code)
        rows = []
        for one in {(one.path, one.who): one for one in VISITS if one.status == 200}.values():
            client, address = stranger, one.address(world)
            if one.who:
                client = world.people[one.who]
                client.sign_in()
            rows.append((one, _times(world, lambda c=client, a=address: c.get(a).status_code)))  # type: ignore[misc]
    lines = [f"| `{one.path}`, {_whose(one.who)} | {_cells(found, peer)} |" for one, found in rows]
    return [
        f"## Pages with {ENTRIES:,} entries",
        f"Milliseconds to the whole answer, over HTTP, {RUNS} times each, one at a time; `worst` is of them.",
        "",
        "| page | median | 95th percentile | worst | median / peer |",
        "|---|---|---|---|---|",
        f"| `/healthz` (peer) | {_cells(peer, peer)} |",
        *lines,
    ]


def _times(world: Seeded, ask: Callable[[], int]) -> list[float]:
    """Milliseconds of each answer, sorted; one in ten finds nothing kept from before."""
    found = []
    assert ask() == 200
    for number in range(RUNS):
        if number % ANEW == 0:
            world.service.clock.ahead += timedelta(seconds=65)
        started = time.perf_counter()
        assert ask() == 200
        found.append((time.perf_counter() - started) * 1000)
    return sorted(found)


def _cells(found: list[float], peer: list[float]) -> str:
    median = statistics.median(found)
    high = found[int(len(found) * 0.95)]
    ratio = median / statistics.median(peer)
    return f"{median:.1f} | {high:.1f} | {found[-1]:.1f} | {ratio:.1f}"


def _whose(kind: Kind | None) -> str:
    return kind.value.replace("_", " ") if kind else "anybody"
