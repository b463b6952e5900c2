"""Making an installation. Loaded by this command alone: the server is large."""

from contextlib import closing

import sqlalchemy as sa
from sqlmodel import col

from app import migrations
from app.cli.installation import open_database, read_settings, refuse_unfinished
from app.cli.output import err, fail, show
from app.entries.models import Entry
from app.identity.register import open_register
from app.lists.publisher_lock import only_one
from app.lists.repository import Repository
from app.log.tiles import public_log
from app.platform.clock import system_clock
from app.platform.database import Database
from app.platform.files import private_folder
from app.platform.key_files import NotInitialised
from app.platform.keyring import Keyring
from app.platform.settings import Settings


def init(as_json: bool) -> None:
    """Make the database, the keys and the empty TUF repository. Running it again changes nothing."""
    settings = read_settings()
    try:
        refuse_unfinished(settings)
        private_folder(settings.home)
        # Before the tables are touched: who is refused finds everything as it was.
        Keyring.create(settings.keys, _is_in_use(settings))
    except NotInitialised as refused:
        fail(str(refused), as_json)
    migrations.upgrade(settings.database)
    repository = Repository(settings.public, settings.keys)
    if not repository.exists:
        _create(repository, settings)
    database = open_database(settings)
    with database.writing() as session:
        open_register(session, repository.authority(), system_clock())
    database.close()
    root = settings.public / "metadata" / "1.root.json"
    vkey = str(public_log(settings, Keyring.load(settings.keys, [])).verifier)
    result = {
        "home": str(settings.home),
        "root": str(root),
        "offline": str(settings.offline),
        "log_vkey": vkey,
    }
    show(result, as_json, f"ready in {settings.home}; give subscribers {root} and the log's key\n{vkey}")
    if settings.offline.exists():
        err.print(
            f"Move the keys in {settings.offline} to separate offline media now. Any two of the three root "
            "keys can replace every other key of the lists; any two of the three register keys say which "
            "review bodies count. While they lie here, `org add` and `client add` use them; afterwards "
            "register bodies and reviewers with `wardlist register`.",
            style="yellow",
        )


def _is_in_use(settings: Settings) -> bool:
    """Whether entries are on record, be the tables of whatever release."""
    with closing(Database(settings.database)) as database:
        if database.file and not database.file.exists():
            return False
        return _has_entries(database)


def _has_entries(database: Database) -> bool:
    with database.engine.connect() as connection:
        if not sa.inspect(connection).has_table(str(Entry.__tablename__)):
            return False
        return connection.execute(sa.select(col(Entry.id)).limit(1)).first() is not None


def _create(repository: Repository, settings: Settings) -> None:
    """Where it is there already, a publisher may be at work, and need not be waited for."""
    try:
        with only_one(settings.home):
            if not repository.exists:
                repository.create(settings.offline, system_clock())
    except TimeoutError as busy:
        fail(str(busy))
