"""Who takes part: organisations, clients and lists, read from the installation's database."""

from typing import Annotated, Any

import typer

from app.cli.installation import reading
from app.cli.output import AsJson, show
from app.cli.tables import show_table
from app.core.terms import Kind
from app.identity import service as identity
from app.lists import service as lists
from app.platform.clock import instant


def organisations(
    kind: Annotated[Kind | None, typer.Option(help="Only of this kind.")] = None, as_json: AsJson = False
) -> None:
    """Show the organisations, by name."""
    with reading(as_json) as session:
        found = [
            {
                "id": one.id,
                "kind": one.kind.value,
                "name": one.name,
                "country": one.country,
                "suspended": one.suspended_at is not None,
            }
            for one in identity.organisations(session, kind)
        ]
    if not as_json:
        columns = ("id", "kind", "country", "suspended", "name")
        rows = [[_cell(one[name]) for name in columns] for one in found]
        show_table(("organisation", *columns[1:]), rows, prose=True)
    show({"organisations": found}, as_json, f"{len(found)} organisations")


def clients(
    organisation: Annotated[str | None, typer.Option("--org", metavar="ID", help="Only of this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the clients, with their scopes and the keys in force."""
    with reading(as_json) as session:
        keys = identity.key_ids(session)
        found = [
            {
                "client_id": one.id,
                "organisation": one.organisation_id,
                "name": owner.name,
                "scopes": one.scopes.split(),
                "kids": keys.get(one.id, []),
                "created_at": instant(one.created_at),
                "revoked": one.revoked_at is not None,
            }
            for one, owner in identity.clients(session, organisation)
        ]
    if not as_json:
        columns = ("client_id", "organisation", "name", "kids", "revoked", "scopes")
        rows = [[_cell(one[name]) for name in columns] for one in found]
        show_table(("client", *columns[1:]), rows, prose=True)
    show({"clients": found}, as_json, f"{len(found)} clients")


def lists_there(
    name: Annotated[str | None, typer.Argument(metavar="[LIST]", help="Every list by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the lists, with their newest version and who subscribes."""
    with reading(as_json) as session:
        names, subscribed = identity.providers(session), lists.subscriptions(session)
        found: list[dict[str, Any]] = []
        for view in (lists.view(session, one) for one in lists.every(session, name)):
            readers = sorted(subscribed.get(view.name, ()), key=lambda one: names[one])
            found.append(
                {
                    "name": view.name,
                    "title": view.title,
                    "confidentiality": view.confidentiality.value,
                    "newest_version": view.latest_version,
                    "subscribers": [{"organisation": one, "name": names[one]} for one in readers],
                }
            )
    if not as_json:
        columns = ("name", "confidentiality", "newest_version", "title")
        rows = [[_cell(one[name]) for name in columns] for one in found]
        show_table(("list", "confidentiality", "newest version", "title"), rows, prose=True)
        subscribers = [(one["name"], *who.values()) for one in found for who in one["subscribers"]]
        if subscribers:
            show_table(("list", "subscriber", "name"), subscribers, prose=True)
    show({"lists": found}, as_json, f"{len(found)} lists")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(value) if isinstance(value, list) else str(value or "-")
