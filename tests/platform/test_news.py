"""What one process tells the others hear; what is lost costs nothing but the time until they look."""

import os
import queue
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from app.platform import news
from app.platform.database import Database
from app.platform.news import FolderNews, News, news_of
from tests.programs import databases, forked
from tests.programs.conditions import until

LIMIT_SECONDS = 60
Hearer = tuple[News, "queue.Queue[str]"]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(databases.fresh(is_migrated=False) or f"sqlite:///{tmp_path}/one.db")) as made:
        yield made


@pytest.fixture
def joined(database: Database, tmp_path: Path) -> Iterator[Callable[[], Hearer]]:
    """Makes one more process' part of the news, and what it heard."""
    with ExitStack() as stopped:

        def join() -> Hearer:
            made, heard = news_of(database, tmp_path / "news"), queue.Queue[str]()
            made.start(heard.put)
            stopped.callback(made.stop)
            return made, heard

        yield join


def test_others_hear_and_who_told_does_not(joined: Callable[[], Hearer]) -> None:
    (teller, own), (_, second), (_, third) = joined(), joined(), joined()
    _tell_until_heard(teller, second)
    _tell_until_heard(teller, third)
    teller.tell(news.of_list("national-url"))
    for heard in (second, third):
        assert _next_but(heard, "there") == "list/national-url"
    assert own.empty()
    assert news.list_of("list/national-url") == "national-url"
    assert news.list_of(news.PUBLISHER) is None


def test_one_who_cannot_deal_with_a_topic_hears_the_next(database: Database, tmp_path: Path) -> None:
    teller, hearer = (news_of(database, tmp_path / "news") for _ in range(2))
    heard = queue.Queue[str]()

    def hear(topic: str) -> None:
        heard.put(topic)
        raise ValueError(topic)

    teller.start(lambda _topic: None)
    hearer.start(hear)
    try:
        _tell_until_heard(teller, heard)
        teller.tell("second")
        assert _next_but(heard, "there") == "second"
    finally:
        teller.stop()
        hearer.stop()


def test_who_only_tells_needs_no_start_on_sqlite(tmp_path: Path) -> None:
    hearer, teller, heard = FolderNews(tmp_path), FolderNews(tmp_path), queue.Queue[str]()
    hearer.start(heard.put)
    try:
        teller.tell("one")
        assert heard.get(timeout=LIMIT_SECONDS) == "one"
    finally:
        hearer.stop()
        teller.stop()
    assert not list(tmp_path.iterdir())


def test_a_folder_deeper_than_an_address_is_long(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["folder-with-a-long-name"] * 8)
    hearer, teller, heard = FolderNews(deep), FolderNews(deep), queue.Queue[str]()
    hearer.start(heard.put)
    try:
        teller.tell("one")
        assert heard.get(timeout=LIMIT_SECONDS) == "one"
    finally:
        hearer.stop()
        teller.stop()


def test_the_socket_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    process = forked.forked(_hear_for_ever, tmp_path)
    teller = FolderNews(tmp_path)
    try:
        until(lambda: any(tmp_path.iterdir()))
        process.kill()
        process.join()
        teller.tell("one")
        assert not list(tmp_path.iterdir())
    finally:
        process.kill()
        process.join()
        teller.stop()


@pytest.mark.postgresql
def test_a_broken_connection_is_made_again(joined: Callable[[], Hearer], database: Database) -> None:
    (teller, _), (_, heard) = joined(), joined()
    _tell_until_heard(teller, heard)
    with closing(database.apart()) as connection:
        query = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE query LIKE %s"
        assert len(connection.execute(query, ("LISTEN %",)).fetchall()) >= 1
    while not heard.empty():
        heard.get()
    _tell_until_heard(teller, heard)


@pytest.fixture
def busy() -> Iterator[None]:
    """A process with more files than select(2) knows, as one that holds many connections."""
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(least, min(most, 4096)), most))
    held: list[int] = []
    try:
        while not held or held[-1] < 1100:
            held.append(os.dup(0))
        yield
    finally:
        for one in held:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, most))


@pytest.mark.usefixtures("busy")
def test_a_process_with_thousands_of_connections_hears(joined: Callable[[], Hearer]) -> None:
    (teller, _), (_, heard) = joined(), joined()
    _tell_until_heard(teller, heard)
    _tell_until_heard(teller, heard)


def _hear_for_ever(folder: Path) -> None:
    FolderNews(folder).start(lambda _topic: None)
    queue.Queue[str]().get()


def _tell_until_heard(teller: News, heard: "queue.Queue[str]") -> None:
    """Both are connected from then on: PostgreSQL's news begin when a process listens."""

    def is_heard() -> bool:
        teller.tell("there")
        try:
            return heard.get(timeout=0.1) == "there"
        except queue.Empty:
            return False

    until(is_heard)


def _next_but(heard: "queue.Queue[str]", word: str) -> str:
    topic = word
    while topic == word:
        topic = heard.get(timeout=LIMIT_SECONDS)
    return topic
