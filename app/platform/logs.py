"""Log lines: one JSON object each on stderr, ours and the libraries'.

Ours hold what callers name, and what is bound for the request or round at hand (its id). Of a library's line
only the place in its code is kept, and of an exception its kind and place: whatever somebody sent may be in
its words.
"""

import json
import logging
import sys
import threading
from types import TracebackType
from typing import Any

import structlog

from app.platform.failures import place

_logger = structlog.get_logger("process")


def log_as_json() -> None:
    """From here on all that this process says is JSON, also what ends a thread or the process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=json.dumps),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Bare()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    sys.excepthook = _ended
    threading.excepthook = _thread_ended
    sys.unraisablehook = _unraisable


def log_end(failure: Exception) -> None:
    """Where the process failed, for its log; nothing before `log_as_json`, when a person reads along."""
    if sys.excepthook is _ended:
        _ended(type(failure), failure, failure.__traceback__)


class _Bare(logging.Handler):
    """Where in a library something was said, without what was."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line. Never raises: a line that cannot be written is not worth the work it tells of."""
        try:
            about: dict[str, Any] = {"logger": record.name, "at": f"{record.module}:{record.lineno}"}
            failure = record.exc_info[1] if record.exc_info else None
            if failure:
                about |= {"failure": type(failure).__name__, "where": _where(failure)}
            level = "error" if record.levelno >= logging.ERROR else "warning"
            getattr(_logger, level)("library", **about)
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """The library's own would print the record, arguments and all."""


def _where(failure: BaseException) -> str | None:
    return place(failure) if failure.__traceback__ else None


def _ended(kind: type[BaseException], failure: BaseException, _at: TracebackType | None) -> None:
    _logger.critical("process failed", failure=kind.__name__, where=_where(failure))


def _thread_ended(about: threading.ExceptHookArgs) -> None:
    failure = about.exc_value
    name = about.thread.name if about.thread else None
    where = _where(failure) if failure else None
    _logger.critical("thread failed", thread=name, failure=about.exc_type.__name__, where=where)


def _unraisable(about: Any) -> None:
    failure = about.exc_value
    where = _where(failure) if failure else None
    _logger.error("failure outside of any call", failure=about.exc_type.__name__, where=where)
