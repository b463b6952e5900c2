"""Alembic's environment: one connection, the whole schema, SQLite in batch mode."""

from sqlalchemy import create_engine, text

from alembic import context
from app.platform.settings import Settings
from app.tables import metadata

MIGRATING = 0x77617265
"""The advisory lock's key on PostgreSQL."""
address = context.config.attributes.get("address") or Settings().database
engine = create_engine(address, hide_parameters=True)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # Who begins at the same time waits, and finds the tables made.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
        context.run_migrations()
engine.dispose()
