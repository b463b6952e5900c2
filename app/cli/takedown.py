"""`wardlist takedown`: where removals stand, what a hotline says of them, what law enforcement asks."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from app.cli.connection import CredentialFile, connected
from app.cli.output import AsJson, fail, show
from app.cli.tables import show_table
from app.core.defang import defanged
from app.core.lifecycle import Takedown
from app.core.terms import Deconfliction, Excuse, RefusalReason, TakedownReport

takedown = typer.Typer(help="Removal at the source: clocks, events, holds, figures.", no_args_is_help=True)
Entry = Annotated[str, typer.Argument(metavar="ENTRY")]
InList = Annotated[str | None, typer.Option("--list")]
Moment = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day, UTC.")]
_PAGE = 1000
_LONGEST_HOURS = 14 * 24
_REASONS: dict[TakedownReport, list[str]] = {
    TakedownReport.REFUSED: list(RefusalReason),
    TakedownReport.NO_NOTICE: sorted(set(Excuse) - {Excuse.LAW_ENFORCEMENT_HOLD}),
}
"""Which events ask why, and the answers there are."""
_WHY = ". ".join(f"Of `{event.value}`: {', '.join(reasons)}" for event, reasons in _REASONS.items()) + "."


@takedown.command("list")
def listing(
    credentials: CredentialFile,
    state: Annotated[Takedown | None, typer.Option()] = None,
    in_list: InList = None,
    country: Annotated[str | None, typer.Option(help="Hosting country, ISO 3166-1 alpha-2.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Somebody is late.")] = False,
    to_confirm: Annotated[
        bool, typer.Option("--to-confirm", help="Said to be removed; a hotline is to look.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Takedowns you may see, in the order of submission; law enforcement: those that wait for it."""
    given = {
        "state": state.value if state else None,
        "list": in_list,
        "country": country,
        "overdue": "true" if overdue else None,
        "to_confirm": "true" if to_confirm else None,
    }
    asked: dict[str, Any] = {name: value for name, value in given.items() if value} | {"limit": _PAGE}
    found: list[dict[str, Any]] = []
    with connected(credentials, as_json) as connection:
        while True:
            page = connection.request("GET", "/v1/takedowns", params=asked).json()
            found += page["takedowns"]
            if not page["next_cursor"]:
                break
            asked["cursor"] = page["next_cursor"]
    if not as_json:
        columns = (
            *("entry", "state", "list", "country", "first notice", "held until", "removal due", "late"),
            "address",
        )
        # Law enforcement alone is shown addresses.
        shown = columns if any(one["canonical_url"] for one in found) else columns[:-1]
        show_table(shown, [_row(one)[: len(shown)] for one in found])
    show({"takedowns": found}, as_json, f"{len(found)} takedowns")


@takedown.command("show")
def show_one(entry: Entry, credentials: CredentialFile, as_json: AsJson = False) -> None:
    """One takedown: whom it goes to in turn, every notice, and what happened."""
    with connected(credentials, as_json) as connection:
        found = connection.request("GET", f"/v1/takedowns/{entry}").json()
    if not as_json:
        _show_notices(found["notices"])
        _show_history(found["happened"])
    show(found, as_json, _sentence(found))


@takedown.command("event")
def event(
    entry: Entry,
    credentials: CredentialFile,
    what: Annotated[TakedownReport, typer.Option("--event", help="What you did, heard or saw.")],
    reason: Annotated[str | None, typer.Option(help=_WHY)] = None,
    as_json: AsJson = False,
) -> None:
    """Say what you did or saw: `removed`, seen by you, takes the entry off its list."""
    reasons = _REASONS.get(what)
    if reasons and reason not in reasons:
        fail(f"--reason: give a reason with {what.value}: {', '.join(reasons)}", as_json)
    if reason and not reasons:
        fail(f"--reason: {what.value} has none", as_json)
    body = {"event": what.value} | ({"reason": reason} if reason else {})
    with connected(credentials, as_json) as connection:
        found = connection.request("POST", f"/v1/takedowns/{entry}/events", json=body).json()
    show(found, as_json, _sentence(found))


