"""The keys of an installation: how they stand, and changing those that sign.

No command here prints a private byte.
"""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.exc import OperationalError
from tuf.api.exceptions import RepositoryError, StorageError

from app.cli.installation import open_database, read_settings
from app.cli.output import AsJson, fail, show
from app.cli.root import repository_of, write_proposal
from app.cli.tables import show_table
from app.cli.taking_up import until_taken_up
from app.entries import secrets
from app.identity.tokens import LEEWAY, TOKEN_LIFE
from app.lists import keys_due, keys_in_force
from app.lists.key_inventory import NOT_HERE, KeyInfo, Standing, inventory
from app.lists.repository import delegated
from app.platform import rotation, signers
from app.platform.clock import instant, system_clock
from app.platform.key_files import ROTATED, NotInitialised
from app.platform.key_forms import LOG
from app.platform.keyring import EVERY_ROLE
from app.platform.rotation import Rotation, Rotator, State
from app.platform.settings import Settings
from app.platform.signers import LIST, ONLINE

keys = typer.Typer(help="The service's own keys.", no_args_is_help=True)
_SHOWN = 20
_ELSEWHERE = {
    "root": "root is changed by its holders: `wardlist tuf root`, docs/keys.md",
    "register": "the register is renewed by its holders: `wardlist register propose`, docs/log.md",
    "dkim": "another key for mail has another selector: docs/deploy.md, `wardlist mail key`",
}
"""Keys that are not changed by this command, and how they are."""
_BY_HAND = EVERY_ROLE - set(ROTATED) | {"epoch"}
"""Others that `status` shows: docs/keys.md says of each by whom it is changed, or that it is not."""


@keys.command("status")
def status(as_json: AsJson = False) -> None:
    """Show every key: since when it signs, when it is to be changed, when what it signed ends.

    Exit code 1 when something is due, or a key in force that this machine needs is not here.
    """
    settings, now = read_settings(), system_clock()
    try:
        repository_of(settings, as_json)
        found = inventory(settings, _epoch(settings))
    except (NotInitialised, RepositoryError, StorageError) as wrong:
        fail(str(wrong), as_json)
    dues = [keys_due.of(one, settings) if one.standing is Standing.SIGNS else None for one in found]
    missing = {one: [text] for one, text in keys_in_force.missing(found).items()}
    lines = [
        _line(one, due, missing.get(one, []) + (due.warnings(now) if due else []))
        for one, due in zip(found, dues, strict=True)
    ]
    warnings = list(dict.fromkeys(f"{line['role']}: {text}" for line in lines for text in line["warnings"]))
    if not as_json:
        columns = ("role", "standing", "id", "since", "rotate_by", "expires_at", "source")
        home = f"{settings.home}/"
        rows = [[_cell(name, line[name]).replace(home, "") for name in columns] for line in lines]
        show_table(("role", "standing", "id", "since", "rotate by", "expires", "source"), rows, prose=True)
    absent = sorted({one.role for one in found if one.source == NOT_HERE and one.standing is Standing.SIGNS})
    elsewhere = f"; not here, but with another process, or lost: {', '.join(absent)}" if absent else ""
    said = "\n".join(warnings) or f"no key is due{elsewhere}"
    show({"keys": lines, "warnings": warnings}, as_json, said)
    if warnings:
        raise typer.Exit(1)


