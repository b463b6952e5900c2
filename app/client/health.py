"""How the daemon fares, for people and monitors: a JSON file and a Prometheus text file.

Both are replaced whole. They hold no address and no secret, so everybody may read them.
"""

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client import Counter as Count

from app.files import write_durably

_PUBLIC = 0o644


class Condition(StrEnum):
    """How a list fares here, best first."""

    OK = "ok"
    DEGRADED = "degraded"
    """The last good list is in force, and something needs a look."""
    FAILING = "failing"
    """No list is in force, the filter was not made to read it, or there was no success for a day."""


@dataclass
class Standing:
    """Of one list. Moments are seconds since 1970; `failures` counts by kind since the start.

    What is dropped is out of force, for the service was silent. From `reload_pending_since` on, the filter's
    files are of `version` and the filter has an older one.
    """

    list: str
    state: Condition = Condition.FAILING
    version: int | None = None
    entries: int = 0
    held_version: int | None = None
    reload_pending_since: float | None = None
    is_dropped: bool = False
    last_success: float | None = None
    last_error: str | None = None
    next_try: float | None = None
    seconds_behind: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)

    def shown(self) -> dict[str, Any]:
        """As the health file has it."""
        return {
            "list": self.list,
            "state": self.state.value,
            "version": self.version,
            "entries": self.entries,
            "held_version": self.held_version,
            "reload_pending_since": _moment(self.reload_pending_since),
            "dropped": self.is_dropped,
            "last_success": _moment(self.last_success),
            "last_error": self.last_error,
            "next_try": _moment(self.next_try),
            "seconds_behind": round(self.seconds_behind),
        }


class Board:
    """The two files, shared by the watchers of all lists. None: there is no such file."""

    def __init__(self, health: Path | None = None, metrics: Path | None = None) -> None:
        self._health, self._metrics = health, metrics
        self._standings: dict[str, Standing] = {}
        self._lock = threading.Lock()

    def state(self) -> Condition:
        """The worst of all lists."""
        with self._lock:
            return self._state()

    def show(self, standing: Standing) -> None:
        """Write both files anew. Raises OSError."""
        with self._lock:
            self._standings[standing.list] = standing
            if self._health:
                write_durably(self._health, self._text(), _PUBLIC)
            if self._metrics:
                write_durably(self._metrics, self._exposition(), _PUBLIC)

    def _state(self) -> Condition:
        found = {one.state for one in self._standings.values()}
        return max(found, key=list(Condition).index, default=Condition.OK)

    def _text(self) -> bytes:
        lists = [one.shown() for _, one in sorted(self._standings.items())]
        return json.dumps({"state": self._state().value, "lists": lists}).encode() + b"\n"

    def _exposition(self) -> bytes:
        """The Prometheus text format."""
        registry = CollectorRegistry()
        prefix = "wardlist_client"
        gauges = {
            f"{prefix}_version": "Version in force, or in the filter's files while a reload is pending.",
            f"{prefix}_entries": "Entries in force.",
            f"{prefix}_last_success_timestamp_seconds": "When the newest version last was in force.",
            f"{prefix}_held": "1 while a version is held by the own brake.",
            f"{prefix}_reload_pending": "1 while the files are new and the filter is old.",
            f"{prefix}_dropped": "1 while nothing is in force because the service was silent for too long.",
            f"{prefix}_seconds_behind": "How long the newest known version has not been in force.",
        }
        shown = {name: Gauge(name, words, ["list"], registry=registry) for name, words in gauges.items()}
        failures = Count(f"{prefix}_failures", "Failed steps.", ["list", "kind"], registry=registry)
        for one in self._standings.values():
            held, pending = one.held_version is not None, one.reload_pending_since is not None
            seen = one.last_success or 0.0
            values = (one.version or 0, one.entries, seen, held, pending, one.is_dropped, one.seconds_behind)
            for gauge, value in zip(shown.values(), values, strict=True):
                gauge.labels(one.list).set(value)
            for kind, count in one.failures.items():
                failures.labels(one.list, kind).inc(count)
        return generate_latest(registry)


def _moment(seconds: float | None) -> str | None:
    """RFC 3339, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
