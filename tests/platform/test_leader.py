"""One leads and the others stand by, whatever becomes of the one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from multiprocessing.process import BaseProcess
from pathlib import Path

import psycopg
import pytest

from app.platform.database import Database
from app.platform.leader import Leadership, Led, Superseded
from tests.programs import databases, forked
from tests.programs.conditions import until
from tests.programs.leaders import lead

LIMIT_SECONDS = 60


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(databases.fresh(is_migrated=False) or f"sqlite:///{tmp_path}/one.db")) as made:
        yield made


@pytest.fixture
def aspirant(database: Database, tmp_path: Path) -> Iterator[Callable[..., Leadership]]:
    """Makes another process' worth of wanting to lead; `machine` has its own folder."""
    with ExitStack() as given_up:

        def make(machine: str = "one", name: str = "publisher") -> Leadership:
            (tmp_path / machine).mkdir(exist_ok=True)
            made = Leadership(name, tmp_path / machine / f"{name}.lock", database)
            given_up.callback(made.give_up)
            return made

        yield make


Aspirant = Callable[..., Leadership]


def test_one_leads_until_it_gives_up(aspirant: Aspirant) -> None:
    first, second = aspirant(), aspirant()
    assert first.take()
    assert first.take(), "who leads leads on"
    assert not second.take()
    assert not second.is_held()
    first.give_up()
    assert not first.is_held()
    assert second.take()
    assert not first.take()


def test_two_names_have_two_leaders(aspirant: Aspirant) -> None:
    assert aspirant().take()
    assert aspirant(name="duties").take()


def test_a_standby_takes_over_when_the_leader_is_killed(database: Database, tmp_path: Path) -> None:
    address = str(database.engine.url.render_as_string(hide_password=False))
    heard, says = forked.pipe()
    processes = [forked.forked(lead, tmp_path / "publisher.lock", address, says) for _ in range(2)]
    try:
        assert heard.poll(LIMIT_SECONDS)
        heard.recv_bytes()
        assert not heard.poll(0.5), "one leads, the other stands by"
        leader = _holder(processes, tmp_path)
        leader.kill()
        leader.join()
        assert heard.poll(LIMIT_SECONDS)
        assert heard.recv_bytes() == b"leading"
    finally:
        for process in processes:
            process.kill()
            process.join()


def test_another_file_in_the_lock_s_place_ends_leadership(aspirant: Aspirant, tmp_path: Path) -> None:
    first = aspirant()
    assert first.take()
    (tmp_path / "one" / "publisher.lock").unlink()
    assert not first.is_held()
    assert aspirant().take()


@pytest.mark.postgresql
def test_machines_without_a_common_folder_keep_each_other_out(aspirant: Aspirant) -> None:
    first, second, beside_second = aspirant("one"), aspirant("two"), aspirant("two")
    assert first.take()
    assert not second.take()
    assert not beside_second.take()
    first.give_up()
    assert beside_second.take(), "a standby holds nothing that another one here needs"
    assert not second.take()


@pytest.mark.postgresql
def test_who_loses_the_server_leads_no_longer(aspirant: Aspirant, database: Database) -> None:
    first, second = aspirant("one"), aspirant("two")
    assert first.take()
    assert not second.take()
    assert _end_lock_sessions(database) == 1
    assert not first.is_held()
    assert second.take()
    assert not first.take()


def test_a_leader_s_work_begins_anew_each_time(aspirant: Aspirant) -> None:
    begun, done = list[int](), list[int]()

    def begin() -> Callable[[], None]:
        begun.append(len(begun) + 1)
        return lambda: done.append(begun[-1])

    led, other = Led(aspirant(), begin), aspirant()
    led.round()
    led.round()
    assert (begun, done) == ([1], [1, 1])
    assert led.is_leading
    led.give_up()
    assert other.take()
    led.round()
    assert not led.is_leading
    assert (begun, done) == ([1], [1, 1])
    other.give_up()
    led.round()
    assert (begun, done) == ([1, 2], [1, 1, 2])


def test_who_is_superseded_in_its_work_stands_by(aspirant: Aspirant) -> None:
    def work() -> None:
        raise Superseded

    led, other = Led(aspirant(), lambda: work), aspirant()
    with pytest.raises(Superseded):
        led.round()
    assert not led.is_leading
    assert other.take()


def test_work_that_fails_is_led_on(aspirant: Aspirant) -> None:
    def work() -> None:
        raise OSError

    led, other = Led(aspirant(), lambda: work), aspirant()
    for _ in range(2):
        with pytest.raises(OSError):  # noqa: PT011 - it has no words
            led.round()
    assert led.is_leading
    assert not other.take()


@pytest.mark.parametrize("fails", ["begin", "work"])
def test_who_finishes_no_round_makes_way_for_a_moment(aspirant: Aspirant, fails: str) -> None:
    broken = {fails}

    def work() -> None:
        if "work" in broken:
            raise OSError

    def begin() -> Callable[[], None]:
        if "begin" in broken:
            raise OSError
        return work

    led, other = Led(aspirant(), begin, patience_seconds=0), aspirant()
    with pytest.raises(OSError):  # noqa: PT011 - it has no words
        led.round()
    assert not other.take(), "one failure is none too many"
    with pytest.raises(OSError):  # noqa: PT011 - it has no words
        led.round()
    assert other.take()
    other.give_up()
    broken.clear()

    def leads_again() -> bool:
        led.round()
        return led.is_leading

    until(leads_again)


def _holder(processes: list[BaseProcess], folder: Path) -> BaseProcess:
    """Which of them has the lock's file open and locked (proc_locks(5))."""
    inode = (folder / "publisher.lock").stat().st_ino
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    owners = [int(words[4]) for words in locks if words[1] == "FLOCK" and words[5].endswith(f":{inode}")]
    (holder,) = [process for process in processes if process.pid in owners]
    return holder


def _end_lock_sessions(database: Database) -> int:
    """As a broken network would, in the end; returns how many there were."""
    with closing(database.apart()) as connection:
        query = (
            "SELECT pg_terminate_backend(pid, 30000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert isinstance(connection, psycopg.Connection)
        return len(connection.execute(query).fetchall())


def test_who_cannot_try_to_lead_says_so_until_it_can(aspirant: Aspirant, tmp_path: Path) -> None:
    led = Led(aspirant(), lambda: lambda: None)
    lock = tmp_path / "one" / "publisher.lock"
    lock.mkdir()
    for _ in range(2):
        with pytest.raises(IsADirectoryError):
            led.round()
    assert led.failing
    assert "IsADirectoryError" in led.failing
    since = led.failing
    with pytest.raises(IsADirectoryError):
        led.round()
    assert led.failing == since
    lock.rmdir()
    led.round()
    assert led.failing is None
    assert led.is_leading