@keys.command("rotate")
def rotate(
    role: Annotated[str, typer.Argument(help=f"{', '.join(ROTATED)}, {', '.join(ONLINE)} or list-NAME.")],
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Publish the next key only; run again without to use it.")
    ] = False,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="The old key was stolen: what it signed counts no more.")
    ] = False,
    end: Annotated[bool, typer.Option("--end", help="Of the log: the old key ends.")] = False,
    lost: Annotated[
        bool, typer.Option("--lost", help="The old key is gone and no backup has it: a new one signs.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Of the three that root names: the proposal to write.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a key. Killed on the way, the same command goes on where it was."""
    settings = read_settings()
    if sum((prepare, at_once, end, lost)) > 1 or (end and role != LOG):
        fail("give one of --prepare, --at-once, --end and --lost; --end is of the log", as_json)
    if role in ROTATED:
        rotator = Rotator(settings.keys)
        done = _tried(lambda: _changed(rotator, role, prepare, at_once, end, lost), as_json)
        show({**vars(done), "state": done.state.value}, as_json, _told(done))
    elif prepare or at_once or end or lost:
        fail(f"{role} has no overlap: --prepare, --at-once, --end and --lost are not for it", as_json)
    elif role in ONLINE:
        default = Path(f"root-{repository_of(settings, as_json).roots.version + 1}.json")
        write_proposal(settings, out or default, [role], [], [], as_json)
    elif role.startswith(LIST):
        _rotate_list(settings, role, as_json)
    else:
        is_none = role not in _BY_HAND and not role.startswith("match-")
        how = (
            f"no such key to rotate: {role}" if is_none else f"{role} is not changed so: docs/keys.md has how"
        )
        fail(_ELSEWHERE.get(role, how), as_json)


def _epoch(settings: Settings) -> int | None:
    """The number of the epoch in force, where the database says it."""
    try:
        with closing(open_database(settings)) as database, database.reading() as session:
            return secrets.epoch_seen(session)
    except (NotInitialised, OperationalError):
        return None


def _changed(rotator: Rotator, role: str, prepare: bool, at_once: bool, end: bool, lost: bool) -> Rotation:
    now = system_clock()
    if end:
        return rotator.end_log(now)
    if prepare:
        return rotator.announce(role)
    overlaps: dict[str, timedelta] = {"token": TOKEN_LIFE + LEEWAY}
    if lost:
        # The log's old key signs no more, so its verifier key ends; manifests that are served verify still.
        return rotator.replace_lost(role, now, timedelta() if role == LOG else overlaps.get(role))
    done = rotator.rotate(role, now, timedelta() if at_once and role != LOG else overlaps.get(role))
    return rotator.end_log(now) if at_once and role == LOG else done


def _tried(act: Callable[[], Rotation], as_json: bool) -> Rotation:
    try:
        return act()
    except (rotation.Refused, NotInitialised) as refused:
        fail(str(refused), as_json)


def _rotate_list(settings: Settings, role: str, as_json: bool) -> None:
    repository, name = repository_of(settings, as_json), role.removeprefix(LIST)
    if name not in delegated(repository.role("targets")):
        fail(f"there is no list {name}, or the publisher has not taken it up yet", as_json)
    try:
        signers.make_next(settings.keys, role)
        wanted = repository.signers.wanted(role).public_key.keyid
    except NotInitialised as wrong:
        fail(str(wrong), as_json)
    is_in_force = until_taken_up(settings, lambda: not repository.signers.file(role, signers.NEXT).exists())
    said = "signs" if is_in_force else "is ready; the publisher's next round puts it in force"
    show({"role": role, "id": wanted, "is_in_force": is_in_force}, as_json, f"{wanted} {said}")


def _told(done: Rotation) -> str:
    match done.state:
        case State.ANNOUNCED:
            return f"{done.other} is published; {done.id} signs until `wardlist keys rotate {done.role}`"
        case State.OVERLAP:
            return f"{done.id} signs, {done.other} beside it until `wardlist keys rotate {done.role} --end`"
        case _:
            return f"{done.id} signs"


def _line(one: KeyInfo, due: keys_due.Due | None, warnings: list[str]) -> dict[str, Any]:
    ends = one.expires_at and instant(one.expires_at)
    age = (system_clock() - one.since).days if one.since else None
    return {
        "role": one.role,
        "algorithm": one.algorithm,
        "id": one.id,
        "source": one.source,
        "standing": one.standing.value,
        "since": one.since and instant(one.since),
        "age_days": age,
        "rotate_by": due and due.rotate_by and instant(due.rotate_by),
        "expires_at": ends,
        "warnings": warnings,
    }


def _cell(name: str, value: str | None) -> str:
    text = value or ""
    return text[:_SHOWN] if name == "id" else text
