"""The `wardlist` command: the two words that make and run an installation; the others are in rooms.py."""

import os
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from app.cli.output import AsJson
from app.cli.rooms import Rooms

app = typer.Typer(
    cls=Rooms,
    help="Signed, versioned, independently reviewed blocking lists.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)


@app.command()
def init(as_json: AsJson = False) -> None:
    """Make the database, the keys and the empty TUF repository. Running it again changes nothing."""
    from app.cli import initialising

    initialising.init(as_json)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535)] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer requests.")] = 1,
    api_only: Annotated[
        bool, typer.Option("--api-only", help="`wardlist publisher` and `wardlist worker` run elsewhere.")
    ] = False,
) -> None:
    """Run the service until stopped: requests, publisher and worker."""
    with ExitStack() as opened:
        if workers > 1:
            # prometheus_client looks for it when it is imported; children have it from here.
            shared = opened.enter_context(TemporaryDirectory(prefix="wardlist-metrics-"))
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
            opened.callback(os.environ.pop, "PROMETHEUS_MULTIPROC_DIR", None)
        from app.cli import serving

        serving.serve(host, port, workers, api_only)
