"""Commands of the operator about authorities that read a list's entries as indicators (TAXII)."""

from typing import Annotated

import typer

from app.cli.installation import reading, writing
from app.cli.output import AsJson, show
from app.cli.tables import show_table
from app.identity import service as identity
from app.lists import readers
from app.platform.clock import instant

reader = typer.Typer(help="Authorities that read a list as indicators.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="LIST")]
Organisation = Annotated[str, typer.Option("--org", metavar="ID", help="Of kind law_enforcement.")]


@reader.command("add")
def add(name: Name, organisation: Organisation, as_json: AsJson = False) -> None:
    """Let law enforcement, or a CERT registered as such, read a list by TAXII."""
    with writing(as_json) as (session, now):
        readers.add(session, name, organisation, now)
    show({"list": name, "org": organisation, "reads": True}, as_json, f"{organisation} reads {name}")


@reader.command("remove")
def remove(name: Name, organisation: Organisation, as_json: AsJson = False) -> None:
    """Take it back: from the next request on the list is not there for it."""
    with writing(as_json) as (session, now):
        readers.remove(session, name, organisation, now)
    show(
        {"list": name, "org": organisation, "reads": False}, as_json, f"{organisation} no longer reads {name}"
    )


@reader.command("list")
def listed(name: Name, as_json: AsJson = False) -> None:
    """Who reads a list so, and since when."""
    with reading(as_json) as session:
        names = {one.id: one.name for one in identity.organisations(session, None)}
        found = [
            {
                "organisation": one.organisation_id,
                "name": names[one.organisation_id],
                "since": instant(one.created_at),
            }
            for one in readers.of_list(session, name)
        ]
    if not as_json:
        show_table(
            ("organisation", "since", "name"),
            [(one["organisation"], one["since"], one["name"]) for one in found],
            prose=True,
        )
    show({"list": name, "readers": found}, as_json, f"{len(found)} readers")
