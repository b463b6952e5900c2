"""The `wardlist` command: the two words that make and run an installation; the others are in rooms.py."""

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
    from app.cli import server

    server.init(as_json)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535)] = None,
) -> None:
    """Run the service and its publisher until stopped."""
    from app.cli import server

    server.serve(host, port)
