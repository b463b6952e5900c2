"""Killed at any moment, the service loses nothing it acknowledged and publishes nothing half-made."""

import os
import random
import time
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine.default import DefaultDialect

from app.client.store import Store
from app.client.sync import sync
from app.core.terms import Kind
from tests.programs import forked, selection
from tests.programs.service import LIST, Service, approve, new_entry, running, wait_until_up
from tests.programs.traffic import Traffic, check, wait_until_quiet

KILLS = selection.times(50, 10, 6)


class Crash(BaseException):
    """Stands for a loss of power: nothing in the service may catch it."""


def start(service: Service) -> BaseProcess:
    return forked.forked(forked.serve, {**service.environment, "WARDLIST_ISSUER": service.address})


def test_killed_at_random_moments(tmp_path: Path) -> None:
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
    kills = 0
    while kills < KILLS or len(traffic.submitted) < KILLS:
        kills += 1
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
        wait_until_quiet(service)
        versions.append(sync(provider, LIST, store, service.root).version)
        assert versions == sorted(versions)
        check(service, [traffic], [store])
    finally:
        process.terminate()
        process.join()
        service.database.close()


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


@pytest.mark.parametrize("step", ["os.replace", "os.link", "os.fsync", "commit"])
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
