"""Submissions over HTTP against what the disk can make durable."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.service import Service, new_entry, running


def fsyncs_a_second(folder: Path, seconds: float = 2.0) -> float:
    """Appends of 4 KiB, each made durable: the floor under every acknowledged write."""
    count, end = 0, time.monotonic() + seconds
    with (folder / "probe").open("wb") as file:
        while time.monotonic() < end:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            count += 1
    return count / seconds


def submissions(folder: Path) -> dict[str, float]:
    """Entries a second, one by one and in batches of 1,000, over HTTP, one client."""
    with running(Service(folder / "home")) as service, service.connect(Kind.HOTLINE) as hotline:
        service.add_list(brake_changes=10_000_000, brake_free=10_000_000)
        single = _rate(lambda n: _single(hotline, n), 300, 1)
        batch = _rate(lambda n: _batch(hotline, n), 10, 1000)
    return {"single": single, "batch": batch}


def _single(hotline: Connection, number: int) -> None:
    hotline.request("POST", "/v1/entries", json=new_entry(f"https://s{number}.example.test/"))


def _batch(hotline: Connection, number: int) -> None:
    bodies = [new_entry(f"https://b{number}-{n}.example.test/path/{n}") for n in range(1000)]
    hotline.request("POST", "/v1/entries/batch", json={"entries": bodies})


def _rate(act: Callable[[int], None], times: int, each: int) -> float:
    started = time.monotonic()
    for number in range(times):
        act(number)
    return times * each / (time.monotonic() - started)


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    fsyncs, rates = fsyncs_a_second(folder), submissions(folder)
    return [
        "",
        "## Submitting (entries a second, one client over HTTP, server in the same process)",
        "",
        "| what | a second | ratio to fsyncs of the same disk |",
        "|---|---|---|",
        f"| 4 KiB appends with fsync (peer) | {fsyncs:.0f} | 1 |",
        f"| single submissions, each durable | {rates['single']:.0f} | {rates['single'] / fsyncs:.2f} |",
        f"| batches of 1,000 | {rates['batch']:.0f} | {rates['batch'] / fsyncs:.2f} |",
    ]
