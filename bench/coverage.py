"""Coverage of a list with many receipts, and what a version costs where many webhooks wait for it."""

import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from app.core.lifecycle import DelistReason, Status
from app.core.terms import EntryScope, Kind, ReceiptOutcome
from app.distribution import coverage, outbox
from app.distribution.models import Receipt, Webhook
from app.entries.models import Entry
from app.lists.models import Snapshot
from tests.programs.service import LIST, Service

PROVIDERS, VERSIONS, LEFT_EACH, WEBHOOKS_EACH, TIMES = 50, 5000, 6, 5, 5
"""The versions lie in the last 29 days; each is the first without that many entries."""
Row = dict[str, Any]


def filled(folder: Path) -> Service:
    """A service with all that in its database."""
    service = Service(folder)
    service.add_list()
    hotline = service.organisation(Kind.HOTLINE)
    providers = [service.organisation(Kind.ISP) for _ in range(PROVIDERS)]
    for one in providers:
        service.subscribe(one)
    step = timedelta(days=29) / VERSIONS
    made = [service.clock() - timedelta(days=29) + step * number for number in range(VERSIONS)]
    with service.database.writing() as session:
        versions = list(enumerate(made, 1))
        _insert(session, Snapshot, [_version(version, at) for version, at in versions])
        _insert(session, Entry, [_entry(hotline, *one, n) for one in versions for n in range(LEFT_EACH)])
        for provider in providers:
            _insert(session, Receipt, [_receipt(provider, *one) for one in versions])
            _insert(session, Webhook, [_webhook(provider, made[0], n) for n in range(WEBHOOKS_EACH)])
    return service


def _insert(session: Session, table: type, rows: list[Row]) -> None:
    session.execute(sa.insert(table), rows)


def _version(version: int, at: Any) -> Row:
    counts = dict.fromkeys(("entry_count", "added", "removed", "log_size"), 0)
    return {
        "list": LIST,
        "version": version,
        "published_at": at,
        "expires_at": at,
        "log_root": "",
        "is_served": True,
        **counts,
    }


def _entry(hotline: str, version: int, at: Any, number: int) -> Row:
    words = dict.fromkeys(("legal_ground", "material", "hosting_country", "commitment", "digest"), "")
    return {
        "id": f"{version}-{number}",
        "list": LIST,
        "organisation_id": hotline,
        "client_id": "",
        "status": Status.DELISTED,
        "scope": EntryScope.URL,
        "measures": [],
        "is_blocking": True,
        "assessed_at": at,
        "submitted_at": at,
        "listed_in": max(1, version - 1),
        "delisted_in": version,
        "delist_reason": DelistReason.WITHDRAWN,
        "settled_at": at - timedelta(seconds=number),
        **words,
    }


def _receipt(provider: str, version: int, at: Any) -> Row:
    return {
        "list": LIST,
        "version": version,
        "organisation_id": provider,
        "client_id": provider,
        "outcome": ReceiptOutcome.APPLIED.value,
        "content_sha256": "",
        "applied_at": at + timedelta(seconds=5),
        "signature": "",
        "at": at,
    }


def _webhook(provider: str, at: Any, number: int) -> Row:
    about = {"organisation_id": provider, "client_id": "", "created_at": at}
    return {"id": f"{provider}-{number}", "url": "https://isp.example/", **about}


def _seconds(act: Callable[[int], object]) -> float:
    found = []
    for number in range(TIMES):
        started = time.perf_counter()
        act(number)
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    service = filled(folder)

    def read(_number: int) -> None:
        with service.database.reading() as session:
            found = coverage.of_list(session, LIST, service.clock())
        assert found.seconds_to_unblock.count == PROVIDERS * LEFT_EACH * (VERSIONS - 1)

    with service.database.reading() as session:
        known = coverage.of_list(session, LIST, service.clock()).seconds_to_unblock

    def lag(_number: int) -> None:
        with service.database.reading() as session:
            coverage.of_list(session, LIST, service.clock(), known)

    def tell(number: int) -> None:
        with service.database.writing() as session:
            outbox.put(session, LIST, VERSIONS + 1 + number, service.clock())

    rows = (
        ("coverage", _seconds(read)),
        ("of it, how far each provider is", _seconds(lag)),
        ("a version's messages", _seconds(tell)),
    )
    service.database.close()
    return [
        "",
        "## Coverage and webhooks",
        f"{PROVIDERS} providers, {PROVIDERS * VERSIONS:,} receipts and {VERSIONS * LEFT_EACH:,} entries that "
        f"left in the last 30 days, {PROVIDERS * WEBHOOKS_EACH} webhooks; seconds, median of {TIMES}.",
        "",
        "| what | seconds |",
        "|---|---|",
        *(f"| {what} | {seconds:.3f} |" for what, seconds in rows),
    ]
