"""`wardlist list coverage`: how far each subscriber is, for operators and auditors."""

from typing import Annotated, Any

import typer

from app.cli.connection import CredentialFile, connected
from app.cli.output import AsJson, show
from app.cli.tables import show_table


def coverage(
    name: Annotated[str, typer.Argument(metavar="LIST")], credentials: CredentialFile, as_json: AsJson = False
) -> None:
    """How far each provider is with a list, by its receipts, and how soon what left is unblocked."""
    with connected(credentials, as_json) as connection:
        found = connection.request("GET", f"/v1/lists/{name}/coverage").json()
    if not as_json:
        _print(found["providers"])
    show(found, as_json, _sentence(found))


def _print(providers: list[dict[str, Any]]) -> None:
    columns = (
        "provider",
        "applied",
        "versions behind",
        "seconds behind",
        "said last",
        "held or failed",
        "name",
    )
    show_table(columns, [_row(one) for one in providers], prose=True)


def _row(one: dict[str, Any]) -> list[str]:
    objected = one["last_held_or_failed"]
    return [
        one["organisation"],
        str(one["applied_version"] or "-"),
        str(one["versions_behind"]),
        str(one["seconds_behind"]),
        one["outcome"] or "-",
        f"{objected['outcome']} {objected['version']}" if objected else "-",
        one["name"],
    ]


def _sentence(found: dict[str, Any]) -> str:
    if not found["newest_version"]:
        return f"{found['list']}: no version yet"
    sentence = f"{found['list']}: version {found['newest_version']}"
    if found["applied_by_percent"] is None:
        return f"{sentence}, no subscriber"
    sentence = f"{sentence}, applied by {found['applied_by_percent']} % of {len(found['providers'])}"
    unblocked = found["seconds_to_unblock"]
    if not unblocked["count"]:
        return sentence
    return f"{sentence}; unblocked in {unblocked['median']} s (median), {unblocked['p90']} s (9 of 10)"
