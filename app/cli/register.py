"""The register of review bodies: propose here, sign offline, publish here; and a body's certificates.

`sign`, `body-key`, `certify` and `revoke` work on plain files, on a machine that need not know the service.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.installation import writing
from app.cli.output import AsJson, fail, refuse_existing, show
from app.core import jose, register
from app.core.register import EVERY_LIST, Body
from app.identity import register as taking_in
from app.platform.clock import instant, system_clock
from app.platform.files import write_atomically

app = typer.Typer(help="The register of review bodies, signed offline.", no_args_is_help=True)
Organisation = Annotated[str, typer.Option("--org", metavar="ID")]
Out = Annotated[Path, typer.Option(help="File to write.")]
BodyKey = Annotated[Path, typer.Option(help="The body's private key, from `register body-key`.")]


@app.command("body-key")
def body_key(out: Out, as_json: AsJson = False) -> None:
    """A review body makes its own key; give the operator the printed public half."""
    private = jose.generate()
    _write(out, private, as_json, private_file=True)
    public = jose.public_part(private)
    show({"out": str(out), "jwk": public}, as_json, json.dumps(public))


@app.command("key")
def offline_key(out: Out, as_json: AsJson = False) -> None:
    """Make an offline register key, and its public half beside it for `propose --add-key`."""
    from app.cli.root import write_key

    write_key(out, as_json)


@app.command("propose")
def propose(
    out: Out,
    organisation: Annotated[str | None, typer.Option("--add", metavar="ORG")] = None,
    key: Annotated[Path | None, typer.Option(help="The body's public key (JWK) for --add.")] = None,
    in_list: Annotated[
        list[str] | None, typer.Option("--list", help="For --add; all lists by default.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="For --add: RFC 3339 UTC with whole seconds.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", metavar="ORG")] = None,
    add_key: Annotated[
        list[Path] | None, typer.Option(help="An offline register key that comes: its public half (PEM).")
    ] = None,
    remove_key: Annotated[
        list[str] | None, typer.Option(help="One that goes: its id, or its beginning.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the register's next version, unsigned."""
    with writing(as_json) as (session, now):
        current, authority = taking_in.current(session), taking_in.authority(session)
    bodies = {name: body for name, body in current.bodies.items() if name not in (remove or [])}
    if organisation:
        jwk = _public(_read(key, as_json) if key else fail("--add needs --key", as_json), as_json)
        lists = tuple(in_list or [EVERY_LIST])
        bodies[organisation] = Body(organisation, jwk, lists, instant(now), until)
    try:
        named = current.authority
        if add_key or remove_key:
            added = [register.offline_key(path.read_bytes()) for path in add_key or []]
            named = authority.changed(added, remove_key or [])
        proposal = register.propose(bodies.values(), current.version + 1, now, named)
    except register.Invalid as fault:
        fail(str(fault), as_json)
    except OSError as failure:
        fail(f"--add-key: {failure.strerror}", as_json)
    _refuse_loss(out, current.version, as_json)
    _write(out, proposal, as_json)
    result = {"version": current.version + 1, "bodies": sorted(bodies), "out": str(out)}
    show(
        result,
        as_json,
        f"version {current.version + 1} with {len(bodies)} bodies: {out}; have two keys sign it",
    )


def _refuse_loss(out: Path, version: int, as_json: bool) -> None:
    """As with a root's proposal: signatures are carried here from other machines."""
    try:
        metadata = json.loads(out.read_bytes())["metadata"]
        is_lost = bool(metadata["signatures"]) and metadata["signed"]["version"] > version
    except (OSError, ValueError, LookupError, TypeError):
        return
    if is_lost:
        fail(f"{out} holds signatures: publish it, or give another --out", as_json)


