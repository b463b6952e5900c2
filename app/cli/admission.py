"""The operator's side of onboarding: admitting a provider, and the age recipients it is sealed to."""

import hashlib
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session

from app.cli.installation import read_settings, writing
from app.cli.output import AsJson, err, fail, show
from app.core import signup
from app.core.signup import Signup, Welcome
from app.core.terms import Kind
from app.entries.schemas import COUNTRIES
from app.identity import service as identity
from app.identity.permissions import Scope
from app.lists import service as lists
from app.log.tiles import public_log
from app.platform.files import write_atomically
from app.platform.keyring import Keyring
from app.platform.settings import Settings

SCOPES = {Scope.LISTS_READ, Scope.RECEIPTS_WRITE}
recipient = typer.Typer(help="Age recipients that lists are sealed to.", no_args_is_help=True)
Organisation = Annotated[str, typer.Option("--org", metavar="ID")]
Recipient = Annotated[str, typer.Argument(metavar="age1...")]


def admit(
    file: Annotated[Path, typer.Argument(help="The provider's signup.json.")],
    out: Annotated[Path, typer.Option(help="The answer for the provider; nothing in it is secret.")],
    in_list: Annotated[list[str] | None, typer.Option("--list", help="Subscribe it to; repeat.")] = None,
    organisation: Annotated[
        str | None, typer.Option("--org", metavar="ID", help="It is registered already: one more client.")
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option(help="As the provider read it out; another key is refused.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Admit a provider: organisation, client, recipients and subscriptions, all or nothing.

    Let the provider read out its fingerprint first, and give it with --fingerprint: any other key is refused.
    """
    request = _request(file, fingerprint, as_json)
    if out.exists():
        fail(f"{out}: there already, and not overwritten", as_json)
    settings = read_settings()
    with writing(as_json) as (session, now):
        owner, client_id = _admitted(session, request, organisation, in_list or [], now)
        welcome = _welcome(settings, owner, client_id, request.jwk["kid"], in_list or [])
        try:
            write_atomically(out, welcome.to_bytes())
        except OSError as failure:
            fail(f"--out: {failure.strerror}", as_json)
    known_as = signup.fingerprint(request.jwk["kid"])
    if not as_json:
        err.print(
            f"{request.name} is admitted as {owner}. Before you send {out}, let the provider read out its "
            f"key's fingerprint by telephone, and read out root and log key to it. If the fingerprint is not "
            f"the one below: wardlist org suspend {owner}",
            markup=False,
        )
    known = {"organisation": owner, "client_id": client_id, "lists": welcome.lists, "fingerprint": known_as}
    trusted = {"root_fingerprint": signup.grouped(welcome.root_sha256), "log_vkey": welcome.log_vkey}
    labelled = {
        "client": client_id,
        "root": trusted["root_fingerprint"],
        "log key": trusted["log_vkey"],
        "provider's key": known_as,
    }
    lines = [f"{label + ':':<16}{value}" for label, value in labelled.items()]
    show({**known, **trusted, "out": str(out)}, as_json, "\n".join(lines))


@recipient.command("add")
def recipient_add(organisation: Organisation, wanted: Recipient, as_json: AsJson = False) -> None:
    """Seal every next version to one more recipient of a provider."""
    with writing(as_json) as (session, now):
        added = identity.add_recipient(session, organisation, wanted, now).recipient
    show({"org": organisation, "recipient": added}, as_json, f"sealed to from the next version on: {added}")


@recipient.command("end")
def recipient_end(wanted: Recipient, as_json: AsJson = False) -> None:
    """Seal no next version to a recipient."""
    with writing(as_json) as (session, now):
        owner = identity.end_recipient(session, wanted, now).organisation_id
        is_left = bool(identity.recipients(session, {owner}))
    if not is_left:
        err.print(f"Organisation {owner} has no recipient left: it cannot open sealed lists.", markup=False)
    show({"org": owner, "recipient": wanted, "ended": True}, as_json, "ended")


@recipient.command("list")
def recipient_list(organisation: Organisation, as_json: AsJson = False) -> None:
    """Show the recipients in force."""
    with writing(as_json) as (session, _):
        owner = identity.organisation(session, organisation).id
        found = identity.recipients(session, {owner}).get(owner, [])
    show({"org": owner, "recipients": found}, as_json, "\n".join(found) or "no recipient")


def _request(file: Path, fingerprint: str | None, as_json: bool) -> Signup:
    try:
        request = Signup.read(file.read_bytes())
    except OSError as failure:
        fail(f"{file}: {failure.strerror}", as_json)
    except signup.Invalid as wrong:
        fail(f"{file}: {wrong}; nobody is admitted", as_json)
    if request.country not in COUNTRIES:
        fail(f"{file}: country is not an ISO 3166-1 alpha-2 code", as_json)
    given = re.sub(r"\s", "", fingerprint or "").lower()
    if given and given != signup.fingerprint(request.jwk["kid"]).replace(" ", ""):
        fail("the fingerprint is another one: this is not the file the provider made", as_json)
    return request


def _admitted(
    session: Session, request: Signup, organisation: str | None, names: list[str], now: datetime
) -> tuple[str, str]:
    """The organisation's and the client's id. Raises Problem; then nothing is kept."""
    owner = (
        organisation or identity.add_organisation(session, Kind.ISP, request.name, request.country, now).id
    )
    client = identity.add_client(session, owner, set(SCOPES), request.jwk, now)
    for one in request.recipients:
        identity.add_recipient(session, owner, one, now)
    for name in names:
        lists.subscribe(session, name, owner, now)
    return owner, client.id


def _welcome(settings: Settings, owner: str, client_id: str, kid: str, names: list[str]) -> Welcome:
    root = (settings.public / "metadata" / "1.root.json").read_bytes()
    return Welcome(
        issuer=settings.address,
        token_endpoint=f"{settings.address}/oauth/token",
        client_id=client_id,
        organisation=owner,
        kid=kid,
        lists=names,
        log_vkey=str(public_log(settings, Keyring.load(settings.keys, [])).verifier),
        root=root.decode(),
        root_sha256=hashlib.sha256(root).hexdigest(),
    )
