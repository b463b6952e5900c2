"""Seconds to a version after 1,000 changes, sealed to 50 providers; and how near `hashes` is to the limit."""

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import text

from app.core import age
from app.core.terms import Confidentiality, Format, Kind
from app.identity import service as identity
from app.lists import snapshots
from bench import filling
from tests.programs.service import LIST, Service

SIZES = (10_000, 100_000, 1_000_000)
ISPS, TIMES = 50, 5
IN, OUT = 500, 500


def measure(folder: Path, size: int) -> dict[str, float]:
    """Seconds of the first version a process makes, and of those after; its memory; bytes and their limit."""
    service = _filled(folder, size)
    first = _published(service)
    seconds = []
    for number in range(TIMES):
        filling.approved(service, IN, start=number * IN)
        with service.database.writing() as session:
            chosen = "SELECT seq FROM entry WHERE status = 'LISTED' ORDER BY seq LIMIT :count"
            delist = text(f"UPDATE entry SET status = 'DELISTED' WHERE seq IN ({chosen})")
            session.execute(delist, {"count": OUT})
        seconds.append(_published(service))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    files = _newest_files(service)
    (hashes,) = (path.stat().st_size for path in files if path.name.endswith(".hashes"))
    written = _written(files, folder)
    service.database.close()
    return {
        "first": first,
        "median": statistics.median(seconds),
        "worst": max(seconds),
        "peak": peak,
        "copy": written,
        "hashes": hashes,
        "limit": limit_bytes(size),
    }


def limit_bytes(count: int) -> float:
    """log2(C(2^128, count)) / 8: no code for a set of that many 128-bit values is shorter on average."""
    return (128 * count - math.lgamma(count + 1) / math.log(2)) / 8


def _filled(folder: Path, size: int) -> Service:
    """`size` entries on a sealed list with 50 subscribers."""
    service = Service(folder / "home")
    service.add_list(
        confidentiality=Confidentiality.SEALED,
        formats=[Format.JSONL, Format.HASHES],
        brake_changes=10_000_000,
        brake_free=10_000_000,
    )
    filling.listed(service, size)
    for _ in range(ISPS):
        organisation = service.organisation(Kind.ISP)
        with service.database.writing() as session:
            identity.add_recipient(session, organisation, age.generate()[1], service.clock())
        service.subscribe(organisation)
    return service


def _published(service: Service) -> float:
    """Seconds of a whole round, which brings one version."""
    before, started = _newest(service), time.monotonic()
    service.publish()
    seconds = time.monotonic() - started
    if _newest(service) != before + 1:
        raise RuntimeError("the round did not bring one version")
    return seconds


def _newest(service: Service) -> int:
    with service.database.reading() as session:
        return snapshots.newest(session, LIST)


def _newest_files(service: Service) -> list[Path]:
    home = service.settings.public / "targets" / "lists" / LIST / str(_newest(service))
    return sorted(home.iterdir())


def _written(files: list[Path], folder: Path) -> float:
    """The peer: seconds to write the same bytes once with one fsync, median."""
    body = b"".join(path.read_bytes() for path in files)
    return statistics.median(_write(body, folder / "copy") for _ in range(TIMES))


def _write(body: bytes, path: Path) -> float:
    started = time.monotonic()
    with path.open("wb") as copy:
        copy.write(body)
        copy.flush()
        os.fsync(copy.fileno())
    return time.monotonic() - started


def _apart(folder: Path, size: int) -> dict[str, float]:
    """In a process of its own, so that the peak of memory is this size's."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        command = [sys.executable, "-m", "bench.publishing", own, str(size)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    lines = [
        "",
        f"## Publishing after {IN + OUT:,} changes",
        f"{IN} in and {OUT} out, formats jsonl and hashes, sealed to {ISPS} providers: a whole round of the",
        f"publisher, median of {TIMES}. The first version of a process reads the list from the database. The",
        "peer is one write of the same bytes with one fsync; the limit is log2(C(2^128, n)) / 8 bytes.",
        "",
        "| live entries | seconds | worst | first | peak MB | / peer | bytes of `hashes` | / limit |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for size in SIZES:
        found = _apart(folder, size)
        seconds = f"{found['median']:.2f} | {found['worst']:.2f} | {found['first']:.1f}"
        peer = f"{found['peak']:.0f} | {found['median'] / found['copy']:.0f}"
        coded = f"{found['hashes']:,.0f} | {found['hashes'] / found['limit']:.4f}"
        lines.append(f"| {size:,} | {seconds} | {peer} | {coded} |")
    return lines


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
