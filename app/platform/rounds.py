"""A round of background work: timed, counted, and what is logged in it has its name and an id of its own."""

import secrets
import time
from collections.abc import Callable

import structlog
from structlog.contextvars import bind_contextvars, reset_contextvars

from app.platform import telemetry
from app.platform.failures import described
from app.platform.pulses import PULSES

LONG_SECONDS = 5.0
"""A round that took longer is logged though it went well."""
_logger = structlog.get_logger("worker")


def run(worker: str, work: Callable[[], None]) -> None:
    """One round. A failure is logged by kind and place, never by content, and goes no further."""
    PULSES.beat(worker)
    bound = bind_contextvars(worker=worker, round=secrets.token_hex(4))
    started, outcome = time.monotonic(), "done"
    try:
        work()
    except Exception as failure:
        outcome = "failed"
        _logger.error("round failed", **described(failure), milliseconds=_milliseconds(started))
    finally:
        seconds = time.monotonic() - started
        telemetry.ROUNDS.labels(worker, outcome).inc()
        telemetry.ROUND_SECONDS.labels(worker).observe(seconds)
        if outcome == "done" and seconds > LONG_SECONDS:
            _logger.info("long round", outcome=outcome, milliseconds=_milliseconds(started))
        reset_contextvars(**bound)


def _milliseconds(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
