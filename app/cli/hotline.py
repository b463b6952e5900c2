"""Commands of a hotline: submit, withdraw, and look again in time."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.connection import CredentialFile, connected
from app.cli.output import AsJson, err, fail, show
from app.cli.tables import show_table
from app.client.session import Connection, Failed
from app.core.legal import Ground, Material
from app.core.terms import EntryScope, Measure, RecheckOutcome

BATCH = 1000
FEW = 20
"""Entries whose ids are still read by a person."""
_TRIES = 3


def submit(
    credentials: CredentialFile,
    in_list: Annotated[str, typer.Option("--list")],
    ground: Annotated[Ground, typer.Option()],
    material: Annotated[Material, typer.Option()],
    statement: Annotated[str, typer.Option(help="Why: at least 20 characters, at most 2,000.")],
    country: Annotated[str, typer.Option(help="Hosting country, ISO 3166-1 alpha-2.")],
    urls: Annotated[list[str] | None, typer.Argument(metavar="URL...")] = None,
    file: Annotated[Path | None, typer.Option(help="One URL a line.")] = None,
    scope: Annotated[EntryScope, typer.Option()] = EntryScope.URL,
    scope_reason: Annotated[
        str | None,
        typer.Option(help="Why a narrower scope fails, in at least 20 characters; host and domain need it."),
    ] = None,
    measure: Annotated[list[Measure] | None, typer.Option(help="Both by default.")] = None,
    assessed_at: Annotated[str | None, typer.Option(help="RFC 3339; now by default.")] = None,
    reference: Annotated[str | None, typer.Option(help="Your own reference.")] = None,
    provider: Annotated[str | None, typer.Option(help="Who hosts it, as assessed: it is told.")] = None,
    address: Annotated[
        str | None, typer.Option(metavar="IP", help="Its IP address, as assessed: that finds the network.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Submit URLs for takedown and blocking, up to 1,000 at a time."""
    addresses = [*(urls or []), *_read(file, as_json)]
    if not addresses:
        fail("give URLs or --file", as_json)
    common = {
        "scope": scope.value,
        "measures": [one.value for one in measure or list(Measure)],
        "list": in_list,
        "legal_ground": ground.value,
        "material": material.value,
        "assessed_at": assessed_at or datetime.now(UTC).isoformat(),
        "statement": statement,
        "hosting_country": country,
        "hotline_reference": reference,
        "scope_reason": scope_reason,
        "hosting_provider": provider,
        "hosting_address": address,
    }
    with connected(credentials, as_json) as connection:
        entries = _send(connection, [{"url": each, **common} for each in addresses])
    show({"submitted": len(entries), "entries": entries}, as_json, _told(entries))


def _told(entries: list[dict[str, Any]]) -> str:
    """How many; the ids of a few, the batches of many."""
    few = [entry["id"] for entry in entries] if len(entries) <= FEW else []
    batches = sorted({entry["batch_id"] for entry in entries if entry["batch_id"]})
    return "\n".join([f"{len(entries)} submitted", *few, *(f"batch {one}" for one in batches)])


def withdraw(
    entry: Annotated[str, typer.Argument()], credentials: CredentialFile, as_json: AsJson = False
) -> None:
    """Take back an entry of yours."""
    with connected(credentials, as_json) as connection:
        view = connection.request("POST", f"/v1/entries/{entry}/withdrawal").json()
    show(view, as_json, f"{view['id']} is {view['status']}")


def recheck(
    entry: Annotated[str, typer.Argument()],
    outcome: Annotated[RecheckOutcome, typer.Option(help="What you found when you looked again.")],
    credentials: CredentialFile,
    checked_at: Annotated[str | None, typer.Option(help="RFC 3339; now by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what you found: still_available keeps the entry, removed and changed end it at once."""
    body = {"outcome": outcome.value, "checked_at": checked_at or datetime.now(UTC).isoformat()}
    with connected(credentials, as_json) as connection:
        view = connection.request("POST", f"/v1/entries/{entry}/rechecks", json=body).json()
    until = f" until {view['recheck_by']}" if view["status"] in ("approved", "listed") else ""
    show(view, as_json, f"{view['id']} is {view['status']}{until}")


def due(
    credentials: CredentialFile,
    within_days: Annotated[int, typer.Option(min=0, max=365)] = 7,
    as_json: AsJson = False,
) -> None:
    """Your entries that leave their list in that time unless `wardlist recheck` reaffirms them."""
    entries: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"within_days": within_days, "limit": BATCH}
    with connected(credentials, as_json) as connection:
        while True:
            page = connection.request("GET", "/v1/entries/due", params=asked).json()
            entries += page["entries"]
            if not page["next_cursor"]:
                break
            asked["cursor"] = page["next_cursor"]
    if not as_json:
        rows = [[one[name] for name in ("id", "recheck_by", "list", "scope", "status")] for one in entries]
        show_table(("entry", "recheck by", "list", "scope", "status"), rows)
    show({"entries": entries}, as_json, f"{len(entries)} due within {within_days} days")


def _read(file: Path | None, as_json: bool) -> list[str]:
    if file is None:
        return []
    try:
        return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as failure:
        fail(f"--file: {failure}", as_json)


def _send(connection: Connection, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(entries) == 1:
        return [_post(connection, "/v1/entries", entries[0])]
    taken: list[dict[str, Any]] = []
    columns = (TextColumn("submitting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=len(entries))
        for start in range(0, len(entries), BATCH):
            some = entries[start : start + BATCH]
            try:
                taken += _post(connection, "/v1/entries/batch", {"entries": some})["entries"]
            except Failed as failure:
                message = f"{failure}. {len(taken)} of {len(entries)} were taken before this batch"
                raise Failed(message, failure.problem) from None
            progress.update(task, completed=len(taken))
    return taken


def _post(connection: Connection, path: str, body: dict[str, Any]) -> Any:
    """Send once as far as the service is concerned, however often the line breaks."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    for left in reversed(range(_TRIES)):
        try:
            return connection.request("POST", path, json=body, headers=headers).json()
        except Failed as failure:
            if failure.problem or not left:
                raise
    raise AssertionError("unreachable")
