"""Restoring a backup into an empty place, and holding an installation to what was published."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.exc import SQLAlchemyError

from app.backup import agreement, archive, checking, places, restoring, seen, tuf, vacant
from app.backup.checks import Refused
from app.backup.forward.state import CannotStep
from app.backup.restoring import Restored, Wanted
from app.backup.rows import Damaged
from app.cli.installation import read_settings
from app.cli.output import AsJson, err, fail, show
from app.core import age
from app.platform import journal, setting_forms
from app.platform.clock import system_clock
from app.platform.database import named
from app.platform.key_files import NotInitialised
from app.platform.settings import Settings

_NONE = "none"
_NAMED = 10
_PLAIN: dict[str, Any] = {"style": "yellow", "markup": False, "soft_wrap": True}
_REFUSALS = (
    archive.Unreadable,
    age.Invalid,
    agreement.Disagreement,
    CannotStep,
    Damaged,
    journal.Unreadable,
    NotInitialised,
    places.Unreachable,
    seen.Forked,
    tuf.Untrusted,
    vacant.Occupied,
)


def restore(
    file: Annotated[Path | None, typer.Argument(help="The backup; none with --check.")] = None,
    identity: Annotated[Path | None, typer.Option(help="File with the age identity that opens it.")] = None,
    home: Annotated[Path | None, typer.Option(help="Folder to fill, or to --check; WARDLIST_HOME.")] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            help="Empty database to fill; to be given with --home where WARDLIST_DATABASE_URL is set. "
            "By default that, or SQLite in the home."
        ),
    ] = None,
    published: Annotated[
        list[str] | None,
        typer.Option(
            help="Where what was published can be seen: a folder, http(s)://... or s3://...; repeat. "
            "`none`: nothing was since the backup."
        ),
    ] = None,
    step_forward: Annotated[
        bool, typer.Option("--step-forward", help="Go on from what was published after the backup.")
    ] = False,
    erasures: Annotated[
        Path | None, typer.Option(help="Journal of erasures; default beside the mark.")
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(help="Signed transparency report of a month that was closed after the backup; repeat."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Restore nothing: hold what is there to what was published.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into an empty folder and database, never behind what was published."""
    settings = _settings(home, database_url, as_json)
    if erasures and not erasures.is_file():
        fail(f"{erasures} is no file: without --erasures the journal beside the mark is read", as_json)
    stated = [one for one in published or [] if one != _NONE]
    try:
        if check:
            _check(settings, stated, erasures, as_json)
            return
        if file is None or identity is None:
            fail("give the backup's file and --identity, or --check", as_json)
        places_stated = None if published and not stated else stated
        wanted = Wanted(
            *(file, _identities(identity, as_json), places_stated, step_forward, erasures),
            reports=tuple(report or ()),
        )
        _show(settings, restoring.restore(settings, wanted, system_clock), as_json)
    except Refused as refused:
        behind = "".join(f"\n  {what}" for what in refused.behind)
        fail(f"{refused}{behind}", as_json, behind=refused.behind)
    except _REFUSALS as refused:
        fail(str(refused), as_json)
    except (SQLAlchemyError, OSError, TimeoutError) as failure:
        fail(f"failed, nothing was kept of it: {_why(failure)}", as_json)


def _why(failure: Exception) -> str:
    """In one line: the database's own words, or the system's with the file."""
    name = getattr(failure, "filename", None)
    words = str(getattr(failure, "orig", None) or getattr(failure, "strerror", None) or failure)
    return (f"{name}: " if isinstance(name, str | Path) else "") + words.splitlines()[0][:200]


def _settings(home: Path | None, database_url: str | None, as_json: bool) -> Settings:
    """Of a --home of its own WARDLIST_DATABASE_URL may be another's database, so it must be said."""
    settings = read_settings()
    if home is not None and database_url is None and settings.database_url is not None:
        fail(
            "WARDLIST_DATABASE_URL is set and --home is given: say with --database-url where the rows go, "
            "sqlite:////FOLDER/wardlist.db or a PostgreSQL address",
            as_json,
        )
    try:
        setting_forms.database(database_url)
    except ValueError as wrong:
        fail(f"--database-url: {wrong}", as_json)
    given = {"home": home, "database_url": database_url}
    return settings.model_copy(update={name: value for name, value in given.items() if value is not None})


def _identities(path: Path, as_json: bool) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        fail(f"{path} cannot be read", as_json)
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _check(settings: Settings, stated: list[str], erasures: Path | None, as_json: bool) -> None:
    found = checking.check(settings, stated, erasures, system_clock())
    sentence = f"{found['leaves']} leaves replay, rows agree, {found['secrets']} secrets open"
    show(found, as_json, f"{sentence}; nothing that was shown is ahead")


def _show(settings: Settings, done: Restored, as_json: bool) -> None:
    stepped = done.stepped
    result = {
        "home": str(settings.home),
        "database": named(settings.database),
        "made_at": done.header["made_at"],
        "log_size": done.log_size,
        "destroyed": done.destroyed,
        "stepped": None if stepped is None else asdict(stepped),
        "notes": done.notes,
    }
    where = f"{settings.home} and {named(settings.database)}"
    words = f"restored the backup of {done.header['made_at']} into {where}: {done.log_size} leaves"
    if stepped:
        words += f", {stepped.leaves} of them from after it; {stepped.lost_entries} entries are lost"
    show(result, as_json, words)
    for organisation, lost in stepped.submit_again.items() if stepped else ():
        err.print(f"To do: {organisation} submits again: {_some(lost)}", **_PLAIN)
    for what in done.notes:
        err.print(f"To do: {what}", **_PLAIN)
    for name in done.header["keys_elsewhere"]:
        err.print(f"Put back: the key that {name} named.", style="yellow")


def _some(entries: list[str]) -> str:
    rest = len(entries) - _NAMED
    more = f" and {rest} more (--json names all)" if rest > 0 else ""
    return ", ".join(entries[:_NAMED]) + more
