"""Commands of an internet provider: sync, receipt and match."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.cli.connection import CredentialFile, connected
from app.cli.output import AsJson, WitnessKeys, WitnessQuorum, fail, show
from app.client import receipts
from app.client.follow import Witnesses
from app.client.store import Damaged, Store
from app.client.sync import Refused, Synced
from app.client.sync import sync as bring_up
from app.core import note
from app.core.terms import ReceiptOutcome
from app.platform.clock import instant, system_clock

isp = typer.Typer(help="The internet provider's side.", no_args_is_help=True)
Folder = Annotated[Path, typer.Option("--dir", help="Where lists are installed; keep it on a volume.")]


@isp.command("sync")
def sync(
    credentials: CredentialFile,
    in_list: Annotated[str, typer.Option("--list")],
    folder: Folder,
    root: Annotated[Path | None, typer.Option(help="The pinned 1.root.json; needed the first time.")] = None,
    trust_on_first_use: Annotated[
        bool, typer.Option(help="Take the first root from the service itself.")
    ] = False,
    log_vkey: Annotated[
        str | None, typer.Option(help="The log's verifier key: demand a quorum in the log for every entry.")
    ] = None,
    witness_vkey: WitnessKeys = None,
    witness_quorum: WitnessQuorum = None,
    canary: Annotated[
        bool, typer.Option("--canary", help="Take versions early, as one of the list's canaries.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Install the newest version, or keep the one there is when anything does not verify."""
    try:
        pinned = root.read_bytes() if root else None
        log_key = note.Verifier.parse(log_vkey) if log_vkey else None
        witnesses = Witnesses.parse(witness_vkey or (), witness_quorum)
    except note.Malformed as wrong:
        fail(f"--log-vkey, --witness-vkey: {wrong}", as_json)
    except OSError as failure:
        fail(f"--root: {failure.strerror}", as_json)
    if witnesses.verifiers and not log_key:
        fail("--witness-vkey needs --log-vkey", as_json)
    with connected(credentials, as_json) as connection:
        try:
            store = Store(folder)
            done = bring_up(
                connection, in_list, store, pinned, trust_on_first_use, log_key, witnesses, canary
            )
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


@isp.command("match")
def match(
    address: Annotated[str, typer.Argument(metavar="URL", help="- reads it from standard input.")],
    folder: Folder,
    in_list: Annotated[str | None, typer.Option("--list")] = None,
    as_json: AsJson = False,
) -> None:
    """Whether the installed lists cover a URL. Nobody is asked; exit code 0 either way."""
    store = Store(folder)
    if not store.names():
        fail("no list is installed here; run `wardlist isp sync` first", as_json)
    if in_list and in_list not in store.names():
        fail("this list is not installed here", as_json)
    try:
        found = store.matches(sys.stdin.readline() if address == "-" else address, in_list)
    except (ValueError, Damaged) as wrong:
        fail(str(wrong), as_json)
    words = [
        f"listed: {one.list} version {one.version}, entry {one.entry}, scope {one.scope}" for one in found
    ]
    result = {"listed": bool(found), "matches": [asdict(one) for one in found]}
    show(result, as_json, "\n".join(words) or "not listed")


def _sentence(done: Synced) -> str:
    if not done.version:
        return f"{done.list}: no version yet"
    if not done.is_changed:
        return f"{done.list}: version {done.version} is current, {done.entry_count} entries"
    came = f"{done.previous_version} -> {done.version}" if done.previous_version else f"{done.version}"
    return f"{done.list}: version {came}, +{done.added} -{done.removed}, {done.entry_count} entries"
