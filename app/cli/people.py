"""People of the console: invited here, certified by their review body, gone when they leave."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.installation import read_settings, reading, writing
from app.cli.output import AsJson, fail, show
from app.cli.tables import show_table
from app.core import signup
from app.identity import ceremony
from app.identity import register as taking_in
from app.identity import service as identity
from app.identity.people import passkeys
from app.identity.people import service as people
from app.identity.permissions import Scope
from app.platform.files import write_atomically

person = typer.Typer(help="People who sign in to the console with a passkey.", no_args_is_help=True)
_BY_HAND = "`wardlist person key`, then `wardlist register certify` beside that key (docs/console.md)"
PersonId = Annotated[str, typer.Argument(metavar="PERSON")]


@person.command("invite")
def invite(
    organisation: Annotated[str, typer.Option("--org", metavar="ID")],
    name: Annotated[str, typer.Option(help="Shown in the console; stands in no log.")],
    scope: Annotated[str, typer.Option(help="What the person may do, separated by spaces.")],
    lead: Annotated[bool, typer.Option("--lead", help="May set the pace of the body's reviewers.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a person and an invitation: a link that enrols one passkey, once, within three days."""
    scopes = _scopes(scope, as_json)
    with writing(as_json) as (session, now):
        made, token = people.invite(session, organisation, name, scopes, lead, now)
    _show(made.id, made.client_id, token, as_json)


@person.command("again")
def again(person_id: PersonId, as_json: AsJson = False) -> None:
    """A new invitation for somebody who lost every passkey; one not used yet ends with it."""
    with writing(as_json) as (session, now):
        token = people.invite_again(session, person_id, now)
        client = people.member(session, person_id).caller.client_id
    _show(person_id, client, token, as_json)


@person.command("list")
def listing(
    organisation: Annotated[str | None, typer.Option("--org", metavar="ID")] = None, as_json: AsJson = False
) -> None:
    """Who signs in, for whom, and with how many passkeys."""
    with reading(as_json) as session:
        found = people.every(session, organisation)
    rows = [
        {
            "person": one.id,
            "organisation": owner.name,
            "lead": one.is_lead,
            "passkeys": passkeys,
            "name": one.name,
        }
        for one, owner, passkeys in found
    ]
    if not as_json:
        columns = ("person", "organisation", "lead", "passkeys", "name")
        show_table(columns, [[str(row[name]) for name in columns] for row in rows], prose=True)
    show({"people": rows}, as_json, f"{len(rows)} people")


@person.command("key")
def key(
    person_id: PersonId,
    out: Annotated[Path, typer.Option(help="File for `register certify --credentials`.")],
    as_json: AsJson = False,
) -> None:
    """Write the public half of somebody's newest passkey, for the review body to certify."""
    with reading(as_json) as session:
        member = people.member(session, person_id)
        client, enrolled = member.caller.client_id, passkeys.in_force(session, member)
        if not enrolled:
            fail("no passkey is enrolled yet", as_json)
        jwk = identity.keys(session, client)[enrolled[-1].kid]
    try:
        write_atomically(out, json.dumps({"client_id": client, "jwk": jwk}, indent=2).encode(), mode=0o644)
    except OSError as failure:
        fail(f"--out: {failure.strerror}", as_json)
    known_as = signup.fingerprint(jwk["kid"])
    show({"out": str(out), "kid": jwk["kid"], "fingerprint": known_as}, as_json, f"{out}: {known_as}")


@person.command("certify")
def certify(person_id: PersonId, as_json: AsJson = False) -> None:
    """Certify somebody's passkeys with the body's key, while that still lies in `offline`."""
    offline = read_settings().offline
    with writing(as_json) as (session, now):
        member = people.member(session, person_id)
        client = member.caller.client_id
        if not passkeys.in_force(session, member):
            fail("no passkey is enrolled yet", as_json)
        keys = identity.keys(session, client)
        known = taking_in.certified_kids(session, list(keys))
        done = [kid for kid in keys if kid not in known]
        for kid in done:
            if not ceremony.certify(session, offline, member.organisation.id, client, keys[kid], now):
                fail(f"the body's key is not in {offline}: {_BY_HAND}", as_json)
    words = f"{len(done)} passkeys certified" if done else "every passkey is certified already"
    show({"person": person_id, "certified": done}, as_json, words)


@person.command("end")
def end(person_id: PersonId, as_json: AsJson = False) -> None:
    """Somebody leaves: signed out everywhere, passkeys and name gone. What was signed stands."""
    with writing(as_json) as (session, now):
        people.end(session, person_id, now)
    show({"person": person_id, "ended": True}, as_json, "ended")


def _scopes(text: str, as_json: bool) -> set[Scope]:
    try:
        return {Scope(word) for word in text.split()}
    except ValueError as unknown:
        fail(f"--scope: {unknown}", as_json)


def _show(person_id: str, client: str, token: str, as_json: bool) -> None:
    link = f"{read_settings().console}/console/enrol#{token}"
    result = {"person": person_id, "client_id": client, "invitation": link}
    show(result, as_json, f"person {person_id}; give this to nobody else, it works once:\n{link}")
