"""Which database a restore fills is said by whoever asks, and said back."""

from pathlib import Path

import pytest

from app.platform.database import named
from tests.backup.drill import Drill, Rebuilt, is_empty


def test_a_home_beside_the_settings_database_is_refused(
    drill: Drill, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    backup, other = drill.backup(), tmp_path / "other.db"
    words = ("restore", str(backup), "--identity", str(drill.identity_file), "--published", "none")
    for more in (words, ("restore", "--check")):
        done = drill.run(*more, "--home", str(rebuilt.home), WARDLIST_DATABASE_URL=f"sqlite:///{other}")
        assert done.exit_code == 1
        assert "say with --database-url where the rows go" in " ".join(done.stderr.split())
    assert is_empty(rebuilt.home)
    assert not other.exists()


def test_a_database_that_would_not_last_is_refused(drill: Drill, rebuilt: Rebuilt) -> None:
    words = ("--home", str(rebuilt.home), "--database-url", "sqlite://", "--published", "none")
    done = drill.run("restore", str(drill.backup()), "--identity", str(drill.identity_file), *words)
    assert done.exit_code == 1, done.output
    assert "--database-url: write postgresql+psycopg://" in done.stderr
    assert is_empty(rebuilt.home)


def test_the_database_that_was_filled_is_named(drill: Drill, rebuilt: Rebuilt, tmp_path: Path) -> None:
    backup, there = drill.backup(), tmp_path / "there.db"
    said = drill.restore(backup, rebuilt, "--published", str(drill.service.settings.home))
    assert said["database"] == named(rebuilt.database)
    words = ("--home", str(tmp_path / "again"), "--database-url", f"sqlite:///{there}")
    done = drill.run(
        *("restore", str(backup), "--identity", str(drill.identity_file), *words),
        *("--published", str(drill.service.settings.home)),
        WARDLIST_DATABASE_URL=f"sqlite:///{tmp_path}/other.db",
    )
    assert done.exit_code == 0, done.output
    assert f"into {tmp_path}/again and SQLite {there}: " in done.stdout
    assert there.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("postgresql+psycopg://ada:secret@db.example/lists", "PostgreSQL db.example/lists"),
        ("postgresql+psycopg://ada@/lists?host=/run/postgresql", "PostgreSQL /run/postgresql/lists"),
        ("postgresql+psycopg:///lists", "PostgreSQL localhost/lists"),
        ("sqlite:////srv/wardlist.db", "SQLite /srv/wardlist.db"),
    ],
)
def test_a_database_s_name_has_no_user_and_no_password(address: str, name: str) -> None:
    assert named(address) == name