@takedown.command("hold")
def hold(
    entry: Entry,
    credentials: CredentialFile,
    reason: Annotated[Deconfliction, typer.Option()],
    hours: Annotated[int, typer.Option(min=1, max=_LONGEST_HOURS, help="Until it ends by itself.")],
    as_json: AsJson = False,
) -> None:
    """Law enforcement: ask that nobody is told for now, or renew that."""
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    body = {"reason": reason.value, "until": until.isoformat()}
    with connected(credentials, as_json) as connection:
        found = connection.request("POST", f"/v1/takedowns/{entry}/hold", json=body).json()
    nobody = "nobody else" if found["first_notice_at"] else "nobody"
    show(found, as_json, f"{nobody} is told of {found['id']} before {found['hold']['until']}")


@takedown.command("release")
def release(entry: Entry, credentials: CredentialFile, as_json: AsJson = False) -> None:
    """Law enforcement: end a hold before its date."""
    with connected(credentials, as_json) as connection:
        found = connection.request("DELETE", f"/v1/takedowns/{entry}/hold").json()
    show(found, as_json, f"{found['id']} is held no longer")


@takedown.command("figures")
def figures(
    credentials: CredentialFile,
    since: Moment = None,
    until: Moment = None,
    in_list: InList = None,
    as_json: AsJson = False,
) -> None:
    """How long takedowns opened in that time took: first notice, acknowledgement, removal."""
    asked = {
        name: day.strftime("%Y-%m-%dT00:00:00Z") for name, day in (("since", since), ("until", until)) if day
    }
    if in_list:
        asked["list"] = in_list
    with connected(credentials, as_json) as connection:
        found = connection.request("GET", "/v1/takedowns/figures", params=asked).json()
    if not as_json:
        groups = [
            ("all", found["every"]),
            *((f"country {name}", group) for name, group in found["by_country"].items()),
            *((f"class {name}", group) for name, group in found["by_provider_class"].items()),
        ]
        columns = ("of", "takedowns", "to first notice", "to acknowledgement", "to removal", "overdue")
        show_table(columns, [_figures(name, group) for name, group in groups])
    show(found, as_json, "seconds: median / 9 of 10 (of how many)")


def _row(one: dict[str, Any]) -> list[str]:
    address = one["canonical_url"]
    return [
        one["id"],
        one["state"],
        one["list"],
        one["country"],
        _second(one["first_notice_at"]),
        _second(one["hold"]["until"] if one["hold"] else None),
        _second(one["removal_due_at"]),
        "yes" if one["is_overdue"] else "-",
        defanged(address) if address else "-",
    ]


def _second(moment: str | None) -> str:
    """A moment of the API without its fraction."""
    return re.sub(r"\.[0-9]+", "", moment) if moment else "-"


def _show_notices(notices: list[dict[str, Any]]) -> None:
    columns = ("turn", "kind", "to", "channel", "made", "outcome", "failure", "name")
    if notices:
        show_table(columns, [_notice(one) for one in notices], prose=True)


def _show_history(happened: list[dict[str, Any]]) -> None:
    if happened:
        show_table(("when", "what", "by", "reason"), [_step(one) for one in happened])


def _step(one: dict[str, Any]) -> list[str]:
    by = one["by"] or one["to"] or one["organisation"] or "-"
    return [one["at"], one["what"], by, one["reason"] or one["outcome"] or "-"]


def _notice(one: dict[str, Any]) -> list[str]:
    outcome = one["outcome"] or "waits"
    said = (
        str(one["turn"]),
        one["kind"],
        one["contact_kind"],
        one["channel"],
        _second(one["made_at"]),
        outcome,
    )
    return [*said, one["failure"] or "-", one["contact_name"] or "-"]


def _sentence(found: dict[str, Any]) -> str:
    held = f", held until {found['hold']['until']}" if found["hold"] else ""
    late = ", overdue" if found["is_overdue"] else ""
    look = ", to be confirmed" if found["to_confirm"] else ""
    nobody = (
        f", nobody was told: {found['excuse']}" if found["excuse"] and not found["first_notice_at"] else ""
    )
    return f"{found['id']} is {found['state']}{nobody}{held}{late}{look}"


def _figures(name: str, group: dict[str, Any]) -> list[str]:
    spans = (group["to_first_notice"], group["to_acknowledgement"], group["to_removal"])
    share = "-" if group["overdue_percent"] is None else f"{group['overdue_percent']} %"
    return [name, str(group["takedowns"]), *map(_span, spans), share]


def _span(span: dict[str, Any]) -> str:
    return f"{span['median']} / {span['p90']} ({span['count']})" if span["count"] else "-"
