"""The `wardlist` command: wiring only."""

import typer

from app.cli import hotline, operator
from app.cli.provider import isp
from app.cli.reviewer import review

app = typer.Typer(
    help="Signed, versioned, independently reviewed blocking lists.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
app.command()(operator.init)
app.command()(operator.serve)
app.add_typer(operator.org, name="org")
app.add_typer(operator.client, name="client")
app.add_typer(operator.lists_app, name="list")
app.command()(hotline.submit)
app.command()(hotline.withdraw)
app.add_typer(review, name="review")
app.add_typer(isp, name="isp")
