"""Commands of the operator: who takes part, and which lists there are."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from sqlmodel import Session

from app.cli.installation import read_settings, writing
from app.cli.output import AsJson, err, fail, show
from app.core import jose
from app.core.terms import Confidentiality, EntryScope, Kind
from app.entries.schemas import COUNTRIES
from app.identity import ceremony
from app.identity import service as identity
from app.identity.permissions import Scope
from app.lists import service as lists
from app.lists.schemas import NewList
from app.platform.files import write_atomically

org = typer.Typer(help="Organisations.", no_args_is_help=True)
client = typer.Typer(help="Machine credentials.", no_args_is_help=True)
lists_app = typer.Typer(help="Lists and their subscribers.", no_args_is_help=True)


@org.command("add")
def org_add(
    kind: Annotated[Kind, typer.Option()],
    name: Annotated[str, typer.Option()],
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2.")],
    as_json: AsJson = False,
) -> None:
    """Register an organisation."""
    if country not in COUNTRIES:
        fail("--country: not an ISO 3166-1 alpha-2 code", as_json)
    offline = read_settings().offline
    with writing(as_json) as (session, now):
        added = identity.add_organisation(session, kind, name, country, now)
        is_enrolled = kind is not Kind.REVIEW_BODY or ceremony.enrol(session, offline, added.id, now)
    if not is_enrolled:
        err.print("Put the body on the register with `wardlist register propose`; until then no vote counts.")
    show({"id": added.id, "kind": kind.value, "name": added.name, "country": country}, as_json, added.id)


@org.command("suspend")
def org_suspend(organisation: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Refuse an organisation's clients from the next request on."""
    with writing(as_json) as (session, now):
        identity.suspend_organisation(session, organisation, True, now)
    show({"id": organisation, "suspended": True}, as_json, "suspended")


@org.command("readmit")
def org_readmit(organisation: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Let a suspended organisation back in."""
    with writing(as_json) as (session, now):
        identity.suspend_organisation(session, organisation, False, now)
    show({"id": organisation, "suspended": False}, as_json, "readmitted")


@client.command("add")
def client_add(
    organisation: Annotated[str, typer.Option("--org", metavar="ID")],
    out: Annotated[Path, typer.Option(help="Credential file to write, mode 0600.")],
    scope: Annotated[str, typer.Option(help="Scopes, separated by spaces.")],
    as_json: AsJson = False,
) -> None:
    """Make a credential for an organisation."""
    try:
        scopes = {Scope(word) for word in scope.split()}
    except ValueError as unknown:
        fail(f"--scope: {unknown}", as_json)
    private = jose.generate()
    with writing(as_json) as (session, now):
        added = identity.add_client(session, organisation, scopes, private, now)
        is_certified = _certify(session, organisation, added.id, private, now)
        _write_credentials(out, added.id, private, as_json)
    if Scope.REVIEWS_WRITE in scopes and not is_certified:
        err.print(
            "The review body must certify this key: `wardlist register certify`; until then no vote counts."
        )
    result = {"client_id": added.id, "kid": private["kid"], "out": str(out)}
    show(result, as_json, f"client {added.id}: {out}")


@client.command("rotate")
def client_rotate(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT")],
    out: Annotated[Path, typer.Option(help="Credential file to write, mode 0600.")],
    as_json: AsJson = False,
) -> None:
    """Add a second key to a client; retire the old one with `client revoke-key` once it is unused."""
    private = jose.generate()
    with writing(as_json) as (session, now):
        identity.add_key(session, client_id, private, now)
        if owner := identity.active(session, client_id):
            _certify(session, owner[1].id, client_id, private, now)
        _write_credentials(out, client_id, private, as_json)
    show({"client_id": client_id, "kid": private["kid"], "out": str(out)}, as_json, f"new key: {out}")


@client.command("revoke-key")
def client_revoke_key(kid: Annotated[str, typer.Argument()], as_json: AsJson = False) -> None:
    """Retire one key of a client."""
    with writing(as_json) as (session, now):
        identity.revoke_key(session, kid, now)
    show({"kid": kid, "revoked": True}, as_json, "revoked")


@client.command("revoke")
def client_revoke(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT")], as_json: AsJson = False
) -> None:
    """End a client for good."""
    with writing(as_json) as (session, now):
        identity.revoke_client(session, client_id, now)
    show({"client_id": client_id, "revoked": True}, as_json, "revoked")


@lists_app.command("add")
def list_add(
    name: Annotated[str, typer.Argument()],
    title: Annotated[str, typer.Option()],
    scope: Annotated[list[EntryScope], typer.Option(help="Repeat for each scope the list takes.")],
    quorum: Annotated[list[str] | None, typer.Option(help="SCOPE=N, repeated.")] = None,
    confidentiality: Annotated[Confidentiality, typer.Option()] = Confidentiality.SEALED,
    recheck_days: Annotated[int, typer.Option()] = 30,
    retention_days: Annotated[int, typer.Option()] = 180,
    min_poll_seconds: Annotated[int, typer.Option()] = 60,
    as_json: AsJson = False,
) -> None:
    """Create a list with its policy."""
    pairs = [word.partition("=") for word in quorum or []]
    if not all(needed.isascii() and needed.isdigit() for _, _, needed in pairs):
        fail("--quorum: write SCOPE=N, url=1 for instance", as_json)
    try:
        new = NewList(
            name=name,
            title=title,
            scopes=scope,
            quorum={key: int(needed) for key, _, needed in pairs},  # type: ignore[misc]
            confidentiality=confidentiality,
            recheck_days=recheck_days,
            retention_days=retention_days,
            min_poll_seconds=min_poll_seconds,
        )
    except ValidationError as wrong:
        fail("; ".join(f"{error['loc'][0]}: {error['msg']}" for error in wrong.errors()), as_json)
    with writing(as_json) as (session, now):
        created = lists.create(session, new, now)
    show(
        {"name": created.name, "quorum": new.model_dump(mode="json")["quorum"]},
        as_json,
        f"list {created.name}",
    )


@lists_app.command("subscribe")
def list_subscribe(
    name: Annotated[str, typer.Argument()],
    organisation: Annotated[str, typer.Option("--org", metavar="ID")],
    as_json: AsJson = False,
) -> None:
    """Let an internet provider read a list."""
    with writing(as_json) as (session, now):
        lists.subscribe(session, name, organisation, now)
    show({"list": name, "org": organisation, "subscribed": True}, as_json, "subscribed")


@lists_app.command("unsubscribe")
def list_unsubscribe(
    name: Annotated[str, typer.Argument()],
    organisation: Annotated[str, typer.Option("--org", metavar="ID")],
    as_json: AsJson = False,
) -> None:
    """End a subscription."""
    with writing(as_json) as (session, now):
        lists.unsubscribe(session, name, organisation, now)
    show({"list": name, "org": organisation, "subscribed": False}, as_json, "unsubscribed")


def _certify(
    session: Session, organisation: str, client_id: str, private: dict[str, str], now: datetime
) -> bool:
    return ceremony.certify(session, read_settings().offline, organisation, client_id, private, now)


def _write_credentials(out: Path, client_id: str, private: dict[str, str], as_json: bool) -> None:
    address = read_settings().address
    credentials = {
        "issuer": address,
        "token_endpoint": f"{address}/oauth/token",
        "client_id": client_id,
        "private_jwk": private,
    }
    try:
        write_atomically(out, json.dumps(credentials, indent=2).encode(), mode=0o600)
    except OSError as failure:
        fail(f"--out: {failure.strerror}", as_json)
