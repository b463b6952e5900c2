"""Commands of the operator about contacts: who can be told of what is hosted somewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError

from app.cli.installation import read_settings, reading, writing
from app.cli.output import AsJson, fail, fail_with, show
from app.cli.tables import show_table
from app.core.terms import Channel, ContactKind, ProviderClass
from app.platform.clock import instant
from app.platform.files import write_atomically
from app.platform.keyring import Keyring
from app.platform.problems import FieldError, Problem
from app.takedown.contacts import file as contact_file
from app.takedown.contacts import service
from app.takedown.contacts.schemas import ContactContent, ContactView
from app.takedown.contacts.service import Wanted
from app.takedown.models import Contact

contact = typer.Typer(help="Who is told of what is hosted somewhere.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="ID")]
Country = Annotated[str | None, typer.Option(help="ISO 3166-1 alpha-2.")]
HostSuffix = Annotated[
    str | None, typer.Option(metavar="HOST", help="A provider's: it and what is below it.")
]
Network = Annotated[str | None, typer.Option(metavar="CIDR", help="Of a network.")]
Class = Annotated[ProviderClass | None, typer.Option(help="For the figures.")]
Language = Annotated[str | None, typer.Option(help="en, fr or de: what notices are written in.")]
Rank = Annotated[int | None, typer.Option(help="Of several that fit alike the lowest is told first.")]
Means = Literal["mail", "webhook", "peer"]
_HEADS = {"id": "contact", "ended_at": "ended"}
_ADDRESS = "A mail address, a webhook's, or the id of a peer's organisation."


@contact.command("add")
def add(
    kind: Annotated[ContactKind, typer.Option()],
    name: Annotated[str, typer.Option()],
    channel: Annotated[Means, typer.Option()],
    address: Annotated[str, typer.Option(help=_ADDRESS)],
    country: Country = None,
    host_suffix: HostSuffix = None,
    network: Network = None,
    provider_class: Class = None,
    language: Language = None,
    rank: Rank = None,
    as_json: AsJson = False,
) -> None:
    """Add somebody who can be told."""
    content = {"kind": kind, "name": name, "channel": channel, "address": address}
    optional = {
        "country": country,
        "host_suffix": host_suffix,
        "network": network,
        "provider_class": provider_class,
        "language": language,
        "rank": rank,
    }
    allow_private = read_settings().webhook_allow_private
    with writing(as_json) as (session, now), _naming_options():
        added = service.add(session, _shaped(content | _given(optional)), now, allow_private=allow_private)
    show(_view(added), as_json, added.id)


@contact.command("edit")
def edit(
    contact_id: Id,
    name: Annotated[str | None, typer.Option()] = None,
    channel: Annotated[Means | None, typer.Option()] = None,
    address: Annotated[str | None, typer.Option(help=_ADDRESS)] = None,
    country: Country = None,
    host_suffix: HostSuffix = None,
    network: Network = None,
    provider_class: Class = None,
    language: Language = None,
    rank: Rank = None,
    as_json: AsJson = False,
) -> None:
    """Put the next version of a contact in force: what is not named stays, an empty word takes it away.

    A contact stays of its kind.
    """
    given = {
        "name": name,
        "channel": channel,
        "address": address,
        "country": country,
        "host_suffix": host_suffix,
        "network": network,
        "provider_class": provider_class,
        "language": language,
        "rank": rank,
    }
    allow_private = read_settings().webhook_allow_private
    with writing(as_json) as (session, now), _naming_options():
        found = service.in_force(session, contact_id)
        said = service.content_of(found).to_json() | _given(given)
        content = _shaped({key: None if value == "" else value for key, value in said.items()})
        changed = service.change(
            session, contact_id, found.version, content, now, allow_private=allow_private
        )
    show(_view(changed), as_json, f"{changed.id}: version {changed.version}")


@contact.command("end")
def end(contact_id: Id, as_json: AsJson = False) -> None:
    """Tell nobody there any longer; what was told stays on record."""
    with writing(as_json) as (session, now):
        service.end(session, contact_id, now)
    show({"id": contact_id, "ended": True}, as_json, "ended")


@contact.command("list")
def listing(
    kind: Annotated[ContactKind | None, typer.Option(help="Only of this kind.")] = None,
    country: Country = None,
    with_ended: Annotated[bool, typer.Option("--ended", help="Those that ended too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the contacts, by kind, country and name."""
    with reading(as_json) as session:
        found = service.page(session, Wanted(kind, country, with_ended))
    found.sort(key=lambda one: (one.kind, one.country or "", one.name_key, one.rank, one.id))
    if not as_json:
        columns = ["id", "version", "kind", "country", "channel", "address", "name"]
        if with_ended:
            columns.insert(1, "ended_at")
        heads = [_HEADS.get(name, name) for name in columns]
        show_table(heads, [[_cell(getattr(one, name)) for name in columns] for one in found], prose=True)
    show({"contacts": [_view(one) for one in found]}, as_json, f"{len(found)} contacts")


