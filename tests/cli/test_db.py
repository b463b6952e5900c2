"""`wardlist db copy`: an installation's rows move to the other database and say the same there."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import inspect, text
from typer.testing import CliRunner, Result

from app.backup import agreement, rows
from app.cli.main import app
from app.core.terms import Kind
from app.lists.publisher import Publisher
from app.main import DUTIES
from app.platform.database import Database
from app.tables import metadata
from tests.programs.postgres import postgres
from tests.programs.service import LIST, Service, approve, new_entry, running


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Path]]:
    with postgres() as up:
        yield up


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An installation with entries in several states, versions, an erasure and leaves without a place."""
    with running(Service(tmp_path_factory.mktemp("source") / "home")) as up:
        up.add_list()
        provider = up.organisation(Kind.ISP)
        up.subscribe(provider)
        with up.connect(Kind.HOTLINE) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer:
            made = [
                hotline.request("POST", "/v1/entries", json=new_entry(f"https://a.example.test/{n}")).json()
                for n in range(4)
            ]
            seen = [reviewer.request("GET", f"/v1/entries/{one['id']}").json() for one in made]
            for one in seen[:3]:
                approve(reviewer, one)
            up.publish()
            hotline.request("POST", f"/v1/entries/{made[0]['id']}/withdrawal")
            up.publish()
            with up.database.reading() as session:
                assert session.execute(text("SELECT count(*) FROM snapshot")).scalar() == 2
            hotline.request("POST", "/v1/entries", json=new_entry("https://b.example.test/late"))
    yield up


def _fresh(server: tuple[str, Path], name: str) -> str:
    address, folder = server
    with psycopg.connect(f"host={folder} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return address.replace("/wardlist?", f"/{name}?")


def _copy(source: Service, to: str, *more: str, address: str | None = None) -> Result:
    environment = {**source.environment, **({"WARDLIST_DATABASE_URL": address} if address else {})}
    return CliRunner().invoke(app, ["db", "copy", "--to", to, "--json", *more], env=environment)


def _held(address: str) -> dict[str, dict[str, Any]]:
    with closing(Database(address)) as database, rows.standing_still(database) as connection:
        return rows.digests(connection, metadata)


def test_there_and_back_again(source: Service, server: tuple[str, Path], tmp_path: Path) -> None:
    there, back = _fresh(server, "there"), f"sqlite:///{tmp_path / 'back.db'}"
    sent = _copy(source, there)
    assert sent.exit_code == 0, sent.output
    done = json.loads(sent.stdout)
    returned = _copy(source, back, address=there)
    assert returned.exit_code == 0, returned.output
    assert json.loads(returned.stdout) == done
    assert _held(source.settings.database) == _held(there) == _held(back)
    assert done["leaves"] > done["log_size"] > 20
    with closing(Database(there)) as database, database.writing() as session:
        newest = session.execute(text("SELECT max(id) FROM leaf")).scalar_one()
        session.execute(text("INSERT INTO leaf (body) VALUES ('x')"))
        assert session.execute(text("SELECT max(id) FROM leaf")).scalar_one() == newest + 1
        session.rollback()


def test_the_copy_goes_on_publishing(source: Service, server: tuple[str, Path]) -> None:
    to = _fresh(server, "goes_on")
    assert _copy(source, to).exit_code == 0
    settings = source.settings.model_copy(update={"database_url": to})
    with closing(Database(to)) as database:
        Publisher(settings, database, source.keyring, lambda: source.clock() + timedelta(1), DUTIES).round()
        with database.reading() as session:
            replay = agreement.check(session)
            assert replay.lists[LIST].versions.keys() == {1, 2}
            assert not session.execute(text("SELECT count(*) FROM pending_leaf")).scalar()


def test_what_is_not_empty_is_left_alone(source: Service, tmp_path: Path) -> None:
    to = f"sqlite:///{tmp_path / 'full.db'}"
    assert _copy(source, to).exit_code == 0
    assert (tmp_path / "full.db").stat().st_mode & 0o777 == 0o600
    before = _held(to)
    refused = _copy(source, to)
    assert refused.exit_code == 1
    assert "not empty" in json.loads(refused.stdout)["error"]
    assert _held(to) == before
    assert _copy(source, source.settings.database).exit_code == 1


def test_nothing_is_copied_beside_a_running_service(service: Service, tmp_path: Path) -> None:
    refused = _copy(service, f"sqlite:///{tmp_path / 'other.db'}")
    assert refused.exit_code == 1
    assert "stop the service first" in json.loads(refused.stdout)["error"]
    assert not (tmp_path / "other.db").exists()


def test_rows_that_the_log_does_not_bear_out_are_not_copied(
    source: Service, server: tuple[str, Path], tmp_path: Path
) -> None:
    forged, to = tmp_path / "forged.db", f"sqlite:///{tmp_path / 'to.db'}"
    assert _copy(source, f"sqlite:///{forged}").exit_code == 0
    with closing(Database(f"sqlite:///{forged}")) as database, database.writing() as session:
        session.execute(text("UPDATE entry SET status = 'LISTED' WHERE status = 'SUBMITTED'"))
    empty, server_s = tmp_path / "empty.db", _fresh(server, "refused")
    empty.touch()
    for place in (to, f"sqlite:///{empty}", server_s):
        refused = _copy(source, place, address=f"sqlite:///{forged}")
        assert refused.exit_code == 1
        assert "rows and log differ" in json.loads(refused.stdout)["error"]
    assert list(tmp_path.glob("to.db*")) == []
    for place in (f"sqlite:///{empty}", server_s):
        with closing(Database(place)) as database:
            assert inspect(database.engine).get_table_names() == []


def test_a_place_that_is_no_database_is_named(source: Service, tmp_path: Path) -> None:
    refused = _copy(source, f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    assert refused.exit_code == 1
    assert "unable to open database file" in json.loads(refused.stdout)["error"]


def test_the_list_is_the_same(source: Service) -> None:
    with source.database.reading() as session:
        assert agreement.check(session).lists.keys() == {LIST}
