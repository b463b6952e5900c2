"""Commands of the operator: who takes part, and what must leave a list at once."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session

from app.audit import flags
from app.cli.connection import CredentialFile, connected
from app.cli.installation import read_settings, writing
from app.cli.keys import read_public_key
from app.cli.output import AsJson, err, fail, refuse_existing, show
from app.core import jose, signup
from app.core.terms import ConflictReason, Kind
from app.entries.schemas import COUNTRIES
from app.identity import ceremony, conflicts
from app.identity import service as identity
from app.identity.people import sessions
from app.identity.permissions import Scope
from app.platform.clock import instant
from app.platform.files import write_atomically

org = typer.Typer(help="Organisations.", no_args_is_help=True)
client = typer.Typer(help="Machine credentials.", no_args_is_help=True)
_SIGNING = {Scope.REVIEWS_WRITE, Scope.APPEALS_DECIDE}
_UNCERTIFIED = (
    "The review body must certify this key: `wardlist register certify`; until then nothing it signs counts."
)


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


@org.command("rename")
def org_rename(
    organisation: Annotated[str, typer.Argument(metavar="ID")],
    name: Annotated[str, typer.Argument()],
    as_json: AsJson = False,
) -> None:
    """Give an organisation another name. Its id stays."""
    with writing(as_json) as (session, _):
        named = identity.rename_organisation(session, organisation, name).name
    show({"id": organisation, "name": named}, as_json, f"{organisation}: {named}")


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


@org.command("conflict")
def org_conflict(
    one: Annotated[str, typer.Argument(metavar="ID")],
    other: Annotated[str, typer.Argument(metavar="ID")],
    reason: Annotated[ConflictReason | None, typer.Option()] = None,
    end: Annotated[bool, typer.Option("--end", help="They may judge each other's work again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Declare that two organisations do not judge each other's work, or --end that."""
    if end == (reason is not None):
        fail("give a --reason, or --end", as_json)
    with writing(as_json) as (session, now):
        if reason:
            conflicts.declare(session, one, other, reason, now)
        else:
            conflicts.end(session, one, other, now)
    result = {"organisations": sorted((one, other)), "reason": reason, "in_conflict": not end}
    show(result, as_json, "ended" if end else "in conflict")


@org.command("flags")
def org_flags(as_json: AsJson = False) -> None:
    """Show hotlines flagged for suspension: too many of their listings were overturned."""
    with writing(as_json) as (session, _):
        found = [
            {
                "organisation": flag.organisation_id,
                "list": flag.list,
                "overturned": flag.overturned,
                "flagged_at": instant(flag.flagged_at),
            }
            for flag in flags.every(session)
            if flag.flagged_at
        ]
    lines = [
        f"{one['organisation']}  {one['list']}  {one['overturned']} overturned  {one['flagged_at']}"
        for one in found
    ]
    show({"flags": found}, as_json, "\n".join(lines) or "no flags")


@org.command("unflag")
def org_unflag(
    organisation: Annotated[str, typer.Argument(metavar="ID")],
    name: Annotated[str, typer.Option("--list")],
    as_json: AsJson = False,
) -> None:
    """Clear a flag; only further upheld appeals raise it again."""
    with writing(as_json) as (session, now):
        flags.clear(session, organisation, name, now)
    show({"organisation": organisation, "list": name, "flagged": False}, as_json, "cleared")


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
    if scopes & _SIGNING and not is_certified:
        err.print(_UNCERTIFIED)
    result = {"client_id": added.id, "kid": private["kid"], "out": str(out)}
    show(result, as_json, f"client {added.id}: {out}")


@client.command("rotate")
def client_rotate(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT")],
    jwk: Annotated[
        Path | None,
        typer.Option(help="The owner's new public key: a JWK, or its signup.json. No --out then."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Without --jwk: make the key here; credential file, mode 0600.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a second key to a client; retire the old one with `client revoke-key` once it is unused."""
    if (jwk is None) == (out is None):
        fail("give the owner's public key with --jwk, or --out to make a key here", as_json)
    key = read_public_key(jwk, as_json) if jwk else jose.generate()
    is_certified = True
    with writing(as_json) as (session, now):
        identity.add_key(session, client_id, key, now)
        if found := identity.active(session, client_id):
            is_certified = _certify(session, found[1].id, client_id, key, now)
            is_certified |= not _SIGNING & set(found[0].scopes.split())
        if out:
            _write_credentials(out, client_id, key, as_json)
    if not is_certified:
        err.print(_UNCERTIFIED)
    known_as = signup.fingerprint(key["kid"])
    result = {"client_id": client_id, "kid": key["kid"], "fingerprint": known_as, "out": out and str(out)}
    show(result, as_json, f"new key: {out or known_as}")


# One key in 64 has an id that begins with a dash.
@client.command("revoke-key", context_settings={"ignore_unknown_options": True})
def client_revoke_key(kid: Annotated[str, typer.Argument()], as_json: AsJson = False) -> None:
    """Retire one key of a client; a person whose passkey it is, is signed out and not invited any longer."""
    with writing(as_json) as (session, now):
        identity.revoke_key(session, kid, now)
        sessions.end_of_key(session, kid)
    show({"kid": kid, "revoked": True}, as_json, "revoked")


@client.command("revoke")
def client_revoke(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT")], as_json: AsJson = False
) -> None:
    """End a client for good."""
    with writing(as_json) as (session, now):
        identity.revoke_client(session, client_id, now)
    show({"client_id": client_id, "revoked": True}, as_json, "revoked")


def emergency(
    credentials: CredentialFile,
    entries: Annotated[list[str] | None, typer.Argument(metavar="ENTRY...")] = None,
    batch: Annotated[str | None, typer.Option(help="Everything that was submitted in one batch.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take entries off their lists now, past every queue and brake."""
    if bool(entries) == bool(batch):
        fail("name entries, or a --batch", as_json)
    with connected(credentials, as_json) as connection:
        wanted = {"batch": batch} if batch else {"entries": entries}
        done = connection.request("POST", "/v1/entries/emergency-delisting", json=wanted).json()
    show(done, as_json, f"{len(done['delisted'])} delisted")


def _certify(
    session: Session, organisation: str, client_id: str, private: dict[str, str], now: datetime
) -> bool:
    return ceremony.certify(session, read_settings().offline, organisation, client_id, private, now)


def _write_credentials(out: Path, client_id: str, private: dict[str, str], as_json: bool) -> None:
    refuse_existing(out, as_json)
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
