"""Processes to be killed: forked from one that has imported the program already, for tests that start many.

Each is a process of its own, with its own memory, files and signals.
"""

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory
from typing import Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["app.cli.initialising", "app.cli.serving", "tests.programs.log_writers", "tests.programs.rooms"]
)


def forked(act: Callable[..., None], *arguments: Any) -> BaseProcess:
    """A process that runs `act`, a function of a module, and says nothing; end it with `kill` and `join`."""
    process = _context.Process(target=_quietly, args=(act, arguments))
    process.start()
    return process


def pipe() -> Any:
    """(to read, to write): bytes as a process wrote them, also half a line before a kill."""
    return _context.Pipe(duplex=False)


def command(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> CompletedProcess[str]:
    """`wardlist` with these words, run in the folder to its end in such a process."""
    with TemporaryDirectory() as place:
        said = Path(place) / "stdout", Path(place) / "stderr"
        process = _context.Process(target=_command, args=(words, folder, dict(environment), said))
        process.start()
        process.join()
        assert process.exitcode is not None
        return CompletedProcess(words, process.exitcode, *(file.read_text() for file in said))


def serve(environment: dict[str, str]) -> None:
    """`wardlist serve` in such a process."""
    from app.cli.main import app

    _take_on(environment)
    app(["serve"])


def run(environment: Mapping[str, str], words: Sequence[str], said: str) -> None:
    """`wardlist` with these words in such a process, which writes to the file `said`."""
    from app.cli.main import app

    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    _take_on(environment)
    app(list(words))


def _take_on(environment: Mapping[str, str]) -> None:
    """With no setting of the test in which the fork server happened to be started."""
    for name in [one for one in os.environ if one.startswith(("AWS_", "WARDLIST_"))]:
        del os.environ[name]
    os.environ.update(environment)


def _quietly(act: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    act(*arguments)


def _command(
    words: Sequence[str], folder: Path, environment: dict[str, str], said: tuple[Path, Path]
) -> None:
    from app.cli.main import app

    for descriptor, file in enumerate(said, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    app(list(words))
