"""What becomes of an entry's secret: an operator erases it for good, law enforcement stays that."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from app.cli.connection import CredentialFile, connected
from app.cli.output import AsJson, show
from app.core.terms import ErasureReason, HoldReason

hold = typer.Typer(help="Law enforcement: stay an entry's erasure.", no_args_is_help=True)
Entry = Annotated[str, typer.Argument(metavar="ENTRY")]
_LONGEST_DAYS = 90
_LONGEST = timedelta(days=_LONGEST_DAYS, minutes=-10)
"""Short of what the service takes, for clocks that differ."""


def erase(
    entry: Entry,
    credentials: CredentialFile,
    reason: Annotated[ErasureReason, typer.Option(help="Is in the public log.")],
    as_json: AsJson = False,
) -> None:
    """Destroy what an entry hides, for good; a listed one leaves its list first. Its leaves stay."""
    with connected(credentials, as_json) as connection:
        done = connection.request(
            "POST", f"/v1/entries/{entry}/erasure", json={"reason": reason.value}
        ).json()
    show(done, as_json, f"{done['entry']} is erased; its address goes once the log says so")


@hold.command("place")
def place(
    entry: Entry,
    credentials: CredentialFile,
    reason: Annotated[HoldReason, typer.Option()],
    days: Annotated[int, typer.Option(min=1, max=_LONGEST_DAYS, help="Until it ends by itself.")],
    as_json: AsJson = False,
) -> None:
    """Nobody erases the entry before then, for whatever reason; placing it again renews it."""
    until = datetime.now(UTC).replace(microsecond=0) + min(timedelta(days=days), _LONGEST)
    body = {"reason": reason.value, "until": until.isoformat()}
    with connected(credentials, as_json) as connection:
        placed = connection.request("POST", f"/v1/entries/{entry}/legal-hold", json=body).json()
    show(placed, as_json, f"{placed['entry']} is not erased before {placed['until']}")


@hold.command("lift")
def lift(entry: Entry, credentials: CredentialFile, as_json: AsJson = False) -> None:
    """End your organisation's own hold before its date."""
    with connected(credentials, as_json) as connection:
        ended = connection.request("DELETE", f"/v1/entries/{entry}/legal-hold").json()
    show(ended, as_json, f"{ended['entry']} is held no longer by you")
