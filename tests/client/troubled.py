"""A provider's machine with one list in force, behind a bad network or with troubles of its own."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import tuf.ngclient._internal.trusted_metadata_set as trusted

from app.client.health import Board
from app.client.outputs import Output, Outputs
from app.client.session import Connection
from app.client.store import Store
from app.client.trusted import Trust
from app.client.watch import Did, Step, Watcher
from app.core.terms import Format, Kind
from tests.client.subscription import Subscription, subscribed
from tests.programs.faulty import Faulty, network
from tests.programs.service import Service, running

ENTRIES = 25
"""In the first version: so many that a delta is fewer bytes than the list."""
TIMEOUT_SECONDS = 60.0


class Machine:
    """Keeps a list in `store` and in `file`, the filter's. `ahead` is how wrong its clock is."""

    def __init__(self, at: Subscription, net: Faulty, folder: Path) -> None:
        self.at, self.net = at, net
        self.store, self.file, self.health = (
            Store(folder / "isp"),
            folder / "block.csv",
            folder / "health.json",
        )
        self.check: str | None = None
        self.ahead = timedelta()
        self.version = 0
        self._connection: Connection | None = None

    def start(self) -> None:
        """The daemon starts anew, with no connection and no token."""
        self.end()
        self._connection = Connection(
            self.at.provider.credentials,
            httpx.HTTPTransport(proxy=self.net.address),
            lambda: (self.at.service.clock() + self.ahead).timestamp(),
            TIMEOUT_SECONDS,
        )
        trust = Trust(self.at.service.root, identities=tuple(self.at.identities))
        outputs = Outputs([Output(Format.CSV, self.file, self.check)])
        board = Board(self.health)
        self.watcher = Watcher(
            self._connection, self.at.name, self.store, trust, outputs, None, board, lambda _low, high: high
        )

    def settle(self) -> None:
        """Nothing is wrong any more, and the daemon starts anew."""
        self.net.faults, self.net.asked = {}, []
        self.ahead, self.check = timedelta(), None
        installed = self.store.current(self.at.name)
        self.version = installed.version if installed else 0
        self.start()

    def end(self) -> None:
        """No connection stays open."""
        if self._connection:
            self._connection.__exit__()

    def hurry(self, seconds: float) -> None:
        """How long the service may say nothing."""
        assert self._connection
        self._connection._http.timeout = httpx.Timeout(seconds)

    def news(self, versions: int = 1) -> None:
        """The service has newer versions."""
        for _ in range(versions):
            self.at.entries += self.at.add(1)
            self.at.publish()

    def kept(self) -> dict[str, bytes]:
        """Everything that is in force, byte for byte."""
        current = self.store.folder / "lists" / self.at.name / "current"
        files = [current / name for name in ("manifest.json", "list.jsonl", "subscriber.json")]
        found = {path.name: path.read_bytes() for path in (*files, self.file)}
        return {**found, "current": os.readlink(current).encode()}

    def stumbles(self, *words: str, did: Did = Did.UNREACHABLE) -> Step:
        """A step that leaves everything as it was and says why, with one of these words and no address."""
        before = self.kept()
        step = self.watcher.step()
        assert (step.did, step.version) == (did, self.version), step
        assert self.kept() == before
        assert step.words
        assert any(word in step.words for word in words), step.words
        told = self.shown()
        assert (told["version"], told["last_error"], told["state"]) == (step.version, step.words, "degraded")
        assert step.wait_seconds > 0
        assert "example" not in self.health.read_text()
        return step

    def recovers(self) -> None:
        """The next step by itself puts the newest version in force, and says so to the service."""
        step = self.watcher.step()
        assert step.did is Did.INSTALLED, step
        self.is_up_to_date()

    def is_up_to_date(self) -> None:
        """What the service lists is in force, and the service knows."""
        manifest = self.store.current(self.at.name)
        assert manifest
        self.version = manifest.version
        rows = [row for row in self.file.read_text().splitlines()[1:] if "owned.example" not in row]
        assert {row.split(",")[0] for row in rows} == set(self.at.entries)
        assert self.store.is_whole(self.at.name, manifest)
        assert self.at.told(self.version) == "applied"
        assert self.shown()["state"] == "ok"

    def shown(self) -> dict[str, Any]:
        """The list's part of the health file."""
        found: dict[str, Any] = json.loads(self.health.read_bytes())["lists"][0]
        return found


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """With the first version in force."""
    with (
        running(Service(folder / "home", canary_suffixes="owned.example")) as up,
        up.connect(Kind.HOTLINE) as hotline,
        network() as net,
        subscribed((up, hotline), folder) as at,
    ):
        one = Machine(at, net, folder)
        at.entries = at.add(ENTRIES)
        at.publish()
        one.start()
        try:
            one.recovers()
            yield one
        finally:
            one.end()


def set_clock(one: Machine, ahead: timedelta, patch: pytest.MonkeyPatch) -> None:
    """Put the machine's clock wrong by so much: for what signs, and for what looks at dates of expiry."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + ahead

    assert Wrong.now(UTC) - ahead <= datetime.now(UTC)
    one.ahead = ahead
    patch.setattr(trusted.datetime, "datetime", Wrong)
