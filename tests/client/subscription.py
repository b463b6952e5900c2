"""A list of its own in a shared service, and a provider that subscribes to it with an age identity."""

import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.client.session import Connection
from app.client.store import Store
from app.client.sync import Synced, sync
from app.core import age
from app.core.terms import Confidentiality, Kind
from app.distribution import receipts
from app.identity import service as identity
from tests.programs.service import Service, approve, new_entry


class Wire(httpx.HTTPTransport):
    """Remembers what was asked for; `broken` are parts of paths that get no answer, `answers` other ones."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.broken: set[str] = set()
        self.answers: dict[str, httpx.Response] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        if any(part in path for part in self.broken):
            raise httpx.ConnectError("cut")
        for part, answer in self.answers.items():
            if part in path:
                return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return super().handle_request(request)

    def took(self, file: str) -> int:
        """How often a target of this name, without its hash, was asked for."""
        return sum(path.endswith(f".{file}") for path in self.asked)


class Subscription:
    """`add` and `withdraw` change the list at the service; `sync` is the provider."""

    def __init__(self, service: Service, hotline: Connection, folder: Path, **policy: Any) -> None:
        self.service, self.hotline, self.name = service, hotline, f"l{secrets.token_hex(6)}"
        self.store, self.wire = Store(folder / "isp"), Wire()
        self.organisation = service.organisation(Kind.ISP)
        self.identities = [self.new_identity()]
        service.add_list(self.name, **{"confidentiality": Confidentiality.SEALED, **policy})
        service.subscribe(self.organisation, self.name)
        self.provider = service.connect(Kind.ISP, self.organisation, self.wire)
        self.reviewer = service.connect(Kind.REVIEW_BODY)
        self.entries: list[str] = []
        self._number = 0

    def new_identity(self) -> str:
        """An identity whose recipient the service is told."""
        secret, public = age.generate()
        with self.service.database.writing() as session:
            identity.add_recipient(session, self.organisation, public, self.service.clock())
        return secret

    def end_identity(self, secret: str) -> None:
        """Nothing more is sealed to it."""
        with self.service.database.writing() as session:
            identity.end_recipient(session, age.recipient_of(secret), self.service.clock())

    def add(self, count: int) -> list[str]:
        """Entries that the next version lists; their ids."""
        numbers = range(self._number, self._number + count)
        self._number += count
        bodies = [
            new_entry(f"https://h{number}.example.test/p/{number}", list=self.name) for number in numbers
        ]
        made = self.hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()["entries"]
        for one in made:
            approve(self.reviewer, one)
        return [one["id"] for one in made]

    def withdraw(self, *entries: str) -> None:
        """They leave with the next version."""
        for one in entries:
            self.hotline.request("POST", f"/v1/entries/{one}/withdrawal")

    def publish(self) -> None:
        """Make a version of what changed."""
        self.service.publish()

    def sync(self, identities: Sequence[str] | None = None) -> Synced:
        """As `wardlist isp sync` does."""
        known = self.identities if identities is None else identities
        return sync(self.provider, self.name, self.store, self.service.root, identities=known)

    def files(self, version: int, pattern: str) -> list[Path]:
        """The service's files of a version."""
        folder = self.service.settings.public / "targets" / "lists" / self.name / str(version)
        return sorted(folder.glob(pattern))

    def told(self, version: int) -> str | None:
        """The provider's last word on a version, as the service took it in."""
        with self.service.database.reading() as session:
            return receipts.outcomes(session, self.name, version).get(self.organisation)


@contextmanager
def subscribed(shared: tuple[Service, Connection], folder: Path, **policy: Any) -> Iterator[Subscription]:
    """A fresh list and provider in the shared service."""
    one = Subscription(*shared, folder, **policy)
    with one.provider, one.reviewer:
        yield one


def is_private(folder: Path) -> bool:
    """Whether the owner alone may read anything below."""
    every = [folder, *(path for path in folder.rglob("*") if not path.is_symlink())]
    return all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in every)
