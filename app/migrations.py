"""Running the migrations from the program itself."""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

import app
from alembic import command

_TOP = Path(app.__file__).resolve().parent.parent


def configuration(address: str) -> Config:
    """Alembic's configuration for one database."""
    config = Config(_TOP / "alembic.ini")
    config.set_main_option("script_location", str(_TOP / "alembic"))
    config.attributes["address"] = address
    return config


def upgrade(address: str) -> None:
    """Bring the database to the newest schema."""
    command.upgrade(configuration(address), "head")


def is_current(engine: Engine) -> bool:
    """Whether the database has the newest schema."""
    newest = ScriptDirectory.from_config(configuration("")).get_current_head()
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == newest
