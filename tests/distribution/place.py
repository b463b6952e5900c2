"""A list of its own on a service that several tests share, with a provider and people who fill it."""

import itertools

from sqlalchemy import text

from app.client.session import Connection
from app.core import jose, receipt
from app.core.terms import Kind
from app.identity import service as identity
from app.platform.clock import instant
from tests.programs.service import Service, approve, new_entry

_numbers = itertools.count(1)


class People:
    """Of one service: who submits, who signs off, who looks on, and who else was connected."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._connected: list[Connection] = []
        self.hotline = self.connect(Kind.HOTLINE)
        self.reviewer = self.connect(Kind.REVIEW_BODY)
        self.operator = self.connect(Kind.OPERATOR)

    def connect(self, kind: Kind, organisation: str | None = None) -> Connection:
        """A client that is there until `close`."""
        connection = self.service.connect(kind, organisation)
        self._connected.append(connection)
        return connection

    def close(self) -> None:
        """Hang up."""
        for connection in self._connected:
            connection.__exit__()


class Place:
    """One list and its subscriber. Each test has another, so that none sees what another did."""

    def __init__(self, people: People) -> None:
        self.service, self.people = people.service, people
        self.name = f"list-{next(_numbers)}"
        self.service.add_list(self.name)
        self.isp = self.provider()

    def provider(self) -> Connection:
        """The client of a new internet provider that subscribes to the list."""
        organisation = self.service.organisation(Kind.ISP)
        self.service.subscribe(organisation, self.name)
        return self.people.connect(Kind.ISP, organisation)

    def publish_one(self) -> str:
        """Bring out a version with one entry more; the entry's id."""
        url = f"https://a{next(_numbers)}.example.test/1"
        submission = new_entry(url, list=self.name)
        entry = self.people.hotline.request("POST", "/v1/entries", json=submission).json()
        approve(self.people.reviewer, entry)
        self.service.publish()
        return str(entry["id"])

    def withdraw(self, entry: str) -> None:
        """Bring out a version without the entry."""
        self.people.hotline.request("POST", f"/v1/entries/{entry}/withdrawal")
        self.service.publish()

    def say(self, client: Connection, version: int, outcome: str = "applied") -> str:
        """Send a receipt; the moment in it."""
        path = f"/v1/lists/{self.name}"
        manifest = client.request("GET", f"{path}/snapshots/{version}").json()
        said_at = instant(self.service.clock())
        body = {
            "applied_at": said_at,
            "content_sha256": manifest["content_sha256"],
            "outcome": outcome,
            "version": version,
        }
        statement = receipt.statement(in_list=self.name, **body)
        signature = jose.sign(statement, client.credentials.private_jwk)
        client.request("POST", f"{path}/receipts", json={**body, "signature": signature})
        return said_at

    def organisation_of(self, client: Connection) -> str:
        """The id of a client's organisation."""
        query = text("SELECT organisation_id FROM client WHERE id = :id")
        with self.service.database.reading() as session:
            return str(session.execute(query, {"id": client.credentials.client_id}).scalar_one())

    def suspend(self, client: Connection, is_suspended: bool = True) -> None:
        """Suspend a client's organisation, or readmit it."""
        organisation = self.organisation_of(client)
        with self.service.database.writing() as session:
            identity.suspend_organisation(session, organisation, is_suspended, self.service.clock())
