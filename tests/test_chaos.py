"""Everything dies at random under load, and the disk fills up: what was acknowledged stays, and all agree.

API processes, their supervisor, both publishers, the worker and PostgreSQL are killed by SIGKILL. Afterwards
no acknowledged write is lost, the log and the TUF repository verify, no two checkpoints that anybody saw
disagree, and every provider has the same list.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from app.client.session import Connection, Failed
from app.client.store import Store
from app.client.sync import sync
from app.core import merkle, note
from app.core.manifest import Manifest
from app.core.terms import Kind
from app.log.tiles import PublicLog, public_log
from tests.programs.conditions import until
from tests.programs.ensemble import Ensemble, kill_postgres
from tests.programs.postgres import postgres
from tests.programs.service import LIST, Service, replay, wait_until_up
from tests.programs.small_disk import Disk, mounted
from tests.programs.traffic import Traffic, check, wait_until_quiet

BLOWS, PROVIDERS, HOTLINES = 30, 3, 3
LOAD = 10 * 1_100 // (24 * 6)
"""Entries submitted: what the largest hotline adds in ten minutes of its day, which has 1,100, tenfold."""
_PAGES = (0, 1, 16)
"""Left on a full disk: at each, something else does not fit any more."""


class Witnesses(threading.Thread):
    """Remembers every checkpoint that was there to be seen."""

    def __init__(self, log: PublicLog) -> None:
        super().__init__(daemon=True)
        self._log, self.stopping = log, threading.Event()
        self.seen: set[note.Checkpoint] = set()

    def run(self) -> None:
        """Look until stopped."""
        while not self.stopping.wait(0.02):
            found = self._log.checkpoint()
            if found:
                self.seen.add(found)

    def check(self) -> None:
        """Each is a beginning of what is published in the end."""
        assert len(self.seen) > 1
        for one in self.seen:
            assert merkle.tree_root(one.size, self._log.nodes()) == one.root


def test_nothing_is_lost_and_all_agree(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    with mounted(tmp_path / "disk", "64m") as disk, postgres() as (address, server):
        service = Service(disk.folder / "home", database_url=address)
        service.add_list(brake_changes=10_000_000, brake_free=10_000_000)
        with _providers(service, tmp_path) as providers:
            traffics = [
                Traffic(service.connect(Kind.HOTLINE), service.connect(Kind.REVIEW_BODY), f"h{number}-")
                for number in range(HOTLINES)
            ]
            witnesses = Witnesses(public_log(service.settings, service.keyring))
            with Ensemble(service, tmp_path).running() as ensemble:
                witnesses.start()
                for traffic in traffics:
                    traffic.start()
                for number in range(BLOWS):
                    _strike(ensemble, chance, server, disk, number)
                    time.sleep(chance.uniform(0, 0.4))
                    ensemble.restart()
                    _sync_some(service, providers, chance)
                    if chance.random() < 0.5:
                        _wait_for_one_more(traffics)
                until(lambda: _submitted(traffics) >= LOAD)
                for traffic in traffics:
                    traffic.stopping.set()
                for traffic in traffics:
                    traffic.join(60)
                wait_until_up(service.address, 60)
                wait_until_quiet(service)
                for connection, store in providers:
                    sync(connection, LIST, store, service.root)
            witnesses.stopping.set()
            witnesses.join()
            _check(service, traffics, witnesses, [store for _, store in providers])
        service.database.close()


def _strike(ensemble: Ensemble, chance: random.Random, server: Path, disk: Disk, number: int) -> None:
    """Every kind of blow comes, in turn; which moment it hits is chance."""
    kinds = [*ensemble.deaths, "postgres", "disk"]
    kind = kinds[number % len(kinds)]
    if kind == "postgres":
        kill_postgres(server)
    elif kind == "disk":
        disk.fill(chance.choice(_PAGES))
        time.sleep(chance.uniform(0.5, 1.5))
        disk.clear()
    else:
        ensemble.deaths[kind](chance)


@contextmanager
def _providers(service: Service, folder: Path) -> Iterator[list[tuple[Connection, Store]]]:
    with ExitStack() as opened:
        found = []
        for number in range(PROVIDERS):
            organisation = service.organisation(Kind.ISP)
            service.subscribe(organisation)
            connection = opened.enter_context(service.connect(Kind.ISP, organisation))
            found.append((connection, Store(folder / f"isp-{number}")))
        yield found


def _sync_some(service: Service, providers: list[tuple[Connection, Store]], chance: random.Random) -> None:
    """In the middle of it one may succeed or fail, but never install what does not verify."""
    connection, store = chance.choice(providers)
    with suppress(Failed):
        sync(connection, LIST, store, service.root)


def _wait_for_one_more(traffics: list[Traffic]) -> None:
    """So that there is load between blows however slow the machine is."""
    before, end = _acknowledged(traffics), time.monotonic() + 60
    while _acknowledged(traffics) == before and time.monotonic() < end:
        time.sleep(0.02)


def _submitted(traffics: list[Traffic]) -> int:
    return sum(len(one.submitted) for one in traffics)


def _acknowledged(traffics: list[Traffic]) -> int:
    return sum(len(one.submitted) + len(one.approved) for one in traffics)


def _check(service: Service, traffics: list[Traffic], witnesses: Witnesses, stores: list[Store]) -> None:
    assert _submitted(traffics) >= LOAD
    assert sum(one.refused for one in traffics) > 0
    check(service, traffics, stores)
    replay(service)
    witnesses.check()
    manifest = Manifest.model_validate_json(
        (service.settings.public / "latest" / f"{LIST}.json").read_bytes()
    )
    assert [store.current(LIST) for store in stores] == [manifest] * PROVIDERS
