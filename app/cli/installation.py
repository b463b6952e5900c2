"""The installation that administration commands work on directly, also while the server runs."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cache

from pydantic import ValidationError
from sqlmodel import Session

from app import migrations
from app.cli.output import Refusal, err, fail, fail_with
from app.platform import setting_names
from app.platform.clock import system_clock
from app.platform.database import Database
from app.platform.keyring import NotInitialised
from app.platform.problems import Problem
from app.platform.settings import UNFINISHED, Settings


def read_settings(is_service: bool = False) -> Settings:
    """The WARDLIST_* settings; a wrong one ends the program with its name. Raises Refusal.

    Variables that are no setting are told once, unless this is the service, whose lines are JSON.
    """
    try:
        settings = Settings()
    except ValidationError as wrong:
        names = ", ".join(
            f"WARDLIST_{str(error['loc'][0]).upper()}: {error['msg']}" for error in wrong.errors()
        )
        raise Refusal(f"settings: {names}") from None
    if not is_service:
        for slip in setting_names.slips(os.environ):
            _tell(slip)
    return settings


@cache
def _tell(slip: str) -> None:
    """Once a process, though it may read its settings several times."""
    err.print(slip, style="yellow", markup=False, soft_wrap=True)


def refuse_unfinished(settings: Settings) -> None:
    """Raises NotInitialised where a restore was begun and not ended."""
    if (settings.home / UNFINISHED).exists():
        raise NotInitialised(f"{settings.home} holds an unfinished restore; run `wardlist restore` again")


def open_database(settings: Settings) -> Database:
    """The installation's database. Raises NotInitialised when there is none of this release."""
    refuse_unfinished(settings)
    if settings.database_url is None and not (settings.home / "wardlist.db").exists():
        raise NotInitialised("run `wardlist init` first")
    database = Database(settings.database)
    migrations.require_current(database.engine)
    return database


@contextmanager
def writing(as_json: bool) -> Iterator[tuple[Session, datetime]]:
    """One transaction on the installation; refusals end the command, and keep nothing."""
    with _opened(as_json) as database, database.writing() as session:
        yield session, system_clock()


@contextmanager
def reading(as_json: bool) -> Iterator[Session]:
    """A look at the installation that keeps nobody waiting; refusals end the command."""
    with _opened(as_json) as database, database.reading() as session:
        yield session


@contextmanager
def _opened(as_json: bool) -> Iterator[Database]:
    try:
        with closing(open_database(read_settings())) as database:
            yield database
    except Problem as problem:
        fail_with(problem, as_json)
    except NotInitialised as missing:
        fail(str(missing), as_json)
