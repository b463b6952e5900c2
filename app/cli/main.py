"""The `wardlist` command: wiring only."""

from typing import Annotated

import typer

from app.cli import hotline, operator, register, witness
from app.cli.appeals import appeals
from app.cli.audit import audit
from app.cli.lists import lists
from app.cli.log import log
from app.cli.output import AsJson
from app.cli.provider import isp
from app.cli.reviewer import review

app = typer.Typer(
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


app.add_typer(operator.org, name="org")
app.add_typer(operator.client, name="client")
app.add_typer(lists, name="list")
app.command()(operator.emergency)
app.command()(hotline.submit)
app.command()(hotline.withdraw)
app.command()(hotline.recheck)
app.command()(hotline.due)
app.add_typer(review, name="review")
app.add_typer(appeals, name="appeal")
app.add_typer(register.app, name="register")
app.add_typer(isp, name="isp")
app.add_typer(log, name="log")
app.add_typer(audit, name="audit")
app.add_typer(witness.app, name="witness")
