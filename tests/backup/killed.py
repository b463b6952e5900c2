"""A command that is killed at a moment of the test's choice, without a chance to tidy up."""

import os
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import SessionTransaction

KILLED = 9


def command(environment: dict[str, str], words: list[str], moment: str, count: int) -> None:
    """`wardlist` with these words, which ends at the `count`th rename, before its commit, or after it."""
    from app.cli.main import app

    os.environ.update(environment)
    if moment == "rename":
        _end_at(os, "replace", count)
    elif moment == "commit":
        _end_at(SessionTransaction, "commit", count)
    else:
        _end_at(os, "unlink", count, of="UNFINISHED-RESTORE")
    app(words)


def _end_at(holder: Any, name: str, count: int, of: str = "") -> None:
    act: Callable[..., Any] = getattr(holder, name)
    calls = 0

    def ending(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += of in str(arguments[0])
        if calls >= count:
            os._exit(KILLED)
        return act(*arguments, **options)

    setattr(holder, name, ending)
