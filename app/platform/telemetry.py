"""What this process counts about itself, for Prometheus. No label ever holds an address, a person or a key.

With PROMETHEUS_MULTIPROC_DIR set, the processes that share the folder count into files in it, and any of them
answers for all. Labels are few and fixed: routes are templates, lists those there are.
"""

import os
import threading
from collections.abc import Callable

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_FLUSH_SECONDS = 1.0
disable_created_metrics()
_MINUTE, _HOUR, _DAY = 60, 3600, 86400

REQUESTS = Counter(
    "wardlist_http_requests_total",
    "Requests answered by the framework's routes; polls are in wardlist_polls_total",
    ["route", "method", "status"],
)
REFUSALS = Counter("wardlist_http_refusals_total", "Requests refused, by status 401, 403 or 429", ["status"])
REQUEST_SECONDS = Histogram(
    "wardlist_http_request_seconds",
    "Time to answer a request, from its first byte here to the last of the answer; long polls wait in it",
    ["route"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
ROUNDS = Counter("wardlist_worker_rounds_total", "Rounds of background work", ["worker", "outcome"])
ROUND_SECONDS = Histogram(
    "wardlist_worker_round_seconds",
    "Time of a round of background work",
    ["worker"],
    buckets=(0.01, 0.05, 0.25, 1, 5, 15, 60, 300),
)
STEPS_FAILED = Counter(
    "wardlist_worker_steps_failed_total", "Steps of a round that failed", ["worker", "step"]
)
PUBLISH_SECONDS = Histogram(
    "wardlist_publish_seconds",
    "From the beginning of a version to its being served, or staged",
    ["list"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
DECISION_SECONDS = Histogram(
    "wardlist_decision_seconds",
    "From an entry's submission to the decision that settled it",
    ["list", "outcome"],
    buckets=(
        *(5 * _MINUTE, 15 * _MINUTE, _HOUR, 4 * _HOUR, 12 * _HOUR),
        *(_DAY, 2 * _DAY, 4 * _DAY, 7 * _DAY, 14 * _DAY),
    ),
)
LEADER = Gauge(
    "wardlist_leader",
    "1 while this process leads in that name, 0 while it stands by",
    ["name"],
    multiprocess_mode="livemax",
)
STORE_REACHABLE = Gauge(
    "wardlist_store_reachable",
    "1 when the object store took or gave what was last asked of it, 0 when it failed",
    ["kind"],
    multiprocess_mode="livemostrecent",
)
CONNECTIONS = Gauge(
    "wardlist_database_connections_in_use",
    "Connections to the database that are in use",
    multiprocess_mode="livesum",
)

_flushes: dict[str, Callable[[], None]] = {}
_flushing = threading.Lock()


def before_scrape(name: str, flush: Callable[[], None]) -> None:
    """Have `flush` bring to the metrics what is counted more cheaply elsewhere; one of each name.

    It is called before each scrape here, and where several processes share a folder once a second: another
    one may be asked.
    """
    with _flushing:
        is_first = not _flushes
        _flushes[name] = flush
    if is_first:
        _start_flushing()


def exposition(figures: CollectorRegistry) -> bytes:
    """Everything to be said: this process or all that share its folder, then the service's figures."""
    _flush()
    own: CollectorRegistry = REGISTRY
    if FOLDER in os.environ:
        own = CollectorRegistry()
        multiprocess.MultiProcessCollector(own)
    return generate_latest(own) + generate_latest(figures)


def bury(process: int) -> None:
    """A process that shared the folder died: its gauges are taken away, what it counted stays counted."""
    if FOLDER in os.environ:
        multiprocess.mark_process_dead(process)


def _start_flushing() -> None:
    if FOLDER in os.environ:
        threading.Thread(target=_keep_flushing, name="metrics", daemon=True).start()


def _go_on_in_child() -> None:
    """A fork takes no thread along but the one that asked for it."""
    _flushing.release()
    if _flushes:
        _start_flushing()


os.register_at_fork(
    before=_flushing.acquire, after_in_parent=_flushing.release, after_in_child=_go_on_in_child
)


def _flush() -> None:
    with _flushing:
        for flush in _flushes.values():
            flush()


def _keep_flushing() -> None:
    pause = threading.Event()
    while not pause.wait(_FLUSH_SECONDS):
        _flush()
