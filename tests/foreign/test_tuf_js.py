"""tuf-js, which shares no code with ours, updates from the service and refuses what is not true."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from app.lists.repository import Repository
from tests.programs.node import NODE, NPM, Package
from tests.programs.service import LIST, Service, approve, new_entry, running

LOCK = Path(__file__).with_name("tuf-js") / "package-lock.json"


@pytest.fixture(scope="module")
def tuf_js(tmp_path_factory: pytest.TempPathFactory) -> Package:
    if NPM is None or NODE is None:
        pytest.skip("npm or node is not installed")
    package = Package("tuf-js", tmp_path_factory.mktemp("npm"))
    package.install()
    return package


@dataclass
class Subscriber:
    """A provider with tuf-js and the pinned root, and the people who fill its list."""

    service: Service
    package: Package
    hotline: Connection
    reviewer: Connection
    provider: Connection
    folder: Path
    true_timestamp: bytes = b""

    def list_one_more(self) -> None:
        entry = new_entry(f"https://{secrets.token_hex(8)}.example.test/")
        approve(self.reviewer, self.hotline.request("POST", "/v1/entries", json=entry).json())
        self.service.publish()

    def update(self, token: str | None = None) -> dict[str, Any]:
        """What tuf-js installed, or why it did not."""
        root = self.folder / "pinned.root.json"
        root.write_bytes(self.service.root)
        token = self.provider.token() if token is None else token
        place = (str(root), self.service.address, LIST, str(self.folder / "installed"))
        return self.package.run("update.mjs", *place, WARDLIST_TOKEN=token)

    @property
    def timestamp(self) -> Path:
        """The file that leads to everything."""
        return self.service.settings.public / "metadata" / "timestamp.json"

    def offer(self, timestamp: bytes) -> None:
        """Serve another timestamp until the test ends."""
        self.true_timestamp = self.timestamp.read_bytes()
        self.timestamp.write_bytes(timestamp)


@pytest.fixture(scope="module")
def people(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Service, Connection, Connection, Connection]]:
    """A service, a hotline, a reviewer and a subscribed provider of it."""
    with running(Service(tmp_path_factory.mktemp("home") / "home")) as service:
        service.add_list()
        isp = service.organisation(Kind.ISP)
        service.subscribe(isp)
        with (
            service.connect(Kind.HOTLINE) as hotline,
            service.connect(Kind.REVIEW_BODY) as reviewer,
            service.connect(Kind.ISP, isp) as provider,
        ):
            yield service, hotline, reviewer, provider


@pytest.fixture
def subscriber(
    tuf_js: Package, people: tuple[Service, Connection, Connection, Connection], tmp_path: Path
) -> Iterator[Subscriber]:
    """Who has installed nothing yet, of a list that has one entry more than for the test before."""
    service, hotline, reviewer, provider = people
    made = Subscriber(service, tuf_js, hotline, reviewer, provider, tmp_path)
    made.list_one_more()
    yield made
    if made.true_timestamp:
        made.timestamp.write_bytes(made.true_timestamp)


def test_it_follows_a_list_from_a_pinned_root(subscriber: Subscriber) -> None:
    first = subscriber.update()
    assert first["entries"] == first["version"]
    subscriber.list_one_more()
    assert subscriber.update() == {"version": first["version"] + 1, "entries": first["entries"] + 1}


def test_it_gets_nothing_of_a_list_without_a_token(subscriber: Subscriber) -> None:
    assert subscriber.update(token="a.b.c") == {"refused": "DownloadHTTPError", "status": 401}


def test_it_refuses_a_timestamp_that_was_tampered_with(subscriber: Subscriber) -> None:
    subscriber.update()
    signed = json.loads(subscriber.timestamp.read_bytes())
    signed["signed"]["version"] += 1
    subscriber.offer(json.dumps(signed).encode())
    assert subscriber.update()["refused"] == "UnsignedMetadataError"


def test_it_refuses_an_older_timestamp(subscriber: Subscriber) -> None:
    older = subscriber.timestamp.read_bytes()
    subscriber.list_one_more()
    assert "version" in subscriber.update()
    subscriber.offer(older)
    assert subscriber.update()["refused"] == "BadVersionError"


def test_it_refuses_an_older_snapshot_under_a_newer_timestamp(subscriber: Subscriber) -> None:
    """What a thief of the timestamp key alone could offer: the list as it was."""
    older = json.loads(subscriber.timestamp.read_bytes())["signed"]["meta"]["snapshot.json"]["version"]
    subscriber.list_one_more()
    assert "version" in subscriber.update()
    subscriber.offer(subscriber.timestamp.read_bytes())
    settings = subscriber.service.settings
    Repository(settings.public, settings.keys)._publish_timestamp(older, subscriber.service.clock())
    assert subscriber.update()["refused"] == "BadVersionError"


def test_its_lock_names_digests_and_no_registry() -> None:
    packages = json.loads(LOCK.read_bytes())["packages"]
    locked = {name: one for name, one in packages.items() if name}
    assert len(locked) > 10
    assert all(one["integrity"].startswith("sha512-") for one in locked.values())
    assert not any("resolved" in one for one in locked.values())
