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
_TRIES, _NAMED = 3, 10
_FAULTS_IN_AN_ANSWER = 100


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
    named = [(f"URL {number}", one) for number, one in enumerate(urls or (), 1)] + _read(file, as_json)
    if not named:
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
        places, new = [place for place, _ in named], [{"url": url, **common} for _, url in named]
        entries, batches = _send(connection, new, places)
    show({"submitted": len(entries), "entries": entries}, as_json, _told(entries, batches))


def _told(entries: list[dict[str, Any]], batches: list[str]) -> str:
    """How many; the ids of a few, the batches of many."""
    few = [entry["id"] for entry in entries] if len(entries) <= FEW else []
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


def _read(file: Path | None, as_json: bool) -> list[tuple[str, str]]:
    """Each address with its line's number, as an editor counts: empty lines too."""
    if file is None:
        return []
    try:
        # Editors of Windows begin a file with a mark that belongs to no address.
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as failure:
        fail(f"--file: {file}: {failure.strerror}", as_json)
    except UnicodeDecodeError:
        fail(f"--file: {file} is not UTF-8", as_json)
    found = [(f"line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    return found or fail(f"--file: {file} holds no URL", as_json)


def _send(
    connection: Connection, entries: list[dict[str, Any]], places: list[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """What was taken, and the ids of its batches. `places` say where each entry was given."""
    if len(entries) == 1:
        return [_post(connection, "/v1/entries", entries[0])], []
    taken, batches = list[dict[str, Any]](), list[str]()
    columns = (TextColumn("submitting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=len(entries))
        for start in range(0, len(entries), BATCH):
            some = slice(start, start + BATCH)
            try:
                done = _post(connection, "/v1/entries/batch", {"entries": entries[some]})
            except Failed as failure:
                words = _explained(failure, places[some])
                message = f"{words}. {len(taken)} of {len(entries)} were taken before this batch"
                if batches:
                    message += f", as {', '.join(f'batch {one}' for one in batches)}"
                again = f"; mend it and send again from {places[start]} on" if taken else ""
                raise Failed(message + again, failure.problem) from None
            taken += done["entries"]
            batches += [done["batch"]] if done["batch"] else []
            progress.update(task, completed=len(taken))
    return taken, batches


def _explained(failure: Failed, places: list[str]) -> str:
    """A refusal by where each fault was given: of a batch the service knows the entries' numbers alone."""
    found: dict[str, list[str]] = {}
    errors = failure.problem.get("errors", ())
    for error in errors:
        if not 0 <= error.get("index", -1) < len(places):
            return str(failure)
        error["place"] = places[error["index"]]
        found.setdefault(f"{error['field']}: {error['detail']}", []).append(error["place"])
    if not found:
        return str(failure)
    faults = [f"{_some(where)}, {what}" for what, where in found.items()]
    cut = len(errors) >= _FAULTS_IN_AN_ANSWER
    more = f"; these are the first {len(errors)} faults of this batch" if cut else ""
    return f"{failure.problem['title']}. {_some(faults, '; ')}{more}"


def _some(every: list[str], between: str = ", ") -> str:
    rest = len(every) - _NAMED
    return between.join(every[:_NAMED]) + (f" and {rest} more (--json names all)" if rest > 0 else "")


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
