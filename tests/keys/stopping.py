"""A process that is stopped at the n-th file that it puts in its place, before or after."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


class Stopped(BaseException):
    """Nothing catches it, as nothing catches a kill."""


@contextmanager
def stopped_at(monkeypatch: pytest.MonkeyPatch, number: int, is_done: bool) -> Iterator[None]:
    """Stop at the `number`-th file that appears, is replaced or goes; `is_done`: right after it."""
    count = 0

    def counted(act: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == number and not is_done:
                raise Stopped
            result = act(*given, **named)
            if count == number:
                raise Stopped
            return result

        return wrapped

    with monkeypatch.context() as patched:
        for name in ("replace", "link", "unlink"):
            patched.setattr(os, name, counted(getattr(os, name)))
        yield


def every_place(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> Iterator[None]:
    """Do it over and over, each time stopped one step later; yields after each stop, ends when none came."""
    number = 1
    while True:
        for is_done in (False, True):
            try:
                with stopped_at(monkeypatch, number, is_done):
                    act()
            except Stopped:
                yield
                continue
            return
        number += 1
