"""Whether this process can do its work now: a few checks, each cheap, looked at together once a second.

A check answers with a short sentence of how things stand, or raises NotReady with one. What it says holds no
address, and of a failure that it did not foresee only the kind.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.platform.problems import FieldError, Problem

_KEPT_SECONDS = 1.0
Check = Callable[[], str]


class NotReady(Exception):
    """The text says what is missing, and what to do where that is known."""


@dataclass(frozen=True)
class Finding:
    """What a check said."""

    name: str
    is_ready: bool
    text: str


class Readiness:
    """For all threads of a process. The checks are named, and looked at in their order."""

    def __init__(self, checks: Mapping[str, Check], is_stopping: Callable[[], bool] = lambda: False) -> None:
        self._checks, self._is_stopping = dict(checks), is_stopping
        self._lock = threading.Lock()
        self._found: list[Finding] = []
        self._found_at: float | None = None

    def look(self) -> list[Finding]:
        """What every check says, at most a second old."""
        with self._lock:
            now = time.monotonic()
            if self._found_at is None or now - self._found_at >= _KEPT_SECONDS:
                self._found = [_said(name, check) for name, check in self._checks.items()]
                self._found_at = time.monotonic()
            found = list(self._found)
        if self._is_stopping():
            found.insert(0, Finding("process", False, "the service stops"))
        return found

    def require(self) -> str:
        """How things stand, a line a check, after `ready`. Raises a 503 problem that names what failed."""
        found = self.look()
        failed = [one for one in found if not one.is_ready]
        if failed:
            detail = "; ".join(f"{one.name}: {one.text}" for one in failed)
            errors = [FieldError(field=one.name, detail=one.text, code="not-ready") for one in failed]
            raise Problem("not-ready", detail, errors)
        return "".join(["ready\n", *(f"{one.name}: {one.text}\n" for one in found)])


def _said(name: str, check: Check) -> Finding:
    try:
        return Finding(name, True, check())
    except NotReady as failure:
        return Finding(name, False, str(failure))
    except Exception as failure:
        return Finding(name, False, f"it cannot be looked at ({type(failure).__name__})")