@contact.command("import")
def take_in(
    file: Annotated[Path, typer.Argument(help="CSV in UTF-8; its first line names the columns.")],
    replace: Annotated[bool, typer.Option("--replace", help="End the contacts that are not in it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add and change contacts as a file says: all of it is taken, or nothing."""
    try:
        rows = contact_file.read(_read(file, as_json))
    except Problem as problem:
        fail_with(problem, as_json)
    allow_private = read_settings().webhook_allow_private
    with writing(as_json) as (session, now):
        done = contact_file.take_in(session, rows, now, allow_private, replace)
    said = vars(done)
    show(said, as_json, ", ".join(f"{count} {what}" for what, count in said.items()))


@contact.command("export")
def export(
    out: Annotated[Path | None, typer.Option(help="A new file; standard output by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the contacts in force as CSV, to be edited and imported again."""
    with reading(as_json) as session:
        found = service.page(session, Wanted())
    text = contact_file.write(found).encode()
    if out is None and as_json:
        fail("--json: give --out as well", as_json)
    if out is None:
        sys.stdout.buffer.write(text)
        return
    try:
        write_atomically(out, text, mode=0o600)
    except OSError as failure:
        fail(f"--out: {failure}", as_json)
    show({"contacts": len(found), "out": str(out)}, as_json, f"{len(found)} contacts")


@contact.command("secret")
def secret(contact_id: Id, as_json: AsJson = False) -> None:
    """Show what messages to a contact's webhook are signed with."""
    with reading(as_json) as session:
        found = service.in_force(session, contact_id)
        if found.channel is not Channel.WEBHOOK:
            fail("this contact has no webhook", as_json)
        shown = service.webhook_secret(Keyring.load(read_settings().keys, ["notice"]), found.id)
    show({"id": found.id, "secret": shown}, as_json, shown)


@contextmanager
def _naming_options() -> Iterator[None]:
    """Have a refusal name options where it names fields."""
    try:
        yield
    except Problem as refused:
        for fault in refused.errors:
            fault["field"] = f"--{_option((fault['field'],))}"
        raise


def _cell(value: object) -> str:
    return instant(value) if isinstance(value, datetime) else str(value or "-")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _shaped(given: dict[str, Any]) -> ContactContent:
    """Raises a 422 problem."""
    try:
        return ContactContent.model_validate(given)
    except ValidationError as wrong:
        faults = [
            FieldError(field=_option(error["loc"]), detail=error["msg"].removeprefix("Value error, "))
            for error in wrong.errors(include_input=False, include_url=False)
        ]
        raise Problem("invalid-input", "nothing was changed", faults) from None


def _option(place: tuple[int | str, ...]) -> str:
    return str(place[0]).replace("_", "-") if place else ""


def _read(file: Path, as_json: bool) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(contact_file.LARGEST + 1)
    except OSError as failure:
        fail(f"{file}: {failure.strerror}", as_json)


def _view(one: Contact) -> dict[str, Any]:
    return ContactView.model_validate(one, from_attributes=True).model_dump(mode="json")
