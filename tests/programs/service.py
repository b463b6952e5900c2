"""A running wardlist service on a real port, with organisations to call it as."""

import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text
from sqlmodel import Session

from app import migrations
from app.audit.exporter import Exporter
from app.client.session import Connection, Credentials
from app.core import commitment, decision, jose
from app.core.replay import Replay
from app.core.terms import Confidentiality, EntryScope, Kind
from app.distribution.deliverer import Deliverer
from app.entries import touched
from app.identity import ceremony
from app.identity import service as identity
from app.identity.permissions import MAY_HOLD, Scope
from app.identity.register import open_register
from app.lists import readers
from app.lists import service as lists
from app.lists.publisher import Publisher
from app.lists.repository import Repository
from app.lists.schemas import NewList
from app.log import service as log
from app.main import DUTIES, create_app
from app.platform.announcer import Announcer
from app.platform.database import Database
from app.platform.files import private_folder
from app.platform.keyring import Keyring
from app.platform.outgoing import Outgoing
from app.platform.server import Server, configured
from app.platform.settings import Settings
from app.platform.worker import Worker
from app.tables import metadata
from app.takedown.notices import channels, dkim
from app.takedown.notices.courier import Courier
from app.takedown.peers.exchanger import Exchanger
from tests.programs import databases

LIST = "national-url"
RATES = (
    "sign_ins_per_minute",
    "public_per_minute",
    "log_per_minute",
    "reads_per_minute",
    "writes_per_minute",
)
STATEMENT = "Assessed on site by two analysts of the hotline."


