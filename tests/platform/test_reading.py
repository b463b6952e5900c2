"""A session that reads: all that it sees is of one moment, whatever others write meanwhile."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import make_url, text

from app.core.terms import Kind
from app.platform.database import Database
from tests.programs import databases
from tests.programs.service import Service

COUNT = text("SELECT count(*) FROM organisation")


def test_what_a_session_reads_is_of_one_moment(service: Service) -> None:
    with service.database.reading() as session:
        before = session.execute(COUNT).scalar_one()
        service.organisation(Kind.HOTLINE)
        assert session.execute(COUNT).scalar_one() == before
    with service.database.reading() as session:
        assert session.execute(COUNT).scalar_one() == before + 1


def test_what_another_process_wrote_is_seen_by_the_next_session_and_by_a_writer(service: Service) -> None:
    elsewhere = Database(service.settings.database)
    with elsewhere.reading() as session:
        before = session.execute(COUNT).scalar_one()
    service.organisation(Kind.HOTLINE)
    with elsewhere.reading() as session:
        assert session.execute(COUNT).scalar_one() == before + 1
    with elsewhere.writing() as session:
        assert session.execute(COUNT).scalar_one() == before + 1
    elsewhere.close()


@pytest.mark.postgresql
@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_turn_sees_what_the_one_before_wrote_whatever_the_server_does_by_default(level: str) -> None:
    address = databases.fresh()
    assert address
    with closing(Database(address)) as database, database.writing() as session:
        name = make_url(address).database
        session.execute(text(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = '{level}'"))
    seen: list[int] = []

    def write() -> None:
        with closing(Database(address)) as own, own.writing() as session:
            seen.append(session.execute(text("SELECT count(*) FROM pending_leaf")).scalar_one())
            session.execute(text("INSERT INTO leaf (body) VALUES ('x')"))

    with closing(Database(address)) as database, ThreadPoolExecutor(2) as pool:
        with database.writing():
            writers = [pool.submit(write) for _ in range(2)]
            time.sleep(0.5)
        for writer in writers:
            writer.result()
    assert sorted(seen) == [0, 1]
