"""Running the service: in one process, in several on one port, or as one part of it alone."""

import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import structlog
import typer
from tuf.api.exceptions import RepositoryError, StorageError

from app.cli import answering
from app.cli.background import Errands, Parts, Publishing
from app.cli.following import Following
from app.cli.forking import Act, Channel
from app.cli.installation import open_database, read_settings
from app.cli.monitored import monitored
from app.cli.output import fail
from app.cli.supervisor import Failed, Place, Supervisor
from app.cli.systemd import Signs
from app.entries import secrets
from app.lists import keys_in_force
from app.lists.repository import Repository
from app.platform import setting_names
from app.platform.announcer import Announcer
from app.platform.database import Database
from app.platform.files import write_atomically
from app.platform.key_forms import LOG
from app.platform.keyring import (
    API_ROLES,
    EVERY_ROLE,
    PUBLISHER_ROLES,
    WORKER_ROLES,
    Keyring,
    NotInitialised,
)
from app.platform.listening import Unavailable, listening, shared
from app.platform.logs import log_as_json
from app.platform.settings import Settings

_LOOK_SECONDS, _ORPHANS_SECONDS = 1.0, 10.0
_logger = structlog.get_logger("serve")


@dataclass(frozen=True)
class Opened:
    """An installation in use."""

    settings: Settings
    database: Database
    keyring: Keyring

    def add_publisher(self, parts: Parts) -> None:
        """The publisher is to work here."""
        parts.add(Publishing(self.settings, self.database, self.keyring, parts.announce))

    def add_follower(self, parts: Parts) -> None:
        """What other machines publish is to be brought here, where the settings say so."""
        parts.add(Following(self.settings, self.database, self.keyring))

    def add_errands(self, parts: Parts) -> None:
        """All that is sent, exports and duties are to be seen to here. Raises NotInitialised."""
        parts.add(Errands(self.settings, self.database, self.keyring))


Add = Callable[[Opened, Parts], None]


def serve(host: str | None, port: int | None, processes: int, is_api_only: bool) -> None:
    """Answer requests until stopped, with the publisher and the errands unless `is_api_only`."""
    settings = read_settings(is_service=True)
    given = {"host": host, "port": port}
    settings = settings.model_copy(update={name: value for name, value in given.items() if value})
    opened = _opened(settings, API_ROLES if is_api_only else EVERY_ROLE)
    try:
        places = _places(settings, processes)
    except Unavailable as taken:
        fail(str(taken))
    _begin_to_log()
    address = settings.issuer or f"http://{settings.host}:{settings.port}"
    settings = settings.model_copy(update={"issuer": address})
    write_atomically(settings.home / "address", address.encode())
    _logger.info("listening", address=address, processes=processes)
    signs = Signs()
    try:
        if processes > 1:
            # Nothing that is open here may be used on both sides of a fork.
            opened.database.close()
            _supervise(settings, places, is_api_only, signs)
        else:
            _answer(Opened(settings, opened.database, opened.keyring), places[0], _parts(is_api_only), signs)
    finally:
        signs.end()


def publisher(metrics: str | None) -> None:
    """Publish until stopped, or stand by where another process does."""
    _alone("publisher", Opened.add_publisher, PUBLISHER_ROLES, metrics)


def worker(metrics: str | None) -> None:
    """Send, export and do what the clock asks for until stopped."""
    _alone("worker", Opened.add_errands, WORKER_ROLES, metrics)


def _alone(name: str, add: Add, roles: frozenset[str], metrics: str | None) -> None:
    """One part, without a web server but for what it says of itself, until SIGTERM or SIGINT."""
    over = _told_to_stop()
    opened = _opened(read_settings(is_service=True), roles)
    _begin_to_log()
    parts, signs = Parts(opened.settings, opened.database), Signs()
    _added(parts, opened.add_follower, lambda parts: add(opened, parts))
    try:
        of_parts = (lambda: parts.is_publishing, lambda: parts.failing)
        with monitored(metrics, name, opened.settings, opened.database, *of_parts):
            _work(opened, parts, over, signs)
    finally:
        signs.end()