class MovableClock:
    """The machine's time, or a moment held still, plus what a test adds."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.still_at: datetime | None = None

    def __call__(self) -> datetime:
        return (self.still_at or datetime.now(UTC)) + self.ahead


class Service:
    """An initialised installation in one folder, and its server in this process."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.clock = MovableClock()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        often = {"appeals_per_hour": 100_000, "poll_burst": 100_000, **dict.fromkeys(RATES, 1_000_000)}
        settings = {**often, "issuer": f"http://127.0.0.1:{port}", **settings}
        if "database_url" not in settings:
            settings["database_url"] = databases.fresh()
        self.settings = Settings(home=home, port=port, **settings)
        self.address = self.settings.address
        initialise(self.settings, self.clock())
        self.database = Database(self.settings.database)
        self.keyring = Keyring.load(self.settings.keys)
        self.announcer = Announcer()
        self.publisher = Publisher(
            self.settings, self.database, self.keyring, self.clock, DUTIES, self.announcer.announce
        )
        self.worker = Worker("publisher", self.publisher.round)
        self.exporter = Exporter(self.settings, self.database, self.keyring, self.clock)
        may_call = touched.guard(self.database, self.keyring.fingerprint)
        outgoing = Outgoing(self.settings.webhook_allow_private, may_call=may_call)
        self.deliverer = Deliverer(self.database, self.keyring, self.clock, outgoing, factor=lambda: 1.0)
        self.exchanger = Exchanger(self.database, self.keyring, self.clock, outgoing, factor=lambda: 1.0)
        self.ways_out = channels.of(
            self.settings, self.keyring, self.clock, outgoing, may_call, self.exchanger.send
        )
        self.courier = Courier(
            self.database, self.keyring, self.settings, self.clock, self.ways_out, factor=lambda: 1.0
        )
        self.app = create_app(
            self.settings,
            self.database,
            self.keyring,
            self.clock,
            wake_publisher=self.worker.wake,
            announcer=self.announcer,
        )

    @property
    def root(self) -> bytes:
        """The pinned root that a provider would be given."""
        return (self.settings.public / "metadata" / "1.root.json").read_bytes()

    @property
    def environment(self) -> dict[str, str]:
        """What a command of its own process needs, to work on this installation."""
        place = {"WARDLIST_HOME": str(self.settings.home), "WARDLIST_PORT": str(self.settings.port)}
        place |= {f"WARDLIST_{name.upper()}": "1000000" for name in RATES}
        return place | databases.environment(self.settings.database_url)

    def publish(self) -> None:
        """Bring every list up to date now; a second is let pass on the service's clock."""
        self.clock.ahead += timedelta(seconds=1)
        self.publisher.round()

    def organisation(self, kind: Kind, name: str = "") -> str:
        """A new organisation's id."""
        with self.database.writing() as session:
            name = name or f"{kind.value} {secrets.token_hex(4)}"
            made = identity.add_organisation(session, kind, name, "NL", self.clock())
            if kind is Kind.REVIEW_BODY:
                ceremony.enrol(session, self.settings.offline, made.id, self.clock())
            return made.id

    def credentials(self, organisation: str, scopes: set[Scope]) -> Credentials:
        """A new client of the organisation."""
        private = jose.generate()
        with self.database.writing() as session:
            client = identity.add_client(session, organisation, scopes, private, self.clock())
            offline = self.settings.offline
            ceremony.certify(session, offline, organisation, client.id, private, self.clock())
        return Credentials(self.address, f"{self.address}/oauth/token", client.id, private)

    def connect(
        self, kind: Kind, organisation: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> Connection:
        """A signed-in client of that kind with every scope it may hold."""
        organisation = organisation or self.organisation(kind)
        scopes = set(MAY_HOLD[kind])
        return Connection(
            self.credentials(organisation, scopes), transport, clock=lambda: self.clock().timestamp()
        )

    def add_list(self, name: str = LIST, **policy: Any) -> None:
        """A plain list that takes every scope."""
        new = {
            "title": "A list",
            "scopes": list(EntryScope),
            "confidentiality": Confidentiality.PLAIN,
            "formats": ["jsonl", "csv"],
            "quorum": {"url": 1, "path": 1, "host": 2, "domain": 2},
        }
        with self.database.writing() as session:
            lists.create(session, NewList(name=name, **{**new, **policy}), self.clock())

    def subscribe(self, organisation: str, name: str = LIST) -> None:
        """Let a provider read a list."""
        with self.database.writing() as session:
            lists.subscribe(session, name, organisation, self.clock())

    def let_read(self, organisation: str, name: str = LIST) -> None:
        """Let an authority read a list as indicators."""
        with self.database.writing() as session:
            readers.add(session, name, organisation, self.clock())

    def state(self) -> list[str]:
        """Every row in the database but those of spent sign-ins: to show that nothing changed."""
        with self.database.reading() as session:
            return [
                f"{name} {row!r}"
                for name in sorted(metadata.tables)
                if name != "spent_assertion"
                for row in sorted(session.execute(text(f'SELECT * FROM "{name}"')).all(), key=repr)
            ]


def initialise(settings: Settings, now: datetime) -> None:
    """What `wardlist init` does."""
    private_folder(settings.home)
    if settings.database_url is None:
        (settings.home / "wardlist.db").write_bytes(databases.migrated())
    Keyring.create(settings.keys)
    if settings.smtp_host:
        dkim.create(settings.keys)
    repository = Repository(settings.public, settings.keys)
    repository.create(settings.offline, now)
    database = Database(settings.database)
    if not migrations.is_current(database.engine):
        migrations.upgrade(settings.database)
    with database.writing() as session:
        open_register(session, repository.authority(), now)
    database.close()


@contextmanager
def running(service: Service) -> Iterator[Service]:
    """Serve until the block ends."""
    server = Server(configured(service.app, service.settings), service.announcer)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until_up(service.address)
    try:
        yield service
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        service.deliverer.close()
        service.exchanger.close()
        service.courier.close()
        service.database.close()


def wait_until_up(address: str, seconds: float = 120) -> None:
    """Return once the service answers. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if httpx.get(f"{address}/healthz", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.005)
    raise TimeoutError("the service did not come up")


def new_entry(url: str = "https://a.example.test/1", **changes: Any) -> dict[str, Any]:
    """A submission's body."""
    body: dict[str, Any] = {
        "url": url,
        "scope": "url",
        "measures": ["takedown", "blocking"],
        "list": LIST,
        "legal_ground": "lanzarote-20-1-b",
        "material": "lanzarote-20-2-conduct-real",
        "assessed_at": "2026-01-02T03:04:05Z",
        "statement": STATEMENT,
        "hosting_country": "NL",
        "hotline_reference": "ref-1",
    }
    if changes.get("scope") in ("host", "domain"):
        body["scope_reason"] = "Every page of this host carries the material, under changing paths."
    return {**body, **changes}


def signed_review(entry: dict[str, Any], private_jwk: dict[str, str], **changes: Any) -> dict[str, Any]:
    """A decision's body on an entry view; `changes` replace fields of body or signed statement."""
    body: dict[str, Any] = {
        "decision": changes.get("decision", "approve"),
        "criteria": dict.fromkeys(decision.CRITERIA, True) | changes.get("criteria", {}),
        "reason": changes.get("reason", "Every criterion is met."),
    }
    key = bytes.fromhex(entry["commitment_key"])
    statement = {
        "criteria": body["criteria"],
        "decision": body["decision"],
        "entry": entry["id"],
        "entry_digest": entry["digest"],
        "iat": int(time.time()),
        "in_list": entry["list"],
        "reason_digest": commitment.reason_digest(key, body["reason"]),
    } | changes.get("signed", {})
    payload = decision.statement(**statement)
    whole: dict[str, Any] = {**body, "signature": jose.sign(payload, private_jwk)} | changes.get("sent", {})
    return whole


def approve(reviewer: Connection, entry: dict[str, Any]) -> dict[str, Any]:
    """Sign an entry off."""
    body = signed_review(entry, reviewer.credentials.private_jwk, signed={"iat": int(reviewer.clock())})
    sent = reviewer.request("POST", f"/v1/entries/{entry['id']}/reviews", json=body)
    view: dict[str, Any] = sent.json()
    return view


def leaves(session: Session) -> list[dict[str, Any]]:
    """Every leaf, in order of commit."""
    rows = session.execute(text("SELECT body FROM leaf ORDER BY id"))
    return [json.loads(row[0]) for row in rows]


def recorded(service: Service) -> list[dict[str, Any]]:
    """Every leaf committed so far."""
    with service.database.reading() as session:
        return leaves(session)


def leaf_bodies(service: Service) -> list[bytes]:
    """Every leaf as bytes, in order of the log."""
    with service.database.writing() as session:
        size = log.sequence(session).size
        return log.leaves(session, 0, size)


def replay(service: Service) -> Replay:
    """The whole log replayed. Raises Deviation when it is not as it must be."""
    replayed = Replay()
    for body in leaf_bodies(service):
        replayed.feed(body)
    return replayed
