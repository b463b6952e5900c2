"""The ceremony of TUF's root: propose here, sign on other machines with one key each, accept here.

`key` and `sign` work on plain files, on a machine that need not know the service.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from tuf.api.exceptions import RepositoryError, StorageError
from tuf.api.metadata import Metadata, Root

from app.cli.installation import read_settings
from app.cli.output import AsJson, fail, show
from app.cli.taking_up import until_taken_up
from app.lists import root_ceremony
from app.lists.repository import Repository
from app.lists.root_ceremony import Changes, Invalid
from app.platform import signers
from app.platform.clock import instant, system_clock
from app.platform.files import private_folder, write_atomically
from app.platform.key_files import KeyUnusable
from app.platform.settings import Settings
from app.platform.signers import ONLINE

tuf = typer.Typer(help="The lists' signed metadata.", no_args_is_help=True)
root = typer.Typer(help="The root that says which keys count, signed offline.", no_args_is_help=True)
tuf.add_typer(root, name="root")
Proposal = Annotated[Path, typer.Argument(help="File of `tuf root propose`.")]
Out = Annotated[Path, typer.Option(help="File to write.")]


@root.command("show")
def show_root(
    proposal: Annotated[Path | None, typer.Argument(help="A proposal; without, the root in force.")] = None,
    current: Annotated[
        Path | None, typer.Option(help="The root before the proposal, on a machine without the service.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the root in force, or what a proposal changes and who signed it so far."""
    if proposal is None:
        _show_in_force(as_json)
    else:
        before = (
            read_proposal(current, as_json).signed
            if current
            else repository_of(read_settings(), as_json).roots.newest
        )
        _show_proposal(before, read_proposal(proposal, as_json), as_json)


def _show_in_force(as_json: bool) -> None:
    roots = repository_of(read_settings(), as_json).roots
    newest, staged = roots.newest, roots.staged()
    result = _described(newest) | {"waiting": staged.signed.version if staged else None}
    lines = [f"version {newest.version}, ends {instant(newest.expires)}"]
    lines += [f"{role}: {keyid}" for role, one in result["roles"].items() for keyid in one["keys"]]
    if staged:
        lines.append(f"version {staged.signed.version} waits for the publisher's next round")
    show(result, as_json, "\n".join(lines))


def _show_proposal(before: Root, found: Metadata[Root], as_json: bool) -> None:
    result = _described(found.signed) | _counted(before, found, as_json)
    result["changes"] = root_ceremony.differences(before, found.signed)
    signed = [
        f"{who}: {one['signed']} of {one['needed']} signed" for who, one in result["signatures"].items()
    ]
    show(result, as_json, "\n".join([*result["changes"], *signed]))


@root.command("key")
def make_key(out: Out, as_json: AsJson = False) -> None:
    """Make an offline root key, and its public half beside it for `propose --add`."""
    write_key(out, as_json)


def write_key(out: Path, as_json: bool) -> None:
    """Make a key's two files, the private one of mode 0600, and tell; otherwise the command ends."""
    if out.exists():
        fail(f"{out} exists already", as_json)
    try:
        signers.make(out)
        made = signers.offline_signer(str(out))
        public = out.with_suffix(".pub.pem")
        write_atomically(public, signers.public_pem(out))
    except KeyUnusable as wrong:
        fail(f"--out: {wrong}", as_json)
    except OSError as failure:
        fail(f"--out: {failure.strerror}", as_json)
    keyid = made.public_key.keyid
    show({"out": str(out), "public": str(public), "key_id": keyid}, as_json, f"{keyid}: {out}, {public}")