def _begin_to_log() -> None:
    log_as_json()
    for slip in setting_names.slips(os.environ):
        _logger.warning("unknown setting", hint=slip)


def _parts(is_api_only: bool) -> tuple[Add, ...]:
    """What works beside the web server."""
    return (Opened.add_follower, *(() if is_api_only else (Opened.add_publisher, Opened.add_errands)))


def _answer(
    opened: Opened, sockets: list[socket.socket], adds: Sequence[Add], on_life: Callable[[], None]
) -> None:
    """The web server of this process, and other parts."""
    announcer = Announcer()
    parts = Parts(opened.settings, opened.database, announcer)
    _added(parts, *(partial(add, opened) for add in adds))
    answering.run(opened.settings, opened.database, opened.keyring, announcer, parts, sockets, on_life)


def _places(settings: Settings, processes: int) -> list[list[socket.socket]]:
    """The sockets of each process. Those of a supervisor that was killed end soon, and are waited for.

    Raises Unavailable.
    """
    if processes == 1:
        return [listening(settings.host, settings.port)]
    ends = time.monotonic() + _ORPHANS_SECONDS
    while True:
        try:
            return shared(settings.host, settings.port, processes)
        except Unavailable:
            if time.monotonic() > ends:
                raise
        time.sleep(_ORPHANS_SECONDS / 50)


def _supervise(
    settings: Settings, places: list[list[socket.socket]], is_api_only: bool, signs: Signs
) -> None:
    """A process for each of the places, and one for all else."""
    share = math.ceil(settings.appeals_per_hour / len(places))
    of_api = settings.model_copy(update={"appeals_per_hour": share})

    def answering(sockets: list[socket.socket]) -> Act:
        return lambda channel: _answer(_opened(of_api, API_ROLES), sockets, (), channel.say_alive)

    def work_besides(channel: Channel) -> None:
        opened = _opened(settings, API_ROLES if is_api_only else EVERY_ROLE)
        parts = Parts(settings, opened.database)
        _added(parts, *(partial(add, opened) for add in _parts(is_api_only)))
        _work(opened, parts, _told_to_stop(), channel.say_alive)

    name = "follower" if is_api_only else "publisher and worker"
    others = [Place(name, work_besides)] if settings.store_follow or not is_api_only else []
    apis = [Place("api", answering(sockets), sockets) for sockets in places]
    try:
        Supervisor([*others, *apis]).run(signs)
    except Failed:
        raise typer.Exit(1) from None


def _told_to_stop() -> threading.Event:
    """Set by SIGTERM and SIGINT from now on."""
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: over.set())
    return over


def _work(opened: Opened, parts: Parts, over: threading.Event, on_life: Callable[[], None]) -> None:
    """The parts, until it is over."""
    parts.start()
    try:
        while not over.wait(_LOOK_SECONDS):
            on_life()
    finally:
        parts.stop()
        opened.database.close()


def _added(parts: Parts, *adds: Callable[[Parts], None]) -> None:
    """Ends the command where the settings of a part lack something."""
    try:
        for add in adds:
            add(parts)
    except NotInitialised as missing:
        fail(str(missing))


def _opened(settings: Settings, roles: frozenset[str]) -> Opened:
    """With the private keys of these roles. Ends the command where something of that is not here."""
    try:
        keyring = Keyring.load(settings.keys, roles)
        if LOG in roles:
            _require_signers(settings)
        database = open_database(settings)
        with database.reading() as session:
            keyring.epochs.require(secrets.epoch_seen(session))
        return Opened(settings, database, keyring)
    except NotInitialised as missing:
        fail(str(missing))


def _require_signers(settings: Settings) -> None:
    """Raises KeyUnusable where a TUF role has no key here that the signed metadata names.

    What was brought from a store may be of before a key was changed, and what cannot be read names none: then
    any key will do, and rounds and readiness say what is wrong.
    """
    repository = Repository(settings.public, settings.keys)
    repository.signers.require_online()
    if repository.exists and not settings.store_follow:
        with suppress(RepositoryError, StorageError):
            keys_in_force.require(repository)
