"""A simulated year of a national list, by an injected clock, on SQLite and on PostgreSQL.

Every day entries come in, each signed off by a reviewer whose signature is checked, and as many leave because
they were removed; the publisher makes versions, erases what is past its retention and ends the day's epoch.
All of it by the service layer, without HTTP. What is measured is what is there at the end. Both databases
have their year at the same time, each in a process of its own.
"""

import itertools
import json
import math
import os
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import text

from app.client.session import Connection
from app.core.terms import Kind, RecheckOutcome
from app.entries import rechecks, submission
from app.entries import service as entries
from app.entries.schemas import NewEntry, NewRecheck
from app.identity.service import Caller
from app.reviews import service as reviews
from app.reviews.schemas import NewReview
from bench import apart
from tests.programs.postgres import postgres
from tests.programs.service import Service, new_entry, replay, signed_review

DAYS, VERSIONS_A_DAY, RETENTION_DAYS = 365, 4, 30
IN_A_YEAR = int(os.environ.get("WARDLIST_BENCH_YEAR", "250000"))
"""What the largest hotline reported. That takes hours; a smaller number scales what is live too."""
LEAST, MOST = IN_A_YEAR * 8 // 250, IN_A_YEAR * 25 // 250
_START = datetime(2100, 1, 1, tzinfo=UTC)
"""Later than any file: what is old by the injected clock is old by the disk's too, and is pruned."""
_AT_ONCE = 200
_One = TypeVar("_One")


@dataclass
class Year:
    """One list's year as it goes on; `live` are the ids of what is listed, oldest first."""

    service: Service
    hotline: Caller
    reviewer: Caller
    key: dict[str, str]
    numbers: Iterator[int] = field(default_factory=itertools.count)
    live: deque[str] = field(default_factory=deque)
    days: list[float] = field(default_factory=list)
    gone: int = 0

    @property
    def now(self) -> datetime:
        """The service's moment."""
        return self.service.clock()

    def come(self, count: int) -> None:
        """So many are submitted and signed off."""
        for some in _parts(range(count)):
            bodies = [_entry(number, self.now) for number in itertools.islice(self.numbers, len(some))]
            with self.service.database.writing() as session:
                keyring = self.service.keyring
                made = submission.submit(session, self.hotline, bodies, keyring, self.now)
            with self.service.database.writing() as session:
                found = entries.by_ids(session, [one.entry_id for one in made])
                for view in entries.views(session, keyring.epochs, self.reviewer, found):
                    signed = {"iat": int(self.now.timestamp())}
                    new = NewReview(**signed_review(view.model_dump(mode="json"), self.key, signed=signed))
                    reviews.decide(session, keyring.epochs, self.reviewer, view.id, new, self.now)
            self.live.extend(one.entry_id for one in made)

    def go(self, count: int) -> None:
        """So many of the oldest are found to be removed."""
        for some in _parts([self.live.popleft() for _ in range(count)]):
            seen = NewRecheck(outcome=RecheckOutcome.REMOVED, checked_at=self.now)
            with self.service.database.writing() as session:
                for one in some:
                    rechecks.recheck(session, self.hotline, one, seen, self.now)
        self.gone += count

    def day(self, number: int, come: int, go: int) -> None:
        """One day, in as many parts as it has versions."""
        started = time.monotonic()
        for part in range(VERSIONS_A_DAY):
            self.service.clock.still_at = _START + timedelta(days=number, hours=part * 24 / VERSIONS_A_DAY)
            self.come(_share(come, part))
            self.go(_share(go, part))
            self.service.publish()
        self.days.append(time.monotonic() - started)


def _entry(number: int, now: datetime) -> NewEntry:
    address = f"https://h{number % 5000}.example.test/path/{number}"
    return NewEntry(**new_entry(address, assessed_at=now.isoformat()))


def _parts(whole: Iterable[_One]) -> Iterator[list[_One]]:
    rest = iter(whole)
    while some := list(itertools.islice(rest, _AT_ONCE)):
        yield some


