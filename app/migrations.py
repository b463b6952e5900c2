"""Running the migrations from the program itself."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, inspect, text

import app
from app.platform.database import sqlite_file
from app.platform.key_files import NotInitialised
from app.platform.turnstile import turn

if TYPE_CHECKING:
    from alembic.config import Config

_TOP = Path(app.__file__).resolve().parent.parent
_PATIENCE_SECONDS = 60.0


def configuration(address: str) -> "Config":
    """Alembic's configuration for one database. Most commands never need Alembic, which is slow to load."""
    from alembic.config import Config

    config = Config(_TOP / "alembic.ini")
    config.set_main_option("script_location", str(_TOP / "alembic"))
    config.attributes["address"] = address
    return config


def upgrade(address: str) -> None:
    """Bring the database to the newest schema; who begins at the same time waits, and finds it so.

    Raises NotInitialised for one of a newer release, and turnstile.Busy.
    """
    from alembic import command

    engine = create_engine(address, hide_parameters=True)
    file = sqlite_file(engine)
    # PostgreSQL's own lock is alembic/env.py's.
    with turn(file, _PATIENCE_SECONDS) if file else nullcontext():
        try:
            _require_known(schema(engine))
        finally:
            engine.dispose()
        command.upgrade(configuration(address), "head")


def is_current(engine: Engine) -> bool:
    """Whether the database has the newest schema."""
    return schema(engine) == newest()


def require_current(engine: Engine) -> None:
    """Raises NotInitialised, whose text says what to do, unless the database has the newest schema."""
    found = schema(engine)
    if found is None:
        raise NotInitialised(
            "the database is empty: is WARDLIST_DATABASE_URL the right one? `wardlist init` makes its tables"
        )
    _require_known(found)
    if found != newest():
        raise NotInitialised("the database is of an older release; run `wardlist init` to bring it up")


def schema(engine: Engine) -> str | None:
    """The number of the database's schema; None when it has no tables of ours."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)


def newest() -> str:
    """The number of the newest schema."""
    return max(_numbers())


def _require_known(found: str | None) -> None:
    if found is not None and found not in _numbers():
        raise NotInitialised(f"the database is of a newer release (schema {found}); install that release")


def _numbers() -> set[str]:
    return {path.name.split("_")[0] for path in (_TOP / "alembic" / "versions").glob("[0-9]*.py")}
