"""What every command shares: one JSON object on stdout with --json, words for people on stderr."""

import json
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from app.platform.problems import Problem

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
err = Console(stderr=True, highlight=False)


def show(result: dict[str, Any], as_json: bool, sentence: str) -> None:
    """Print the result: as JSON, or as a sentence."""
    print(json.dumps(result, ensure_ascii=False) if as_json else sentence)


def fail(message: str, as_json: bool = False, **members: Any) -> NoReturn:
    """End with exit code 1 and say why; with --json also as an object on stdout."""
    if as_json:
        print(json.dumps({"error": message, **members}, ensure_ascii=False))
    err.print(f"wardlist: {message}", style="red", markup=False)
    raise typer.Exit(1)


def fail_with(problem: Problem, as_json: bool) -> NoReturn:
    """End because of a refusal."""
    fields = "; ".join(f"{error['field']}: {error['detail']}" for error in problem.errors)
    fail(f"{problem.title}. {fields or problem.detail}", as_json, problem=problem.document())