@app.command("sign")
def sign(
    proposal: Annotated[Path, typer.Argument()],
    key: Annotated[Path, typer.Option(help="An offline register key (PEM).")],
    as_json: AsJson = False,
) -> None:
    """Add one offline signature to a proposal. Read the file before: it says who may sign off."""
    try:
        signed = register.sign(_read(proposal, as_json), key.read_bytes())
    except register.Invalid as fault:
        fail(str(fault), as_json)
    except OSError as failure:
        fail(f"--key: {failure.strerror}", as_json)
    _write(proposal, signed, as_json)
    count = len(signed["metadata"]["signatures"])
    show({"proposal": str(proposal), "signatures": count}, as_json, f"{count} signatures")


@app.command("publish")
def publish(proposal: Annotated[Path, typer.Argument()], as_json: AsJson = False) -> None:
    """Put a signed version in force; it is logged and served as a TUF target."""
    found = _read(proposal, as_json)
    with writing(as_json) as (session, now):
        read = taking_in.publish(session, taking_in.proposal_from(json.dumps(found).encode()), now)
    result = {"version": read.version, "bodies": sorted(read.bodies)}
    show(result, as_json, f"register version {read.version} is in force")


@app.command("certify")
def certify(
    body_key: BodyKey,
    organisation: Organisation,
    credentials: Annotated[Path, typer.Option(help="The reviewer's credential file.")],
    out: Out,
    as_json: AsJson = False,
) -> None:
    """A body certifies its reviewer's key; the operator takes it in with `register admit`."""
    owner, found = _read(body_key, as_json), _read(credentials, as_json)
    try:
        token = register.certify(
            owner,
            organisation=organisation,
            client=found["client_id"],
            jwk=found.get("private_jwk") or found["jwk"],
            since=instant(system_clock()),
        )
    except (KeyError, jose.Invalid):
        fail("--body-key is a private key; --credentials names client_id and private_jwk or jwk", as_json)
    _write_text(out, token, as_json)
    show({"out": str(out)}, as_json, str(out))


@app.command("revoke")
def revoke(
    body_key: BodyKey,
    organisation: Organisation,
    kid: Annotated[str, typer.Option(help="Thumbprint of the reviewer's key.")],
    out: Out,
    as_json: AsJson = False,
) -> None:
    """A body takes a certificate back, dated now; the operator takes it in with `register admit`."""
    owner = _read(body_key, as_json)
    token = register.revoke(owner, organisation=organisation, kid=kid, since=instant(system_clock()))
    _write_text(out, token, as_json)
    show({"out": str(out)}, as_json, str(out))


@app.command("admit")
def admit(certificate: Annotated[Path, typer.Argument()], as_json: AsJson = False) -> None:
    """Take in a body's certificate or revocation; it is logged."""
    try:
        token = certificate.read_text().strip()
    except OSError as failure:
        fail(f"{certificate}: {failure.strerror}", as_json)
    with writing(as_json) as (session, now):
        done = taking_in.admit(session, token, now)
    kid = done if isinstance(done, str) else done.jwk["kid"]
    show({"kid": kid, "certified": not isinstance(done, str)}, as_json, f"taken in: {kid}")


def _public(jwk: dict[str, Any], as_json: bool) -> dict[str, str]:
    try:
        return jose.public_part(jwk)
    except jose.Invalid as fault:
        fail(f"--key: {fault}", as_json)


def _read(path: Path, as_json: bool) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as failure:
        fail(f"{path}: {failure.strerror}", as_json)
    except ValueError:
        fail(f"{path} is not JSON", as_json)
    if not isinstance(found, dict):
        fail(f"{path} is not a JSON object", as_json)
    return found


def _write(path: Path, content: dict[str, Any], as_json: bool, private_file: bool = False) -> None:
    _write_text(path, json.dumps(content, indent=2), as_json, private_file)


def _write_text(path: Path, text: str, as_json: bool, private_file: bool = False) -> None:
    if private_file:
        refuse_existing(path, as_json)
    try:
        write_atomically(path, f"{text}\n".encode(), mode=0o600 if private_file else 0o644)
    except OSError as failure:
        fail(f"--out: {failure.strerror}", as_json)
