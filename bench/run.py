"""`make bench`: what this machine does, as ratios against a named peer in the same run.

Writes bench/results.md. Talks to 127.0.0.1 only, works in a temporary folder and stops by itself.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.client.session import Connection
from app.core.terms import Kind
from bench import filling, log, waiting
from tests.programs.service import LIST, Service, new_entry, running

SIZES = (1_000, 10_000, 100_000)


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


def _rate(act: Any, times: int, each: int) -> float:
    started = time.monotonic()
    for number in range(times):
        act(number)
    return times * each / (time.monotonic() - started)


def publishing(folder: Path, size: int) -> dict[str, float]:
    """First version with `size` entries, then one that adds 20 and removes 5; in this process."""
    service = Service(folder / "home")
    service.add_list(brake_changes=10_000_000, brake_free=10_000_000)
    filling.approved(service, size)
    first = _timed(service)
    filling.approved(service, 20, start=size)
    _delist(service, 5)
    second = _timed(service)
    service.database.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    file = next((service.settings.public / "targets/lists" / LIST / "1").glob("*.list.jsonl"))
    return {"first": first, "second": second, "peak": peak, "copy": _copied(file, folder)}


def _timed(service: Service) -> float:
    started = time.monotonic()
    service.publish()
    return time.monotonic() - started


def _copied(file: Path, folder: Path) -> float:
    """The peer: writing the same bytes once with one fsync."""
    body, started = file.read_bytes(), time.monotonic()
    with (folder / "copy").open("wb") as copy:
        copy.write(body)
        copy.flush()
        os.fsync(copy.fileno())
    return time.monotonic() - started


def _delist(service: Service, count: int) -> None:
    with service.database.writing() as session:
        chosen = "(SELECT seq FROM entry WHERE status = 'LISTED' LIMIT :count)"
        session.execute(text(f"UPDATE entry SET status = 'DELISTED' WHERE seq IN {chosen}"), {"count": count})


def _publishing_apart(size: int) -> dict[str, float]:
    """In a process of its own, so that the peak of memory is this size's."""
    code = f"import json, bench.run as b; print(json.dumps(b.in_folder(lambda f: b.publishing(f, {size}))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def in_folder(act: Any) -> Any:
    """Run with a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="wardlist-bench-") as folder:
        return act(Path(folder))


def _versions() -> list[str]:
    packages = ("fastapi", "sqlalchemy", "tuf", "uvicorn")
    return [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)]


def main() -> None:
    """Measure and write the table."""
    fsyncs = in_folder(fsyncs_a_second)
    rates = in_folder(submissions)
    lines = [
        "# Results of `make bench`",
        ", ".join(
            (f"{datetime.now(UTC):%Y-%m-%d}", platform.machine(), f"{os.cpu_count()} cores", *_versions())
        ),
        "",
        "## Submitting (entries a second, one client over HTTP, server in the same process)",
        "| what | a second | ratio to fsyncs of the same disk |",
        "|---|---|---|",
        f"| 4 KiB appends with fsync (peer) | {fsyncs:.0f} | 1 |",
        f"| single submissions, each durable | {rates['single']:.0f} | {rates['single'] / fsyncs:.2f} |",
        f"| batches of 1,000 | {rates['batch']:.0f} | {rates['batch'] / fsyncs:.2f} |",
        "",
        "## Publishing (jsonl, csv, delta, manifest, TUF; seconds, and peak memory of the process)",
        "| live entries | first version | +20 -5 | peak MB | first / one write of the same bytes (peer) |",
        "|---|---|---|---|---|",
    ]
    for size in SIZES:
        found = _publishing_apart(size)
        ratio = found["first"] / found["copy"]
        lines.append(
            f"| {size:,} | {found['first']:.2f} | {found['second']:.2f} | {found['peak']:.0f} | {ratio:.0f} |"
        )
    lines += in_folder(waiting.report)
    lines += in_folder(log.report)
    Path(__file__).with_name("results.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
