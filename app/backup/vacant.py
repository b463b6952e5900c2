"""The place that a restore fills: an empty home, an empty database, and what shows that it is not finished.

From the first write to the last a file says that the restore is under way. No other command works on such a
folder. What fails is cleared away; what was killed is cleared by the next restore.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlmodel import Session

from app import migrations
from app.backup import blank, rows
from app.backup.blank import Occupied as Occupied
from app.files import BESIDE
from app.log import stream
from app.platform.database import Database
from app.platform.files import private_folder, write_atomically
from app.platform.settings import UNFINISHED, Settings
from app.tables import metadata

_KEPT = ("mark", "lost+found")
"""What may lie in the home: the mark and the journal of erasures outlive it."""


@contextmanager
def filled(settings: Settings) -> Iterator[Session]:
    """One transaction on the new database, and the home to fill; when it fails nothing is left of either.

    Raises Occupied, and what the block raises.
    """
    home = settings.home
    _refuse_files(home)
    private_folder(home)
    with closing(Database(settings.database)) as database, blank.alone(database, home):
        # Who was alone before may have ended meanwhile.
        _refuse_files(home)
        try:
            _begin(settings, database)
            with database.writing(may_rest=True) as session:
                yield session
                _say(home, database, stream.newest(session))
        except BaseException:
            database.close()
            _clear(settings, database)
            raise
        (home / UNFINISHED).unlink()


def _refuse_files(home: Path) -> None:
    found = sorted(path.name for path in home.iterdir()) if home.is_dir() else []
    other = [name for name in found if name not in _KEPT and not _is_nothing(home / name)]
    if other and UNFINISHED not in other:
        raise Occupied(f"{home} is not empty: give a folder that is, or move what is there away")


def _is_nothing(path: Path) -> bool:
    """An empty folder overwrites nothing: on a server `tuf` and `log` are made for nginx beforehand.

    Nor does what was killed while it wrote that the restore is under way.
    """
    is_bare = path.is_dir() and not path.is_symlink() and not any(path.iterdir())
    return is_bare or (path.name.startswith(BESIDE) and path.is_file())


def _begin(settings: Settings, database: Database) -> None:
    """What an interrupted restore left goes first: its files, and its rows where it is the same database."""
    for path in settings.home.glob(f"{BESIDE}*"):
        path.unlink()
    left = settings.home / UNFINISHED
    if left.exists():
        # Rows that are there before ours were all but committed are another's, as are those of a log that
        # went on since.
        newest = _newest_leaf(database) if settings.database_url is not None else 0
        is_ours = newest > 0 and left.read_bytes() == _stated(database, newest)
        _empty(settings.home)
        if is_ours:
            blank.drop_tables(database)
    if settings.database_url is not None and _is_there(database):
        _refuse_rows(database)
    _say(settings.home, database, 0)
    blank.make_private(database.file)
    migrations.upgrade(settings.database)


def _say(home: Path, database: Database, newest_leaf: int) -> None:
    """That the restore is under way; once its rows are about to be committed, up to which leaf (else 0)."""
    write_atomically(home / UNFINISHED, _stated(database, newest_leaf), mode=0o600)


def _stated(database: Database, newest_leaf: int) -> bytes:
    place = database.engine.url.render_as_string()
    return json.dumps({"database": place, "newest_leaf": newest_leaf}).encode()


def _newest_leaf(database: Database) -> int:
    """Of what is there now; 0 without any."""
    if not _is_there(database) or not sa.inspect(database.engine).has_table("leaf"):
        return 0
    with database.reading() as session:
        return stream.newest(session)


def _is_there(database: Database) -> bool:
    """Whether there is something to connect to: a file of SQLite would be made by that, for all to read."""
    return database.file is None or database.file.exists()


def _refuse_rows(database: Database) -> None:
    with database.engine.connect() as connection:
        if not rows.is_unused(connection, metadata):
            raise Occupied("the database to restore into is not empty")


def _clear(settings: Settings, database: Database) -> None:
    """The tables were made here: they go too, unless the database was not empty."""
    if not (settings.home / UNFINISHED).exists():
        return
    if settings.database_url is not None and _is_there(database):
        with database.engine.connect() as connection:
            is_ours = rows.is_unused(connection, metadata)
        if is_ours:
            blank.drop_tables(database)
    _empty(settings.home)
    (settings.home / UNFINISHED).unlink(missing_ok=True)


def _empty(home: Path) -> None:
    """The file that says so goes last."""
    for path in home.iterdir():
        if path.name in _KEPT or path.name == UNFINISHED:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
