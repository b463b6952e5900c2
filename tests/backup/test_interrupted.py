"""Killed or out of room at any point, a restore is unfinished and says so, and a backup is not there."""

import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from app.backup import vacant
from app.platform.database import Database
from app.platform.files import private_folder
from app.platform.settings import UNFINISHED, Settings
from tests.backup import killed
from tests.backup.drill import Drill, Rebuilt, is_empty
from tests.programs import forked
from tests.programs.small_disk import mounted

MOMENTS = [("rename", 2), ("rename", 15), ("commit", 1), ("unlink", 1)]


@pytest.fixture
def backup(drill: Drill) -> Path:
    drill.listed()
    drill.service.publish()
    return drill.backup()


def test_killed_at_any_point_it_is_unfinished_and_done_again(
    drill: Drill, backup: Path, rebuilt: Rebuilt
) -> None:
    words = ["restore", str(backup), "--identity", str(drill.identity_file), *rebuilt.words]
    environment = {**os.environ, **drill.service.environment}
    for moment, count in MOMENTS:
        process = forked.forked(killed.command, environment, [*words, "--published", "none"], moment, count)
        process.join()
        assert process.exitcode == killed.KILLED, moment
        assert (rebuilt.home / UNFINISHED).exists(), moment
        before = sorted(rebuilt.home.rglob("*"))
        for other in (("org", "list"), ("init",)):
            refused = drill.run(*other, "--json", **rebuilt.environment)
            assert refused.exit_code == 1, moment
            assert "unfinished restore" in json.loads(refused.stdout)["error"]
        assert sorted(rebuilt.home.rglob("*")) == before, moment
    drill.restore(backup, rebuilt, "--published", "none")
    assert not (rebuilt.home / UNFINISHED).exists()
    checked = drill.run("restore", "--check", "--json", **rebuilt.environment)
    assert checked.exit_code == 0, checked.output


def test_killed_before_it_says_so_it_has_made_nothing(drill: Drill, backup: Path, rebuilt: Rebuilt) -> None:
    words = ["restore", str(backup), "--identity", str(drill.identity_file), *rebuilt.words]
    environment = {**os.environ, **drill.service.environment}
    process = forked.forked(killed.command, environment, [*words, "--published", "none"], "rename", 1)
    process.join()
    assert process.exitcode == killed.KILLED
    (begun,) = rebuilt.home.iterdir()
    drill.restore(backup, rebuilt, "--published", "none")
    assert not begun.exists()


def test_of_two_at_once_into_one_folder_the_second_is_refused(
    drill: Drill, backup: Path, rebuilt: Rebuilt
) -> None:
    settings = Settings(home=rebuilt.home, database_url=rebuilt.database_url)
    with vacant.filled(settings):
        before = sorted(rebuilt.home.iterdir())
        refused = drill.restore(backup, rebuilt, "--published", "none", code=1)
        assert refused["error"] == f"another restore or copy into {rebuilt.home} is under way"
        assert sorted(rebuilt.home.iterdir()) == before


def test_of_two_at_once_into_one_database_the_second_is_refused(
    drill: Drill, backup: Path, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    """Its tables would go with the one that fails, though the other had filled them by then."""
    private_folder(tmp_path / "apart")
    address = rebuilt.database_url or f"sqlite:///{tmp_path / 'apart' / 'wardlist.db'}"
    words = ("restore", str(backup), "--identity", str(drill.identity_file), "--published", "none", "--json")
    into = ("--home", str(tmp_path / "another"), "--database-url", address)
    with vacant.filled(Settings(home=rebuilt.home, database_url=address)) as session:
        session.execute(text("INSERT INTO leaf (body) VALUES ('x')"))
        done = drill.run(*words, *into)
        assert done.exit_code == 1, done.output
        assert "another restore or copy into" in json.loads(done.stdout)["error"]
        assert is_empty(tmp_path / "another")
    with closing(Database(address)) as database, database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM leaf")).scalar() == 1


def test_the_database_of_one_that_was_killed_is_made_anew_for_its_owner_alone(
    drill: Drill, backup: Path, tmp_path: Path
) -> None:
    home = tmp_path / "rebuilt"
    file = home / "wardlist.db"
    where = ["--home", str(home), "--database-url", f"sqlite:///{file}", "--published", "none"]
    words = ["restore", str(backup), "--identity", str(drill.identity_file), *where]
    environment = {**os.environ, **drill.service.environment}
    process = forked.forked(killed.command, environment, words, "commit", 1)
    process.join()
    assert (home / UNFINISHED).exists()
    done = drill.run(*words)
    assert done.exit_code == 0, done.output
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("moment", "count"), [("rename", 15), ("commit", 1)])
def test_a_database_that_another_restore_filled_since_is_left_alone(
    drill: Drill, backup: Path, rebuilt: Rebuilt, tmp_path: Path, moment: str, count: int
) -> None:
    """Also where the first one was killed as it was about to commit, once the log has gone on since."""
    private_folder(tmp_path / "apart")
    address = rebuilt.database_url or f"sqlite:///{tmp_path / 'apart' / 'wardlist.db'}"
    words = ["restore", str(backup), "--identity", str(drill.identity_file), "--published", "none", "--json"]
    into = {name: ["--home", str(tmp_path / name), "--database-url", address] for name in ("first", "second")}
    environment = {**os.environ, **drill.service.environment}
    process = forked.forked(killed.command, environment, [*words, *into["first"]], moment, count)
    process.join()
    assert (tmp_path / "first" / UNFINISHED).exists()
    done = drill.run(*words, *into["second"])
    assert done.exit_code == 0, done.output
    with closing(Database(address)) as database, database.writing() as session:
        session.execute(text("INSERT INTO leaf (body) VALUES ('x')"))
    refused = drill.run(*words, *into["first"])
    assert refused.exit_code == 1, refused.output
    assert json.loads(refused.stdout)["error"] == "the database to restore into is not empty"
    with closing(Database(address)) as database, database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM entry")).scalar() == 1


def test_a_killed_backup_leaves_the_one_before(drill: Drill, backup: Path) -> None:
    before = backup.read_bytes()
    words = ["backup", "--out", str(backup), "--recipient", drill.recipient]
    environment = {**os.environ, **drill.service.environment}
    process = forked.forked(killed.command, environment, words, "rename", 1)
    process.join()
    assert process.exitcode == killed.KILLED
    assert backup.read_bytes() == before


def test_a_full_disk_leaves_nothing(drill: Drill, backup: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk:
        disk.fill(pages_free=3)
        out = disk.folder / "backup"
        done = drill.apart("backup", "--out", str(out), "--recipient", drill.recipient)
        assert "No space left" in done["error"]
        assert [path.name for path in disk.folder.iterdir()] == ["ballast"]
        to = Rebuilt(disk.folder / "home")
        words = ("restore", str(backup), "--identity", str(drill.identity_file), *to.words)
        for pages in (0, 3):
            disk.fill(pages_free=pages)
            assert "nothing was kept" in drill.apart(*words, "--published", "none")["error"]
            assert is_empty(to.home)