def _share(count: int, part: int) -> int:
    return count * (part + 1) // VERSIONS_A_DAY - count * part // VERSIONS_A_DAY


def _aim(day: int) -> int:
    """How many are to be live at a day's end: a wave from the least to the most and back."""
    return round(LEAST + (MOST - LEAST) * (1 - math.cos(2 * math.pi * day / DAYS)) / 2)


def measure(folder: Path, address: str | None) -> dict[str, float]:
    """What is there after the year: rows, leaves, versions, bytes; seconds of a day early and late."""
    service = Service(folder / "home", database_url=address)
    service.clock.still_at = _START
    service.add_list(
        brake_changes=10_000_000, brake_free=10_000_000, recheck_days=90, retention_days=RETENTION_DAYS
    )
    with service.connect(Kind.HOTLINE) as hotline, service.connect(Kind.REVIEW_BODY) as reviewer:
        callers = _caller(service, hotline, Kind.HOTLINE), _caller(service, reviewer, Kind.REVIEW_BODY)
        year = Year(service, *callers, reviewer.credentials.private_jwk)
    year.come(LEAST)
    service.publish()
    each_day = IN_A_YEAR / DAYS
    for day in range(1, DAYS + 1):
        come = round(each_day * day) - round(each_day * (day - 1))
        year.day(day, come, come - (_aim(day) - _aim(day - 1)))
    found = _sizes(service, year)
    service.database.close()
    return found


def _caller(service: Service, connection: Connection, kind: Kind) -> Caller:
    with service.database.reading() as session:
        query = text("SELECT organisation_id FROM client WHERE id = :id")
        organisation = session.execute(query, {"id": connection.credentials.client_id}).scalar_one()
    return Caller(connection.credentials.client_id, organisation, kind, frozenset())


def _sizes(service: Service, year: Year) -> dict[str, float]:
    with service.database.reading() as session:
        count = {
            what: session.execute(text(f"SELECT count(*) FROM {what}")).scalar_one()
            for what in ("entry", "leaf", "snapshot", "entry_cipher")
        }
        on_server = service.settings.database_url is not None
        database = (
            session.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
            if on_server
            else (service.settings.home / "wardlist.db").stat().st_size
        )
    started = time.monotonic()
    replay(service)
    month = max(1, len(year.days) // 12)
    return {
        **count,
        "gone": year.gone,
        "live": len(year.live),
        "database": database,
        "log": _bytes(service.settings.log),
        "store": _bytes(service.settings.public),
        "first": statistics.median(year.days[:month]),
        "last": statistics.median(year.days[-month:]),
        "replay": time.monotonic() - started,
    }


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    with postgres() as (address, _), ThreadPoolExecutor(2) as pool:
        begun = {
            name: pool.submit(apart.measured, "bench.year", _made(folder / name), place)
            for name, place in {"SQLite": "", "PostgreSQL": address}.items()
        }
        found = {name: one.result() for name, one in begun.items()}
    first = found["SQLite"]
    lines = [
        "",
        "## A simulated year",
        f"{DAYS} days, {IN_A_YEAR:,} entries in, each signed off, and as many out;",
        f"{LEAST:,} to {MOST:,} live; {VERSIONS_A_DAY} versions a day, retention {RETENTION_DAYS} days,",
        f"formats jsonl and csv; both at the same time. At the end: {first['leaf']:,} leaves,",
        f"{first['snapshot']:,} versions, {first['entry']:,} rows of entries, of which",
        f"{first['entry_cipher']:,} still hide an address.",
        "",
        "| database | its MB | log MB | published MB | seconds of a day, first month | last | replay, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        sizes = " | ".join(f"{one[what] / 1e6:,.0f}" for what in ("database", "log", "store"))
        lines.append(f"| {name} | {sizes} | {one['first']:.1f} | {one['last']:.1f} | {one['replay']:.0f} |")
    return lines


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), sys.argv[2] or None)))
