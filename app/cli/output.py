"""What every command shares: one JSON object on stdout with --json, words for people on stderr."""

import gc
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.platform.problems import Problem

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
WitnessKeys = Annotated[
    list[str] | None, typer.Option(help="Verifier key of a witness that must have cosigned; repeat.")
]
WitnessQuorum = Annotated[
    int | None, typer.Option(min=0, help="How many witnesses must have cosigned; all by default.")
]
_REFRESH_SECONDS = 0.1
err = Console(stderr=True, highlight=False)


class Refusal(Exception):
    """Ends the command as `fail` does, where it is not known how the command answers."""


def show(result: dict[str, Any], as_json: bool, sentence: str) -> None:
    """Print the result: as JSON, or as a sentence."""
    print(json.dumps(result, ensure_ascii=False) if as_json else sentence)


@contextmanager
def without_collector() -> Iterator[None]:
    """Verification makes millions of objects and no cycle; looking for some takes a third of its time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr; call what is yielded with (done, all). It starts no thread: others may fork."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, auto_refresh=False) as bar:
        task, shown = bar.add_task(what, total=None), time.monotonic()

        def step(done: int, whole: int) -> None:
            nonlocal shown
            bar.update(task, completed=done, total=whole)
            if time.monotonic() - shown >= _REFRESH_SECONDS:
                bar.refresh()
                shown = time.monotonic()

        yield step


def refuse_existing(out: Path, as_json: bool) -> None:
    """End with exit code 1 where a private key was to be written over a file."""
    if out.exists():
        fail(f"--out: {out} exists; a key is never replaced", as_json)


def fail(message: str, as_json: bool = False, **members: Any) -> NoReturn:
    """End with exit code 1 and say why; with --json also as an object on stdout."""
    if as_json:
        print(json.dumps({"error": message, **members}, ensure_ascii=False))
    err.print(f"wardlist: {message}", style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1)


def fail_with(problem: Problem, as_json: bool) -> NoReturn:
    """End because of a refusal."""
    fields = "; ".join(f"{error['field']}: {error['detail']}" for error in problem.errors)
    fail(f"{problem.title}. {fields or problem.detail}", as_json, problem=problem.document())
