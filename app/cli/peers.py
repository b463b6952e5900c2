"""`wardlist peer`: other countries' instances, worked on directly like other things of the operator."""

import re
from pathlib import Path
from typing import Annotated

import typer

from app.cli.installation import read_settings, reading, writing
from app.cli.output import AsJson, err, fail, show
from app.cli.tables import show_table
from app.core import age, card, exchange, signup
from app.core.card import Card
from app.entries.schemas import COUNTRIES
from app.platform import outgoing
from app.platform.files import write_atomically
from app.platform.keyring import Keyring, NotInitialised
from app.takedown.peers import service as peers

peer = typer.Typer(help="Other instances, and partner hotlines that exchange like one.", no_args_is_help=True)
Organisation = Annotated[str, typer.Argument(metavar="ORG", help="The peer's organisation here.")]


@peer.command("card")
def make_card(
    name: Annotated[str, typer.Option(help="As the peer's operators know you.")],
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2.")],
    out: Annotated[Path, typer.Option(help="File to write; nothing in it is secret.")],
    as_json: AsJson = False,
) -> None:
    """Write this instance's card, for another one's `wardlist peer add`."""
    if country not in COUNTRIES:
        fail("--country: not an ISO 3166-1 alpha-2 code", as_json)
    settings = read_settings()
    try:
        keyring = Keyring.load(settings.keys, ["peer", "peer-age"])
        recipient = age.recipient_of(keyring.peer_identity)
        made = Card.made(name, country, settings.address, keyring.peer, recipient)
        write_atomically(out, made.to_bytes(keyring.peer))
    except (NotInitialised, card.Invalid) as wrong:
        fail(str(wrong), as_json)
    except OSError as failure:
        fail(f"--out: {failure.strerror}", as_json)
    if not as_json:
        err.print("Read the fingerprint out to the peer's operators by telephone.")
        _warn_of_address(made.address)
    result = {"out": str(out), "address": made.address, "fingerprint": made.fingerprint}
    show(result, as_json, f"{out}\n{made.fingerprint}")


@peer.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="The peer's card.json.")],
    name: Annotated[str, typer.Option("--list", help="What it refers is submitted to this list.")],
    fingerprint: Annotated[
        str | None, typer.Option(help="As the peer read it out; another key is refused.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Exchange with the maker of a card: organisation, client and contact, all or nothing.

    Let the peer read out its fingerprint first, and give it with --fingerprint.
    A newer card of a peer, ended or not, brings it up to date.
    """
    known = _card(file, fingerprint, as_json)
    allow_private = read_settings().webhook_allow_private
    with writing(as_json) as (session, now):
        added = peers.add(session, known, name, allow_private, now)
        owner, client_id = added.organisation_id, added.client_id
    if not as_json:
        err.print(
            f"{known.name} is a peer as {owner}. Let its operators read out its fingerprint by telephone. If "
            f"it is not the one below: wardlist peer end {owner}",
            markup=False,
        )
    result = {"organisation": owner, "client_id": client_id, "list": name, "fingerprint": known.fingerprint}
    lines = [f"{label + ':':<14}{value}" for label, value in result.items()]
    show(result, as_json, "\n".join(lines))


@peer.command("list")
def every(as_json: AsJson = False) -> None:
    """Show the peers, and how many answers to them wait or could not be sent."""
    with reading(as_json) as session:
        found = [
            {
                "organisation": one.organisation.id,
                "name": one.organisation.name,
                "country": one.organisation.country,
                "list": one.peer.list,
                "address": one.peer.address,
                "in_force": one.is_in_force,
                "waiting": one.waiting,
                "failed": one.failed,
                "fingerprints": [signup.fingerprint(kid) for kid in one.kids],
            }
            for one in peers.every(session)
        ]
    if not as_json:
        columns = ("organisation", "country", "list", "in_force", "waiting", "failed", "name")
        rows = [[_cell(one[name]) for name in columns] for one in found]
        show_table(columns, rows, prose=True)
    show({"peers": found}, as_json, f"{len(found)} peers")


@peer.command("end")
def end(organisation: Organisation, as_json: AsJson = False) -> None:
    """Exchange nothing more with a peer: its organisation is suspended, its contacts end."""
    with writing(as_json) as (session, now):
        peers.end(session, organisation, now)
    show({"organisation": organisation, "ended": True}, as_json, "ended")


def _warn_of_address(address: str) -> None:
    try:
        outgoing.parsed(address + exchange.PATH, allow_private=False)
    except outgoing.Refused as why:
        err.print(
            f"No peer on the internet calls {address} ({why}): set WARDLIST_ISSUER to this service's public "
            "address, and make the card anew.",
            markup=False,
        )


def _card(file: Path, fingerprint: str | None, as_json: bool) -> Card:
    try:
        found = Card.read(file.read_bytes())
        own = Keyring.load(read_settings().keys, []).peer_kid
    except OSError as failure:
        fail(f"{file}: {failure.strerror}", as_json)
    except card.Invalid as wrong:
        fail(f"{file}: {wrong}; no peer is added", as_json)
    except NotInitialised as missing:
        fail(str(missing), as_json)
    if found.country not in COUNTRIES:
        fail(f"{file}: country is not an ISO 3166-1 alpha-2 code", as_json)
    if found.kid == own:
        fail(f"{file}: this is this instance's own card", as_json)
    given = re.sub(r"\s", "", fingerprint or "").lower()
    if given and given != found.fingerprint.replace(" ", ""):
        fail("the fingerprint is another one: this is not the card the peer made", as_json)
    return found


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
