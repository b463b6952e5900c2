"""A restore that cannot be whole leaves nothing, and says why."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from app.backup import archive, making
from app.core import age
from app.core import witness as protocol
from app.core.note import Verifier
from tests.backup.drill import Drill, Rebuilt, is_empty
from tests.programs.witness import add, witness


@pytest.fixture
def backup(drill: Drill) -> Path:
    """Of a list with one version."""
    drill.listed("https://listed.example.test/x")
    drill.service.publish()
    return drill.backup()


def again(drill: Drill, backup: Path, change: Any) -> Path:
    """The same backup with other members, sealed anew."""
    with archive.opened(backup, [drill.identity]) as members:
        found = [(name, content.read()) for name, content in members]
    forged = backup.with_name("forged")
    changed = [archive.member(name, body) for name, body in change(found)]
    archive.write(forged, changed, [drill.recipient])
    return forged


def _with(name: str, old: bytes, new: bytes) -> Any:
    def change(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        assert any(one.startswith(name) and old in body for one, body in members)
        return [(one, body.replace(old, new) if one.startswith(name) else body) for one, body in members]

    return change


def test_what_is_damaged_is_refused_with_nothing_left(drill: Drill, backup: Path, rebuilt: Rebuilt) -> None:
    whole = backup.read_bytes()
    middle = len(whole) // 2
    damages = {
        "cut short": whole[:middle],
        "without its end": whole[:-1],
        "a byte changed": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "more behind it": whole + b"x",
        "empty": b"",
        "no backup": b"age-encryption.org/v1\n" * 9,
    }
    for damage, body in damages.items():
        damaged = backup.with_name("damaged")
        damaged.write_bytes(body)
        said = drill.restore(damaged, rebuilt, "--published", "none", code=1)
        assert "damaged" in said["error"], damage
        assert is_empty(rebuilt.home), damage
    drill.identity_file.write_text(age.generate()[0])
    assert "none of these identities" in drill.restore(backup, rebuilt, code=1)["error"]
    assert is_empty(rebuilt.home)


def test_what_was_sealed_anew_is_held_to_itself(drill: Drill, backup: Path, rebuilt: Rebuilt) -> None:
    refusals = {
        "schema": _with("backup.json", b'"schema":"', b'"schema":"9'),
        "another format": _with("backup.json", b"wardlist-backup/v1", b"wardlist-backup/v0"),
        "rows are not those": _with("rows/organisation/", b'"NL"', b'"DE"'),
        "files are not those": _with("keys/notice.hex", b"", b"0"),
        "no backup holds": lambda found: [*found, ("../../escaped", b"x")],
        "cut short": lambda found: [one for one in found if one[0] != making.CONTENTS],
        "rows of a table": lambda found: [found[0], ("rows/nothing/000001.jsonl", b"{}\n")],
    }
    for word, change in refusals.items():
        said = drill.restore(again(drill, backup, change), rebuilt, "--published", "none", code=1)
        assert word in said["error"]
        assert is_empty(rebuilt.home)
    assert not (rebuilt.home.parent.parent / "escaped").exists()


def test_rows_that_the_log_does_not_bear_out_are_refused(
    drill: Drill, backup: Path, rebuilt: Rebuilt
) -> None:
    """Whoever can seal to the recipient can put a backup together; it must still be one the log bears out."""

    def change(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        forged = _with("rows/entry/", b'"listed"', b'"approved"')(members)
        return [*forged[:-1], (making.CONTENTS, rfc8785.dumps(_contents(forged)))]

    said = drill.restore(again(drill, backup, change), rebuilt, "--published", "none", code=1)
    assert "rows and log differ" in said["error"]
    assert is_empty(rebuilt.home)


def _contents(members: list[tuple[str, bytes]]) -> dict[str, Any]:
    """What a backup says of itself, so that its forged rows agree with it."""
    stated: dict[str, Any] = json.loads(members[-1][1])
    lines = b"".join(body for name, body in members if name.startswith("rows/entry/"))
    stated["tables"]["entry"]["sha256"] = hashlib.sha256(lines).hexdigest()
    return stated


def test_nothing_is_overwritten(drill: Drill, backup: Path, rebuilt: Rebuilt) -> None:
    rebuilt.home.mkdir()
    (rebuilt.home / "something").write_text("of somebody's")
    said = drill.restore(backup, rebuilt, "--published", "none", code=1)
    assert "not empty" in said["error"]
    assert [path.name for path in rebuilt.home.iterdir()] == ["something"]
    shutil.rmtree(rebuilt.home)
    drill.restore(backup, rebuilt, "--published", "none")
    assert "not empty" in drill.restore(backup, rebuilt, "--published", "none", code=1)["error"]
    checked = drill.run("restore", "--check", "--json", **rebuilt.environment)
    assert checked.exit_code == 0, checked.output


def test_folders_that_a_server_makes_beforehand_are_no_hindrance(
    drill: Drill, backup: Path, rebuilt: Rebuilt
) -> None:
    for name in ("tuf", "log"):
        (rebuilt.home / name).mkdir(parents=True)
    (rebuilt.home / "log" / "checkpoint").write_text("of somebody's")
    assert "not empty" in drill.restore(backup, rebuilt, "--published", "none", code=1)["error"]
    assert (rebuilt.home / "log" / "checkpoint").read_text() == "of somebody's"
    (rebuilt.home / "log" / "checkpoint").unlink()
    drill.restore(backup, rebuilt, "--published", "none")
    assert (rebuilt.home / "tuf" / "metadata" / "timestamp.json").is_file()


def test_it_must_be_said_where_to_look(drill: Drill, backup: Path, rebuilt: Rebuilt, tmp_path: Path) -> None:
    assert "say where" in drill.restore(backup, rebuilt, code=1)["error"]
    (tmp_path / "nothing").mkdir()
    said = drill.restore(backup, rebuilt, "--published", str(tmp_path / "nothing"), code=1)
    assert "neither a log nor TUF" in said["error"]
    said = drill.restore(backup, rebuilt, "--published", str(tmp_path / "missing"), code=1)
    assert "is no folder" in said["error"]
    said = drill.restore(backup, rebuilt, "--published", "http://127.0.0.1:9", code=1)
    assert "does not answer" in said["error"]
    said = drill.restore(backup, rebuilt, "--published", "none", "--erasures", str(tmp_path / "gone"), code=1)
    assert "gone is no file" in said["error"]
    assert is_empty(rebuilt.home)


def test_the_mark_alone_is_enough_to_refuse(
    drill: Drill, backup: Path, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    drill.listed()
    drill.service.publish()
    mark = tmp_path / "elsewhere" / "log.json"
    mark.parent.mkdir()
    shutil.copy(drill.service.settings.mark, mark)
    words = ("restore", str(backup), "--identity", str(drill.identity_file), *rebuilt.words, "--json")
    done = drill.run(*words, "--published", "none", WARDLIST_LOG_MARK=str(mark))
    assert done.exit_code == 1
    assert "the mark" in json.loads(done.stdout)["behind"][0]
    assert is_empty(rebuilt.home)


def test_a_backup_that_is_not_there_is_named(drill: Drill, rebuilt: Rebuilt, tmp_path: Path) -> None:
    said = drill.restore(tmp_path / "none.wardlist", rebuilt, "--published", "none", code=1)
    assert "none.wardlist: No such file or directory" in said["error"]
    assert is_empty(rebuilt.home)


def test_a_check_speaks_of_no_backup(drill: Drill, backup: Path, rebuilt: Rebuilt) -> None:
    drill.restore(backup, rebuilt, "--published", "none")
    drill.listed()
    drill.service.publish()
    words = ("restore", "--check", "--json", "--published", str(drill.service.settings.home))
    done = drill.run(*words, **rebuilt.environment)
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert "leaves of the log, here there are " in said["behind"][0]
    assert "backup" not in f"{said['error']} {said['behind']}"


def test_a_witness_alone_is_enough_to_refuse(
    drill: Drill, backup: Path, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    drill.listed()
    drill.service.publish()
    signed = (drill.service.settings.log / "checkpoint").read_bytes()
    with witness(tmp_path / "witness.db", Verifier.parse(drill.vkey)) as (address, signer):
        assert add(address, protocol.request(0, [], signed)).status_code == 200
        words = ("restore", str(backup), "--identity", str(drill.identity_file), *rebuilt.words, "--json")
        configured = {"WARDLIST_WITNESSES": f"{signer.verifier} {address}"}
        done = drill.run(*words, "--published", "none", **configured)
    assert done.exit_code == 1
    assert "a witness has seen" in json.loads(done.stdout)["behind"][0]
    assert is_empty(rebuilt.home)


def test_another_installation_s_files_are_no_place_to_look(
    drill: Drill, backup: Path, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    made = drill.run("init", WARDLIST_HOME=str(other), WARDLIST_DATABASE_URL=f"sqlite:///{other}/wardlist.db")
    assert made.exit_code == 0, made.output
    said = drill.restore(backup, rebuilt, "--published", str(other), code=1)
    assert "not this installation's" in said["error"]
    assert is_empty(rebuilt.home)


def test_a_backup_is_for_its_recipients_alone(drill: Drill, backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    sealed = backup.read_bytes()
    assert b"listed.example.test" not in sealed
    assert b"keys/log.hex" not in sealed
    done = drill.run("backup", "--out", str(backup), "--recipient", "age1wrong", "--json")
    assert done.exit_code == 1
    assert "age recipient" in json.loads(done.stdout)["error"]
    assert backup.read_bytes() == sealed
    done = drill.run("backup", "--out", "/no/such/folder/x", "--recipient", drill.recipient, "--json")
    assert done.exit_code == 1
    assert "is no folder" in json.loads(done.stdout)["error"]
    assert not [name for name in os.listdir(backup.parent) if name.startswith(".")]
