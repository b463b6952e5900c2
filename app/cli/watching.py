"""Keeping lists in force at an internet provider: the daemon, and letting a held version in."""

import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from app.cli.connection import CredentialFile, connected
from app.cli.output import AsJson, WitnessKeys, WitnessQuorum, fail, show
from app.cli.provider import (
    Canary,
    Folder,
    Identities,
    LogKey,
    Pinned,
    followed,
    pinned,
    read_identities,
)
from app.client import state
from app.client.brake import Brake
from app.client.daemon import Daemon
from app.client.health import Board
from app.client.outputs import Output, Outputs
from app.client.state import State
from app.client.store import Store
from app.client.trusted import Trust
from app.client.watch import Watcher
from app.core.terms import Format
from app.platform.logs import log_as_json

_PLACE = "{list}"


def watch(
    credentials: CredentialFile,
    in_list: Annotated[list[str], typer.Option("--list", help="Repeat for several lists.")],
    folder: Folder,
    root: Pinned = None,
    identity: Identities = None,
    form: Annotated[
        list[Format] | None, typer.Option("--format", help="What to write for the filter; repeat.")
    ] = None,
    out: Annotated[
        list[Path] | None, typer.Option(help="Where each format goes, in order; may contain {list}.")
    ] = None,
    out_mode: Annotated[str, typer.Option(help="Rights of a file that is new, octal.")] = "600",
    check: Annotated[
        list[str] | None,
        typer.Option(help="Program that checks the new file, {} for its name: one for all, or one a format."),
    ] = None,
    reload: Annotated[str | None, typer.Option(help="Program that makes the filter read it anew.")] = None,
    walled_garden: Annotated[str | None, typer.Option(help="Name that rpz answers lead to.")] = None,
    health: Annotated[Path | None, typer.Option(help="JSON file that says how it fares.")] = None,
    metrics: Annotated[Path | None, typer.Option(help="The same for Prometheus (text file).")] = None,
    max_change_percent: Annotated[
        int, typer.Option(min=1, help="Hold a version that adds or removes a larger share; 100 holds none.")
    ] = 30,
    max_change_free: Annotated[int, typer.Option(min=0, help="Never hold for so few entries.")] = 250,
    hold_hours: Annotated[float, typer.Option(min=0, help="After this, removals are no reason.")] = 24.0,
    drop_after_hours: Annotated[
        float | None,
        typer.Option(
            min=24, help="Nothing stays in force once the service was silent for so long. Else for ever."
        ),
    ] = None,
    log_vkey: LogKey = None,
    witness_vkey: WitnessKeys = None,
    witness_quorum: WitnessQuorum = None,
    canary: Canary = False,
    once: Annotated[bool, typer.Option("--once", help="Try once and end; exit code 1 if it failed.")] = False,
) -> None:
    """Keep lists in force until stopped: wait for versions, verify, render, check, swap, reload, report.

    SIGHUP tries now what failed. With --once in a terminal, --check and --reload print to it.
    """
    log_key, witnesses = followed(log_vkey, witness_vkey, witness_quorum)
    trust = Trust(pinned(root), False, log_key, witnesses, canary, read_identities(identity or ()))
    if reload:
        _split(reload, "--reload")
    wanted = _outputs(in_list, form or (), out or (), check or ())
    board, store = Board(health, metrics), Store(folder)
    brake = Brake(max_change_percent, max_change_free, _span(hold_hours, "--hold-hours"))
    drop_after = _span(drop_after_hours, "--drop-after-hours") if drop_after_hours else None
    rights, terminal = _rights(out_mode), sys.stderr.fileno() if once and sys.stderr.isatty() else None
    log_as_json()
    with ExitStack() as opened:
        watchers = []
        for name in dict.fromkeys(in_list):
            connection = opened.enter_context(connected(credentials, False))
            outputs = Outputs(wanted[name], reload, walled_garden, rights, terminal)
            watchers.append(
                Watcher(connection, name, store, trust, outputs, brake, board, drop_after=drop_after)
            )
        if not once:
            Daemon(watchers).run()
            return
        steps = [one.step() for one in watchers]
    if not all(one.is_fine for one in steps):
        raise typer.Exit(1)


def release(folder: Folder, in_list: Annotated[str, typer.Option("--list")], as_json: AsJson = False) -> None:
    """Let in the version that this provider's own brake holds; `isp watch` takes it up by itself."""
    store = Store(folder)
    held = State.read(folder / "lists" / in_list / "watch.json").held
    if held is None:
        fail("no version of this list is held here", as_json)
    try:
        state.approve(store, in_list, held.content_sha256)
    except OSError as failure:
        fail(f"it could not be written: {failure.strerror}", as_json)
    words = f"{in_list}: version {held.version} (+{held.added} -{held.removed}) is let in"
    result = {"list": in_list, "version": held.version, "content_sha256": held.content_sha256}
    show({**result, "added": held.added, "removed": held.removed}, as_json, words)


def _outputs(
    lists: Sequence[str], formats: Sequence[Format], paths: Sequence[Path], checks: Sequence[str]
) -> dict[str, list[Output]]:
    """Each list's files. Ends the command when the options do not fit together."""
    if len(formats) != len(paths):
        fail("give one --out for each --format")
    if len(checks) not in (0, 1, len(formats)):
        fail("give one --check for all formats, or one for each")
    if len(set(lists)) > 1 and any(_PLACE not in str(path) for path in paths):
        fail("with several lists --out must contain {list}")
    for command in checks:
        _split(command, "--check")
    each: list[str | None] = (
        [checks[0]] * len(formats) if len(checks) == 1 else list(checks) or [None] * len(formats)
    )
    return {
        name: [
            Output(form, Path(str(path).replace(_PLACE, name)).absolute(), command)
            for form, path, command in zip(formats, paths, each, strict=True)
        ]
        for name in lists
    }


def _span(hours: float, option: str) -> timedelta:
    try:
        return timedelta(hours=hours)
    except (ValueError, OverflowError):
        fail(f"{option}: this is no number of hours")


def _split(command: str, option: str) -> None:
    try:
        if shlex.split(command):
            return
    except ValueError:
        pass
    fail(f"{option}: this is no command")


def _rights(text: str) -> int:
    try:
        found = int(text, 8)
    except ValueError:
        found = -1
    if not 0o400 <= found <= 0o666:
        fail("--out-mode is octal, 640 for instance")
    return found
