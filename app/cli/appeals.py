"""Commands of a review body: appeals that wait, and signed decisions on them."""

import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from app.cli.connection import CredentialFile, connected
from app.cli.output import AsJson, err, show
from app.cli.tables import show_table
from app.client.session import Connection, Failed
from app.core import appeal, jose
from app.core.defang import defanged
from app.core.terms import AppealOutcome

appeals = typer.Typer(help="Appeals and signed decisions on them.", no_args_is_help=True)
Reference = Annotated[str, typer.Argument(metavar="APPEAL")]
Reason = Annotated[
    str, typer.Option(help="Shown to the appellant; the public log holds a keyed digest of it.")
]


@appeals.command("list")
def waiting(credentials: CredentialFile, as_json: AsJson = False) -> None:
    """Undecided appeals your body may decide, oldest first."""
    with connected(credentials, as_json) as connection:
        found = list(_waiting(connection))
    if not as_json:
        columns = ("appeal", "decide by", "proof offered", "entries", "statement")
        rows = [
            (
                one["reference"],
                one["decide_by"],
                one["proof"] or "-",
                str(len(one["entries"])),
                one["statement"],
            )
            for one in found
        ]
        show_table(columns, rows, prose=True)
    show({"appeals": found}, as_json, f"{len(found)} waiting")


@appeals.command("decide")
def decide(
    reference: Reference,
    credentials: CredentialFile,
    outcome: Annotated[
        AppealOutcome, typer.Option(help="upheld takes every entry it concerns off its list.")
    ],
    reason: Reason,
    ownership_confirmed: Annotated[
        bool, typer.Option("--ownership-confirmed", help="You looked for the proof by hand and found it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Decide one appeal: what is signed covers the entries shown, and names them only when it is upheld."""
    with connected(credentials, as_json) as connection:
        found = next((one for one in _waiting(connection) if one["reference"] == reference), None)
        if found is None:
            raise Failed("no such appeal waits for your body; it was decided, lapsed, or your body took part")
        if not as_json:
            err.print(f"{reference}  {defanged(found['url'])}  {len(found['entries'])} entries", markup=False)
        body = _signed(connection, found, outcome, reason) | {"ownership_confirmed": ownership_confirmed}
        sent: dict[str, Any] = connection.request(
            "POST", f"/v1/appeals/{found['reference']}/decision", json=body
        ).json()
    show(sent, as_json, f"{reference} is {sent['outcome']}; {len(sent['entries'])} entries concerned")


def _signed(
    connection: Connection, found: dict[str, Any], outcome: AppealOutcome, reason: str
) -> dict[str, Any]:
    statement = appeal.statement(
        bytes.fromhex(found["appeal_key"]),
        appeal=found["log_id"],
        entries=[entry["id"] for entry in found["entries"]],
        iat=int(time.time()),
        outcome=outcome,
        reason=reason,
    )
    signature = jose.sign(statement, connection.credentials.private_jwk)
    return {"outcome": outcome.value, "reason": reason, "signature": signature}


def _waiting(connection: Connection) -> Iterator[dict[str, Any]]:
    """Every page. Raises Failed."""
    cursor: str | None = None
    while True:
        page = connection.request("GET", "/v1/appeals", params={"cursor": cursor} if cursor else {}).json()
        yield from page["appeals"]
        cursor = page["next_cursor"]
        if cursor is None:
            return
