"""Running the migrations from the program itself."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

import app

if TYPE_CHECKING:
    from alembic.config import Config

_TOP = Path(app.__file__).resolve().parent.parent


def configuration(address: str) -> "Config":
    """Alembic's configuration for one database. Most commands never need Alembic, which is slow to load."""
    from alembic.config import Config

    config = Config(_TOP / "alembic.ini")
    config.set_main_option("script_location", str(_TOP / "alembic"))
    config.attributes["address"] = address
    return config


def upgrade(address: str) -> None:
    """Bring the database to the newest schema."""
    from alembic import command

    command.upgrade(configuration(address), "head")


def is_current(engine: Engine) -> bool:
    """Whether the database has the newest schema."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == newest()


def newest() -> str:
    """The number of the newest schema."""
    return max(path.name for path in (_TOP / "alembic" / "versions").glob("[0-9]*.py")).split("_")[0]
