"""Making an installation and running it. Loaded only by these two commands: the server is large."""

from contextlib import suppress

import structlog

from app import migrations
from app.cli.background import Background
from app.cli.installation import open_database, read_settings
from app.cli.output import err, fail, show
from app.identity.register import open_register
from app.lists.publisher import only_one
from app.lists.repository import Repository
from app.log.tiles import public_log
from app.main import create_app
from app.platform.announcer import Announcer
from app.platform.clock import system_clock
from app.platform.files import private_folder, write_atomically
from app.platform.http import log_as_json
from app.platform.keyring import Keyring, NotInitialised
from app.platform.listening import Unavailable, listening
from app.platform.server import Server, configured


def init(as_json: bool) -> None:
    """Make the database, the keys and the empty TUF repository. Running it again changes nothing."""
    settings = read_settings()
    private_folder(settings.home)
    migrations.upgrade(settings.database)
    Keyring.create(settings.keys)
    repository = Repository(settings.public, settings.keys)
    with only_one(settings.home):
        if not repository.exists:
            repository.create(settings.offline, system_clock())
        database = open_database(settings)
        with database.writing() as session:
            open_register(session, repository.authority(), system_clock())
        database.close()
    root = settings.public / "metadata" / "1.root.json"
    vkey = str(public_log(settings, Keyring.load(settings.keys)).verifier)
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


def serve(host: str | None, port: int | None) -> None:
    """Run the service and its publisher until stopped."""
    settings = read_settings()
    given = {"host": host, "port": port}
    settings = settings.model_copy(update={name: value for name, value in given.items() if value})
    try:
        database, keyring = open_database(settings), Keyring.load(settings.keys)
        sockets = listening(settings.host, settings.port)
    except (NotInitialised, Unavailable) as missing:
        fail(str(missing))
    log_as_json()
    address = settings.issuer or f"http://{settings.host}:{settings.port}"
    settings = settings.model_copy(update={"issuer": address})
    write_atomically(settings.home / "address", address.encode())
    announcer = Announcer()
    try:
        background = Background(settings, database, keyring, announcer)
    except NotInitialised as missing:
        fail(str(missing))
    wakes = (background.publisher.wake, background.exporter.wake)
    service = create_app(settings, database, keyring, system_clock, *wakes, announcer)
    background.start()
    structlog.get_logger("serve").info("listening", address=address)
    try:
        with suppress(KeyboardInterrupt):
            Server(configured(service, settings), announcer).run(sockets)
    finally:
        background.stop()
        database.close()
