"""Killed at any moment, the service loses nothing it acknowledged and publishes nothing half-made."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine.default import DefaultDialect

from app.client.session import Connection, Failed
from app.client.store import Store
from app.client.sync import sync
from app.core import jose
from app.core.manifest import Manifest
from app.core.terms import Kind
from tests.programs import forked
from tests.programs.service import LIST, Service, approve, leaves, new_entry, running, wait_until_up

KILLS = 50


class Crash(BaseException):
    """Stands for a loss of power: nothing in the service may catch it."""


class Traffic(threading.Thread):
    """A hotline and a reviewer who never stop; remembers only what was acknowledged."""

    def __init__(self, hotline: Connection, reviewer: Connection) -> None:
        super().__init__(daemon=True)
        self.hotline, self.reviewer = hotline, reviewer
        self.submitted: dict[str, dict[str, Any]] = {}
        self.approved: set[str] = set()
        self.withdrawn: set[str] = set()
        self.stopping = threading.Event()
        self._number = 0

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                self._step()
            except (Failed, KeyError):
                time.sleep(0.02)

    def _step(self) -> None:
        self._number += 1
        bodies = [new_entry(f"https://h{self._number}-{n}.example.test/") for n in range(5)]
        batch = self.hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()
        for view in batch["entries"]:
            self.submitted[view["id"]] = view
        for view in batch["entries"][:3]:
            approve(self.reviewer, view)
            self.approved.add(view["id"])
        if self._number % 3 == 0:
            chosen = batch["entries"][0]["id"]
            # Before the request: a kill may come between its commit and its answer.
            self.withdrawn.add(chosen)
            self.hotline.request("POST", f"/v1/entries/{chosen}/withdrawal")


def start(service: Service) -> BaseProcess:
    environment = {
        "WARDLIST_HOME": str(service.settings.home),
        "WARDLIST_PORT": str(service.settings.port),
        "WARDLIST_ISSUER": service.address,
    }
    return forked.forked(forked.serve, environment)


def test_fifty_kills(tmp_path: Path) -> None:
    service = Service(tmp_path / "home")
    service.add_list(brake_changes=10_000_000, brake_free=10_000_000)
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    isp = service.organisation(Kind.ISP)
    service.subscribe(isp)
    provider, store = service.connect(Kind.ISP, isp), Store(tmp_path / "isp")
    traffic = Traffic(service.connect(Kind.HOTLINE), service.connect(Kind.REVIEW_BODY))
    traffic.start()
    versions = [0]
    for _ in range(KILLS):
        process = start(service)
        wait_until_up(service.address)
        time.sleep(chance.uniform(0, 0.8))
        if chance.random() < 0.3:
            versions.append(sync(provider, LIST, store, service.root).version)
        process.kill()
        process.join()
    traffic.stopping.set()
    process = start(service)
    try:
        wait_until_up(service.address)
        traffic.join(timeout=60)
        _wait_until_quiet(service)
        versions.append(sync(provider, LIST, store, service.root).version)
        assert versions == sorted(versions)
        _check(service, traffic, store)
    finally:
        process.terminate()
        process.join()
        service.database.close()


def _wait_until_quiet(service: Service) -> None:
    """Return when everything approved is in a served version."""
    waiting = text(
        "SELECT (SELECT count(*) FROM entry WHERE status = 'APPROVED' AND is_blocking)"
        " + (SELECT count(*) FROM entry WHERE status = 'DELISTED' AND listed_in > 0 AND delisted_in IS NULL)"
        " + (SELECT count(*) FROM snapshot WHERE NOT is_served)"
    )
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with service.database.reading() as session:
            if session.execute(waiting).scalar_one() == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the next start did not finish the work")


def _check(service: Service, traffic: Traffic, store: Store) -> None:
    with service.database.reading() as session:
        stored = dict(session.execute(text("SELECT id, status FROM entry")).all())
        found = leaves(session)
        rows = session.execute(text("SELECT version, manifest FROM snapshot ORDER BY version")).all()
    assert len(traffic.submitted) > KILLS
    assert set(traffic.submitted) <= set(stored)
    assert all(stored[one] == "LISTED" for one in traffic.approved - traffic.withdrawn)
    assert store.entries(LIST) == {one for one, status in stored.items() if status == "LISTED"}
    signed_off = {
        leaf["entry"] for leaf in found if leaf["type"] == "entry.reviewed" and _holds(leaf, traffic)
    }
    assert {one for one, status in stored.items() if status == "LISTED"} <= signed_off
    counted = Counter((leaf["type"], leaf.get("entry")) for leaf in found if leaf.get("entry"))
    assert max(counted.values()) == 1
    assert {entry for kind, entry in counted if kind == "entry.submitted"} == set(stored)
    assert [version for version, _ in rows] == list(range(1, len(rows) + 1))
    published = {
        leaf["version"]: leaf["content_sha256"] for leaf in found if leaf["type"] == "list.published"
    }
    for version, body in rows:
        assert Manifest.model_validate_json(body).content_sha256 == published[version]


def _holds(leaf: dict[str, Any], traffic: Traffic) -> bool:
    public = jose.public_part(traffic.reviewer.credentials.private_jwk)
    return bool(jose.claims(jose.verify(leaf["signature"], public))["decision"] == "approve")


@pytest.fixture
def due(tmp_path: Path) -> Iterator[Service]:
    """A service with version 1 served and changes for version 2 waiting."""
    with running(Service(tmp_path / "home")) as up:
        up.add_list()
        with up.connect(Kind.HOTLINE) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer:
            for url in ("https://a.example.test/", "https://b.example.test/"):
                approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry(url)).json())
                if url.startswith("https://a"):
                    up.publish()
        yield up


@pytest.mark.parametrize("step", ["os.replace", "os.fsync", "commit"])
def test_a_crash_at_every_single_step_of_publishing(
    due: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Crash at the n-th step, for each n; the client sees version 1 or 2, whole, and the next run ends it."""
    isp = due.organisation(Kind.ISP)
    due.subscribe(isp)
    due.clock.ahead += timedelta(seconds=1)
    crashes = 0
    with due.connect(Kind.ISP, isp) as provider:
        store = Store(tmp_path / "isp")
        for number in range(1, 100):
            if not _round_with_crash(due, monkeypatch, step, number):
                break
            crashes += 1
            done = sync(provider, LIST, store, due.root)
            assert (done.version, done.entry_count) in ((1, 1), (2, 2))
        due.publisher.round()
        assert sync(provider, LIST, store, due.root).version == 2
    assert crashes >= 3


def _round_with_crash(due: Service, monkeypatch: pytest.MonkeyPatch, step: str, number: int) -> bool:
    """One round that crashes at the n-th step; False when it ended before."""
    left = number

    def crashing(real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise Crash
            return real(*arguments, **named)

        return call

    with monkeypatch.context() as patch:
        if step == "commit":
            patch.setattr(
                "sqlalchemy.engine.default.DefaultDialect.do_commit", crashing(DefaultDialect.do_commit)
            )
        else:
            patch.setattr(step, crashing(getattr(os, step.split(".")[1])))
        try:
            due.publisher.round()
        except Crash:
            return True
    return False
