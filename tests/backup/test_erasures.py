"""What was erased after a backup does not come back with it, whatever is left to say so."""

import json
from contextlib import suppress
from pathlib import Path

from sqlalchemy import text

from app.platform import journal
from tests.backup.drill import Drill, Rebuilt, bytes_below

GONE = "https://erased-after-the-backup.example.test/x"


def _secrets(drill: Drill) -> set[str]:
    with drill.service.database.reading() as session:
        return set(session.execute(text("SELECT entry_id FROM entry_key")).scalars())


def test_the_journal_says_it_before_the_secret_goes(drill: Drill) -> None:
    erased = drill.listed(GONE)
    drill.service.publish()
    drill.erase(erased)
    assert journal.read(drill.service.settings.erasures) == set()
    assert erased in _secrets(drill)
    drill.service.publish()
    assert journal.read(drill.service.settings.erasures) == {erased}
    assert erased not in _secrets(drill)
    assert GONE.encode() not in drill.service.settings.erasures.read_bytes()


def test_a_secret_stays_while_the_journal_cannot_be_written(drill: Drill) -> None:
    erased = drill.listed(GONE)
    drill.service.publish()
    drill.service.settings.erasures.mkdir(parents=True)
    drill.erase(erased)
    with suppress(OSError):
        drill.service.publish()
    assert erased in _secrets(drill)
    drill.service.settings.erasures.rmdir()
    drill.service.publish()
    assert erased not in _secrets(drill)


def test_with_the_journal_alone_it_does_not_come_back(drill: Drill, rebuilt: Rebuilt, tmp_path: Path) -> None:
    """A journal that knows more than the log shows that more was published than the backup has."""
    erased = drill.listed(GONE)
    drill.service.publish()
    backup = drill.backup()
    drill.erase(erased)
    drill.service.publish()
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes(drill.service.settings.erasures.read_bytes())
    said = drill.restore(backup, rebuilt, "--published", "none", "--erasures", str(kept), code=1)
    assert "the journal names an erasure" in said["error"]
    kept.write_text("not an id\n")
    said = drill.restore(backup, rebuilt, "--published", "none", "--erasures", str(kept), code=1)
    assert "line 1 of the journal" in said["error"]


def test_without_the_journal_the_log_says_it(drill: Drill, rebuilt: Rebuilt) -> None:
    erased, kept = drill.listed(GONE), drill.listed()
    drill.service.publish()
    backup = drill.backup()
    drill.erase(erased)
    drill.service.publish()
    home = str(drill.service.settings.home)
    said = drill.restore(backup, rebuilt, "--published", home, "--step-forward")
    assert (said["destroyed"], said["stepped"]["erased"]) == (1, [erased])
    assert GONE.encode() not in bytes_below(rebuilt.home)
    assert journal.read(rebuilt.home / "mark" / "erasures.jsonl") == {erased}
    checked = json.loads(drill.run("restore", "--check", "--json", **rebuilt.environment).stdout)
    assert checked["secrets"] == 1
    assert kept


def test_an_erasure_that_the_backup_caught_halfway_is_finished(drill: Drill, rebuilt: Rebuilt) -> None:
    """On record, and its secret still there: the restore destroys it, and its files go."""
    erased = drill.submit(GONE)["id"]
    drill.erase(erased)
    assert erased in _secrets(drill)
    backup = drill.backup()
    said = drill.restore(backup, rebuilt, "--published", "none")
    assert said["destroyed"] == 1
    checked = json.loads(drill.run("restore", "--check", "--json", **rebuilt.environment).stdout)
    assert (checked["secrets"], checked["destroyed_and_there"]) == (0, [])
