"""Commands about the database itself."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Annotated

import httpx
import typer
from sqlalchemy.exc import SQLAlchemyError

from app.backup import agreement, blank, copying
from app.backup.rows import Damaged
from app.cli.installation import open_database, read_settings
from app.cli.output import AsJson, fail, show
from app.cli.roles import ROLES, leadership
from app.platform import setting_forms
from app.platform.database import Database
from app.platform.keyring import NotInitialised
from app.platform.settings import Settings

_REFUSALS = (NotInitialised, copying.Refused, blank.Occupied, agreement.Disagreement, Damaged)
db = typer.Typer(help="The database.", no_args_is_help=True)


@db.callback()
def _group() -> None:
    """The database."""


@db.command()
def copy(
    to: Annotated[
        str, typer.Option(help="SQLAlchemy address: postgresql+psycopg://USER@HOST/NAME or sqlite:///FILE")
    ],
    as_json: AsJson = False,
) -> None:
    """Copy everything into an empty database, SQLite to PostgreSQL or back, verified by replay.

    Stop the service first; afterwards set WARDLIST_DATABASE_URL.
    """
    settings = read_settings()
    try:
        setting_forms.database(to)
    except ValueError as wrong:
        fail(f"--to: {wrong}", as_json)
    try:
        with closing(open_database(settings)) as source, _nobody_at_work(settings, source):
            done = copying.copy(source, to)
    except _REFUSALS as refused:
        fail(str(refused), as_json)
    except (SQLAlchemyError, OSError, TimeoutError) as failure:
        fail(f"the copy failed, nothing was kept of it: {_first_line(failure)}", as_json)
    sentence = f"copied {done['rows']} rows of {done['tables']} tables, and replayed {done['leaves']} leaves"
    show(done, as_json, f"{sentence}; set WARDLIST_DATABASE_URL to the new address")


@contextmanager
def _nobody_at_work(settings: Settings, database: Database) -> Iterator[None]:
    """What would go on writing to the old database is stopped, and kept out. Raises copying.Refused."""
    if _is_answering(settings.address):
        raise copying.Refused(f"stop the service first: it answers at {settings.address}")
    with ExitStack() as held:
        for role in ROLES:
            lead = leadership(role, settings, database)
            held.callback(lead.give_up)
            if not lead.take():
                raise copying.Refused(f"stop the service first: a process here is at work ({role})")
        yield


def _is_answering(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", timeout=2).status_code < 500
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _first_line(failure: Exception) -> str:
    """Without parameters and statement."""
    return str(getattr(failure, "orig", None) or failure).splitlines()[0][:200]
