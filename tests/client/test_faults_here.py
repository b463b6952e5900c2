"""Troubles of the provider's own machine: its disk and its clock. The last good list stays meanwhile."""

import fcntl
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.client import outputs, sync
from app.client.store import Store
from app.client.watch import Did
from tests.client.troubled import Machine, machine, set_clock
from tests.programs.small_disk import Disk, mounted

DAY = timedelta(days=1)
ROOMY = 40


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A provider's machine, for all tests here one after another."""
    with machine(tmp_path_factory.mktemp("faults")) as up:
        yield up


@pytest.fixture(autouse=True)
def _settled(one: Machine) -> None:
    one.settle()


@pytest.fixture
def disk(one: Machine, tmp_path: Path) -> Iterator[Disk]:
    """The machine with store and filter's file on a small disk; afterwards they are where they were."""
    store, file = one.store, one.file
    with mounted(tmp_path / "disk") as small:
        shutil.copytree(store.folder, small.folder / "isp", symlinks=True)
        one.store, one.file = Store(small.folder / "isp"), small.folder / "block.csv"
        one.start()
        assert one.watcher.step().did is Did.RENDERED
        yield small
        one.end()
        shutil.rmtree(store.folder)
        shutil.copytree(small.folder / "isp", store.folder, symlinks=True)
    one.store, one.file = store, file
    one.start()
    assert one.watcher.step().did is Did.RENDERED


def test_a_full_disk_whatever_room_is_left(one: Machine, disk: Disk) -> None:
    """Each time it breaks off at another line; with enough room it goes through."""
    one.news()
    rooms = iter(range(ROOMY))
    disk.fill(next(rooms))
    one.stumbles("No space left on device", did=Did.NOT_WRITTEN)
    before, stumbled = one.kept(), 1
    for pages in rooms:
        disk.fill(pages)
        step = one.watcher.step()
        if step.did is Did.INSTALLED:
            break
        assert (step.did, one.kept(), one.at.told(one.version + 1)) == (Did.NOT_WRITTEN, before, None), pages
        stumbled += 1
    disk.clear()
    one.is_up_to_date()
    assert 2 < stumbled < ROOMY - 1


def test_a_full_disk_that_is_cleared(one: Machine, disk: Disk) -> None:
    one.news()
    disk.fill(2)
    for _ in range(3):
        one.stumbles("No space left on device", did=Did.NOT_WRITTEN)
    disk.clear()
    one.recovers()
    assert not list(disk.folder.rglob("*.partial")) + list(disk.folder.rglob(".[snw]*"))


def test_a_read_only_disk(one: Machine, disk: Disk) -> None:
    one.news()
    disk.may_be_written(False)
    one.stumbles("Read-only file system", did=Did.NOT_WRITTEN)
    # A daemon that starts meanwhile fares no worse.
    one.start()
    one.stumbles("Read-only file system", did=Did.NOT_WRITTEN)
    disk.may_be_written(True)
    one.recovers()


def test_a_filter_s_folder_that_is_not_there_is_named(one: Machine, tmp_path: Path) -> None:
    file, one.file = one.file, tmp_path / "none" / one.file.name
    one.start()
    step = one.watcher.step()
    assert step.did is Did.NOT_WRITTEN
    assert f"{one.file.parent}/" in str(step.words)
    one.file = file
    one.start()
    assert one.watcher.step().is_fine


def test_a_filter_s_folder_that_is_full(one: Machine, tmp_path: Path) -> None:
    file = one.file
    with mounted(tmp_path / "filter") as small:
        one.file = small.folder / file.name
        one.start()
        assert one.watcher.step().did is Did.RENDERED
        one.news()
        small.fill()
        one.stumbles("No space left on device", did=Did.NOT_WRITTEN)
        small.clear()
        one.recovers()
    one.file = file


def test_a_health_file_that_cannot_be_written_stops_nothing(one: Machine, tmp_path: Path) -> None:
    health = one.health
    with mounted(tmp_path / "run") as small:
        one.health = small.folder / "health.json"
        small.fill()
        one.start()
        one.news()
        step = one.watcher.step()
        assert (step.did, step.version, one.health.exists()) == (Did.INSTALLED, one.version + 1, False)
        small.clear()
        one.watcher.step()
        one.is_up_to_date()
    one.health = health


def test_a_slow_disk_is_waited_for(one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that hangs in it keeps the folder to itself; when it ends, the daemon goes on."""
    one.news()
    with (one.store.folder / "sync.lock").open("w") as hanging:
        fcntl.flock(hanging, fcntl.LOCK_EX)
        with monkeypatch.context() as patch:
            patch.setattr(sync, "_TURN_SECONDS", 0.1)
            one.stumbles("another sync", did=Did.NOT_WRITTEN)
    one.recovers()


@pytest.mark.parametrize(("wrong", "words"), [(DAY, "ahead of"), (-DAY, "behind")], ids=["ahead", "behind"])
def test_a_clock_that_is_a_day_off(
    one: Machine, wrong: timedelta, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.news()
    with monkeypatch.context() as patch:
        set_clock(one, wrong, patch)
        step = one.stumbles("clock is 1.0 days", "clock is 24.0 hours", did=Did.UNREACHABLE)
        assert words in str(step.words)
    one.ahead = timedelta()
    one.recovers()


def test_a_clock_that_falls_a_day_behind_while_signed_in(
    one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is signed is verified as ever. A receipt with a wrong moment is refused, and made again later."""
    one.watcher.step()
    one.news()
    with monkeypatch.context() as patch:
        set_clock(one, -DAY, patch)
        step = one.watcher.step()
        assert (step.did, step.version) == (Did.INSTALLED, one.version + 1)
        assert one.at.told(one.version + 1) is None
    one.ahead = timedelta()
    assert one.watcher.step().did is Did.UNCHANGED
    one.is_up_to_date()


def test_a_retry_reckoned_by_a_wrong_clock_is_not_waited_for(
    one: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.check = f"test -e {tmp_path}/passes"
    one.start()
    good = one.file.read_bytes()
    one.file.unlink()
    with monkeypatch.context() as patch:
        set_clock(one, DAY, patch)
        one.watcher.step()
        assert not one.file.exists()
    one.ahead = timedelta()
    (tmp_path / "passes").touch()
    assert one.watcher.step().did is Did.RENDERED
    assert one.file.read_bytes() == good


def test_a_check_that_hangs_is_ended(one: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one.check = f"sh -c 'test -e {tmp_path}/passes || exec sleep 60'"
    one.start()
    one.news()
    monkeypatch.setattr(outputs, "_COMMAND_SECONDS", 0.2)
    step = one.stumbles("took longer", did=Did.CHECK_FAILED)
    (tmp_path / "passes").touch()
    one.at.service.clock.ahead += timedelta(seconds=step.wait_seconds + 1)
    monkeypatch.undo()
    one.recovers()
