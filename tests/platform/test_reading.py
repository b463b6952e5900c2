"""A session that reads: all that it sees is of one moment, whatever others write meanwhile."""

from sqlalchemy import text

from app.core.terms import Kind
from app.platform.database import Database
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