@root.command("propose")
def propose(
    out: Out,
    online: Annotated[
        list[str] | None, typer.Option(help=f"Make a new key of {', '.join(ONLINE)}; repeat for more.")
    ] = None,
    add: Annotated[list[Path] | None, typer.Option(help="A new root key's public half (PEM).")] = None,
    remove: Annotated[
        list[str] | None, typer.Option(help="A root key that goes: its id, or its beginning.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the next root, unsigned: with new keys, or only with a new year to live."""
    if wrong := set(online or ()) - set(ONLINE):
        fail(f"--online: {', '.join(sorted(wrong))} is none of {', '.join(ONLINE)}", as_json)
    write_proposal(read_settings(), out, online or [], add or [], remove or [], as_json)


def write_proposal(
    settings: Settings, out: Path, online: list[str], add: list[Path], remove: list[str], as_json: bool
) -> None:
    """Make the keys that are asked for, and the proposal that names them; then tell."""
    repository = repository_of(settings, as_json)
    current = repository.roots.newest
    _refuse_loss(out, current, as_json)
    try:
        added = [root_ceremony.public_key(path.read_bytes()) for path in add]
        for role in online:
            signers.make_next(settings.keys, role)
        wanted = {role: repository.signers.wanted(role).public_key for role in ONLINE}
        proposal = root_ceremony.propose(current, Changes(wanted, added, remove), system_clock())
        write_atomically(out, root_ceremony.written(proposal))
    except (Invalid, KeyUnusable) as fault:
        fail(str(fault), as_json)
    except OSError as failure:
        fail(f"{failure.filename or out}: {failure.strerror}", as_json)
    changes = root_ceremony.differences(current, proposal.signed)
    result = {"out": str(out), "version": proposal.signed.version, "changes": changes}
    show(result, as_json, "\n".join([*changes, f"{out}: have two root keys sign it, then accept it"]))


def _refuse_loss(out: Path, current: Root, as_json: bool) -> None:
    """Signatures are carried here from other machines: a proposal that has some is not replaced."""
    try:
        found = root_ceremony.read(out.read_bytes())
    except (OSError, Invalid):
        return
    if found.signatures and found.signed.version > current.version:
        fail(f"{out} holds signatures: accept it, or give another --out", as_json)


@root.command("sign")
def sign(
    proposal: Proposal,
    key: Annotated[str, typer.Option(help="An offline root key: a PEM file, or hsm:NUMBER?label=TOKEN.")],
    as_json: AsJson = False,
) -> None:
    """Add one offline signature to a proposal. Read it before: it says which keys count."""
    found = read_proposal(proposal, as_json)
    try:
        signer = signers.offline_signer(key)
        is_own = root_ceremony.sign(found, signer)
        write_atomically(proposal, root_ceremony.written(found))
    except (Invalid, KeyUnusable) as wrong:
        fail(f"--key: {wrong}", as_json)
    except OSError as failure:
        fail(f"{proposal}: {failure.strerror}", as_json)
    keyid, count = signer.public_key.keyid, len(found.signatures)
    said = "" if is_own else "; the key is none of this root's own: it counts only as one that goes"
    result = {"proposal": str(proposal), "key_id": keyid, "is_own": is_own, "signatures": count}
    show(result, as_json, f"signed by {keyid}, {count} signatures{said}")


@root.command("accept")
def accept(proposal: Proposal, as_json: AsJson = False) -> None:
    """Put a signed root in force: the publisher signs everything anew and serves it."""
    settings = read_settings()
    repository, found = repository_of(settings, as_json), read_proposal(proposal, as_json)
    roots = repository.roots
    try:
        here = {role: [one.public_key.keyid for one in repository.signers.at_hand(role)] for role in ONLINE}
        root_ceremony.check(roots.newest, found, here, datetime.now(UTC))
        private_folder(roots.staged_path.parent)
        write_atomically(roots.staged_path, root_ceremony.written(found), mode=0o600)
    except (Invalid, KeyUnusable) as fault:
        fail(str(fault), as_json)
    version = found.signed.version
    is_served = until_taken_up(settings, lambda: repository.roots.version >= version)
    said = "is in force" if is_served else "is accepted; the publisher's next round puts it in force"
    show({"version": version, "is_in_force": is_served}, as_json, f"root version {version} {said}")


def repository_of(settings: Settings, as_json: bool) -> Repository:
    """The installation's repository; without one the command ends."""
    repository = Repository(settings.public, settings.keys)
    if not repository.exists:
        fail("run `wardlist init` first", as_json)
    try:
        repository.roots.signed(repository.roots.version)
    except (RepositoryError, StorageError) as wrong:
        fail(f"the root in force cannot be read: {wrong}", as_json)
    return repository


def read_proposal(path: Path, as_json: bool) -> Metadata[Root]:
    """The proposal in a file; otherwise the command ends."""
    try:
        return root_ceremony.read(path.read_bytes())
    except OSError as failure:
        fail(f"{path}: {failure.strerror}", as_json)
    except Invalid as fault:
        fail(f"{path}: {fault}", as_json)


def _described(found: Root) -> dict[str, Any]:
    roles = {
        role: {"keys": list(found.roles[role].keyids), "threshold": found.roles[role].threshold}
        for role in (Root.type, *ONLINE)
    }
    return {"version": found.version, "expires": instant(found.expires), "roles": roles}


def _counted(current: Root, proposal: Metadata[Root], as_json: bool) -> dict[str, Any]:
    try:
        counted = root_ceremony.tally(current, proposal)
    except Invalid as fault:
        fail(str(fault), as_json)
    both = {"root in force": counted.first, "proposal": counted.second}
    return {
        "signatures": {
            who: {"signed": len(one.signed), "needed": one.threshold, "keys": sorted(one.signed)}
            for who, one in both.items()
        }
    }
