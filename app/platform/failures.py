"""Work of several steps in which one that fails does not stop those after it."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

import app
from app.platform import pulses, telemetry
from app.platform.key_files import KeyUnusable
from app.platform.leader import Superseded

_CODE = Path(app.__file__).parent
_logger = structlog.get_logger("worker")


def place(failure: BaseException) -> str:
    """Where in this code it came up, as `app/file.py:line`: all of it that may be logged besides its kind.

    What a library raises came up where that was called.
    """
    frames = traceback.extract_tb(failure.__traceback__)
    own = [frame for frame in frames if _CODE in Path(frame.filename).parents]
    last = (own or frames)[-1]
    file = Path(last.filename)
    return f"{file.relative_to(_CODE.parent) if own else file.name}:{last.lineno}"


def described(failure: BaseException) -> dict[str, str]:
    """Its kind and place, and of a key that cannot be used the role."""
    about = {"failure": type(failure).__name__, "where": place(failure)}
    if isinstance(failure, KeyUnusable) and failure.role:
        about["key"] = failure.role
    return about


class Failures:
    """Of one round of a worker. Each failure is logged by kind and place, never by content."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._first: Exception | None = None

    @contextmanager
    def noted(self, step: str, **about: str) -> Iterator[None]:
        """Let the block fail without stopping what comes after it, unless others do that now: Superseded."""
        pulses.go_on()
        try:
            yield
        except Superseded:
            raise
        except Exception as failure:
            _logger.error("step failed", worker=self._worker, step=step, **described(failure), **about)
            telemetry.STEPS_FAILED.labels(self._worker, step).inc()
            self._first = self._first or failure

    def raise_first(self) -> None:
        """At the end: whoever asked for the round hears of it. Raises the first failure."""
        if self._first:
            raise self._first
