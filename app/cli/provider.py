"""Commands of an internet provider that talk to the service: sync and receipt."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError

from app.cli.connection import CredentialFile, connected
from app.cli.output import AsJson, WitnessKeys, WitnessQuorum, fail, show
from app.client import receipts
from app.client.follow import Witnesses
from app.client.store import Damaged, Store
from app.client.sync import Refused, Synced, bring_up
from app.client.trusted import Trust
from app.core import age, note
from app.core.terms import ReceiptOutcome
from app.platform.clock import instant, system_clock

isp = typer.Typer(help="The internet provider's side.", no_args_is_help=True)
Folder = Annotated[Path, typer.Option("--dir", help="Where lists are installed; keep it on a volume.")]
Pinned = Annotated[Path | None, typer.Option("--root", help="The pinned 1.root.json; needed the first time.")]
Identities = Annotated[
    list[Path] | None, typer.Option("--identity", help="File with age identities, for sealed lists; repeat.")
]
LogKey = Annotated[
    str | None, typer.Option(help="The log's verifier key: demand a quorum in the log for every entry.")
]
Canary = Annotated[bool, typer.Option("--canary", help="Take versions early, as one of the list's canaries.")]
_LARGEST_IDENTITIES = 1_000_000


@isp.command("sync")
def sync(
    credentials: CredentialFile,
    in_list: Annotated[str, typer.Option("--list")],
    folder: Folder,
    root: Pinned = None,
    trust_on_first_use: Annotated[
        bool, typer.Option(help="Take the first root from the service itself.")
    ] = False,
    identity: Identities = None,
    log_vkey: LogKey = None,
    witness_vkey: WitnessKeys = None,
    witness_quorum: WitnessQuorum = None,
    canary: Canary = False,
    as_json: AsJson = False,
) -> None:
    """Install the newest version, or keep the one there is when anything does not verify."""
    log_key, witnesses = followed(log_vkey, witness_vkey, witness_quorum, as_json)
    trust = Trust(
        pinned(root, as_json),
        trust_on_first_use,
        log_key,
        witnesses,
        canary,
        read_identities(identity or (), as_json),
    )
    with connected(credentials, as_json) as connection:
        try:
            done = bring_up(connection, in_list, Store(folder), trust)
        except Refused as refused:
            fail(f"refused, the installed list stays: {refused}", as_json, list=in_list, refused=True)
    show({**asdict(done), "changed": done.is_changed}, as_json, _sentence(done))


@isp.command("receipt")
def receipt(
    credentials: CredentialFile,
    in_list: Annotated[str, typer.Option("--list")],
    folder: Folder,
    outcome: Annotated[ReceiptOutcome, typer.Option(help="What became of the installed version.")],
    as_json: AsJson = False,
) -> None:
    """Tell the service, signed, what became of the installed version; `failed` from a canary stops it."""
    with connected(credentials, as_json) as connection:
        try:
            taken = receipts.send(connection, Store(folder), in_list, outcome, instant(system_clock()))
        except Damaged as wrong:
            fail(str(wrong), as_json)
    show(taken, as_json, f"{in_list}: version {taken['version']} reported as {outcome.value}")


def pinned(root: Path | None, as_json: bool = False) -> bytes | None:
    """The pinned root. Ends the command when it cannot be read, or is none."""
    try:
        found = root.read_bytes() if root else None
        if found is not None:
            Metadata[Root].from_bytes(found)
    except OSError as failure:
        fail(f"--root: {failure.strerror}", as_json)
    except DeserializationError:
        fail(f"--root: {root} is no root.json; it is the 1.root.json that `isp accept` wrote", as_json)
    return found


def read_identities(files: Sequence[Path], as_json: bool = False) -> tuple[str, ...]:
    """Every age identity of the files: one a line, lines that begin with # are remarks. Ends the command."""
    found: list[str] = []
    for file in files:
        try:
            with file.open() as opened:
                lines = [line.strip() for line in opened.read(_LARGEST_IDENTITIES).splitlines()]
            own = [line for line in lines if line and not line.startswith("#")]
            for one in own:
                age.recipient_of(one)
        except OSError as failure:
            fail(f"--identity: {failure.strerror}", as_json)
        except ValueError as wrong:
            fail(f"--identity: {wrong}", as_json)
        if not own:
            fail("--identity: there is no identity in the file", as_json)
        found.extend(own)
    return tuple(found)


def followed(
    log_vkey: str | None, keys: Sequence[str] | None, quorum: int | None, as_json: bool = False
) -> tuple[note.Verifier | None, Witnesses]:
    """The log to demand sign-offs of, and its witnesses. Ends the command."""
    try:
        log_key = note.Verifier.parse(log_vkey) if log_vkey else None
        witnesses = Witnesses.parse(keys or (), quorum)
    except note.Malformed as wrong:
        fail(f"--log-vkey, --witness-vkey: {wrong}", as_json)
    if witnesses.verifiers and not log_key:
        fail("--witness-vkey needs --log-vkey", as_json)
    return log_key, witnesses


def _sentence(done: Synced) -> str:
    if not done.version:
        return f"{done.list}: no version yet"
    if not done.is_changed:
        return f"{done.list}: version {done.version} is current, {done.entry_count} entries"
    came = f"{done.previous_version} -> {done.version}" if done.previous_version else f"{done.version}"
    return f"{done.list}: version {came}, +{done.added} -{done.removed}, {done.entry_count} entries"
