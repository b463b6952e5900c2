"""Commands of whoever wants to check: the public log needs no account."""

from pathlib import Path
from typing import Annotated

import httpx
import typer

from app.cli.output import AsJson, WitnessKeys, WitnessQuorum, fail, progress, show, without_collector
from app.client.follow import Fetch, FollowedLog, LogError, Witnesses
from app.core import note

log = typer.Typer(help="The public log.", no_args_is_help=True)


class _NotRead(LogError):
    """It did not come, which says nothing of what is in it."""


@log.command("verify")
def verify(
    address: Annotated[str, typer.Argument(metavar="URL", help="The service's base address.")],
    vkey: Annotated[str, typer.Option(help="The log's verifier key, got from the operator.")],
    state: Annotated[Path | None, typer.Option(help="Remembers the head, so that going back shows.")] = None,
    witness_vkey: WitnessKeys = None,
    witness_quorum: WitnessQuorum = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the tree, replay every transition, and check each version's sign-off."""
    try:
        witnesses = Witnesses.parse(witness_vkey or (), witness_quorum)
        followed = FollowedLog(_fetcher(address.rstrip("/")), note.Verifier.parse(vkey), state, witnesses)
        with progress("verifying") as step, without_collector():
            found = followed.replay(step)
    except note.Malformed as wrong:
        fail(f"--vkey, --witness-vkey: {wrong}", as_json)
    except _NotRead as failure:
        fail(f"the log cannot be read: {failure}", as_json)
    except LogError as fault:
        fail(f"the log does not verify: {fault}", as_json)
    versions = {name: len(one.versions) for name, one in found.replay.lists.items()}
    result = {
        "verified": True,
        "origin": found.checkpoint.origin,
        "size": found.checkpoint.size,
        "root": found.checkpoint.root.hex(),
        "entries": len(found.replay.entries),
        "witnesses": sorted(found.witnesses),
        "versions": versions,
    }
    counted = ", ".join(f"{name}: {number} versions" for name, number in versions.items()) or "no list"
    show(
        result,
        as_json,
        f"verified: {found.checkpoint.size} leaves, {len(found.replay.entries)} entries; {counted}",
    )


def _fetcher(address: str) -> Fetch:
    client = httpx.Client(base_url=address, timeout=60)

    def fetch(path: str) -> bytes:
        try:
            answer = client.get(path)
        except httpx.HTTPError as failure:
            raise _NotRead(f"the service does not answer ({type(failure).__name__})") from None
        if answer.status_code != 200:
            raise _NotRead(f"the service answered {answer.status_code}")
        return answer.content

    return fetch
