"""Opening a signed-in connection for a command, and ending it with a clear word."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import fail
from app.client.session import Connection, Credentials, Failed

CredentialFile = Annotated[Path, typer.Option("--credentials", help="File written by `wardlist client add`.")]


@contextmanager
def connected(file: Path, as_json: bool) -> Iterator[Connection]:
    """A connection; a refusal ends the command with exit code 1."""
    try:
        with Connection(Credentials.read(file)) as connection:
            yield connection
    except Failed as failure:
        fail(str(failure), as_json, **({"problem": failure.problem} if failure.problem else {}))
