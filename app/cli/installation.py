"""The installation that administration commands work on directly, also while the server runs."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime

from pydantic import ValidationError
from sqlmodel import Session

from app import migrations
from app.cli.output import Refusal, fail, fail_with
from app.platform.clock import system_clock
from app.platform.database import Database
from app.platform.keyring import NotInitialised
from app.platform.problems import Problem
from app.platform.settings import UNFINISHED, Settings


def read_settings() -> Settings:
    """The WARDLIST_* settings; a wrong one ends the program with its name. Raises Refusal."""
    try:
        return Settings()
    except ValidationError as wrong:
        names = ", ".join(
            f"WARDLIST_{str(error['loc'][0]).upper()}: {error['msg']}" for error in wrong.errors()
        )
        raise Refusal(f"settings: {names}") from None


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
