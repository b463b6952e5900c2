"""A key that was lost is missed: no command makes another in its place, and no process works without it."""

import errno
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest
import structlog

from app.core.terms import Kind
from app.lists import keys_in_force
from app.lists.repository import Repository
from app.log.tiles import public_log
from app.platform import key_forms, rounds
from app.platform.key_files import ROTATED
from app.platform.keyring import FILES, Keyring
from app.platform.public_keys import PublicKeys
from app.platform.pulses import PULSES
from app.platform.signers import make
from tests.cli.terminal import Terminal
from tests.programs.service import LIST, Service, new_entry, running


@pytest.fixture
def used(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal beside an installation that has an entry."""
    service = Service(tmp_path / "home")
    service.add_list()
    with running(service), service.connect(Kind.HOTLINE) as hotline:
        hotline.request("POST", "/v1/entries", json=new_entry())
        service.publish()
        yield Terminal(service, tmp_path)


def keys_of(terminal: Terminal) -> Path:
    return terminal.service.settings.keys


@pytest.mark.parametrize("name", ["fingerprint.hex", "canary.hex", "epochs"])
def test_init_makes_no_key_in_place_of_a_lost_one(used: Terminal, name: str, tmp_path: Path) -> None:
    path = keys_of(used) / name
    path.rename(tmp_path / name)
    before = sorted(keys_of(used).rglob("*"))
    said = used.json("init", code=1)["error"]
    assert said == f"the key file {path} is missing: restore it from a backup"
    assert sorted(keys_of(used).rglob("*")) == before
    (tmp_path / name).rename(path)
    used.json("init")


@pytest.mark.parametrize("role", ["token", "manifest", "log"])
def test_init_makes_no_key_where_both_halves_of_one_that_signs_are_lost(
    used: Terminal, role: str, tmp_path: Path
) -> None:
    keys = keys_of(used)
    private = keys / ("log.hex" if role == "log" else f"{role}.jwk.json")
    for path in (private, keys / f"public/{role}.json"):
        path.rename(tmp_path / f"away.{path.name}")
    before = sorted(keys.rglob("*"))
    assert f"the key file {private} is missing" in used.json("init", code=1)["error"]
    assert sorted(keys.rglob("*")) == before
    used.json("keys", "rotate", role, "--lost")
    used.json("init")


@pytest.mark.sqlite
def test_init_that_is_refused_makes_no_database(tmp_path: Path) -> None:
    service = Service(tmp_path / "home")
    service.database.close()
    (service.settings.keys / "canary.hex").unlink()
    for path in service.settings.home.glob("wardlist.db*"):
        path.unlink()
    before = sorted(service.settings.home.rglob("*"))
    assert "restore it from a backup" in Terminal(service, tmp_path).json("init", code=1)["error"]
    assert sorted(service.settings.home.rglob("*")) == before


def test_entries_on_record_are_enough_to_miss_a_key(used: Terminal, tmp_path: Path) -> None:
    keys_of(used).rename(tmp_path / "away")
    assert "restore it from a backup" in used.json("init", code=1)["error"]
    assert not list(keys_of(used).iterdir())


def test_of_two_that_make_keys_at_once_neither_replaces_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, fresh, made = tmp_path / "keys", key_forms.fresh, dict[Path, bytes]()

    def overtaken(role: str) -> str:
        monkeypatch.setattr(key_forms, "fresh", fresh)
        Keyring.create(folder)
        made.update(_files(folder))
        return fresh(role)

    monkeypatch.setattr(key_forms, "fresh", overtaken)
    Keyring.create(folder)
    assert made
    assert _files(folder) == made


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_init_adds_keys_that_a_release_brings(used: Terminal) -> None:
    keys = keys_of(used)
    for name in ("notice.hex", "peer.jwk.json", "public/peer.json"):
        (keys / name).unlink()
    used.json("init")
    assert (keys / "notice.hex").exists()
    assert (keys / "peer.jwk.json").exists()


def test_a_key_that_a_variable_names_is_not_missed(
    used: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keys_of(used) / "canary.hex"
    path.rename(tmp_path / "canary.hex")
    monkeypatch.setenv("WARDLIST_KEY_CANARY", f"file:{tmp_path}/canary.hex")
    used.json("init")
    assert not path.exists()


def test_where_another_process_publishes_init_neither_makes_nor_misses_the_canary(used: Terminal) -> None:
    keys = keys_of(used)
    for name in ("canary.hex", "log.hex"):
        (keys / name).unlink()
    used.json("init")
    assert not (keys / "canary.hex").exists()


@pytest.mark.parametrize("role", [f"list-{LIST}", "timestamp", "snapshot", "targets"])
def test_a_lost_key_of_tuf_is_said_and_no_publisher_starts(used: Terminal, role: str, tmp_path: Path) -> None:
    path = keys_of(used) / "tuf" / f"{role}.pem"
    path.rename(tmp_path / path.name)
    assert _warned(used) == [role]
    for words in (("publisher",), ("serve",), ("serve", "--workers", "2")):
        assert f"the key file {path} is missing: restore it from a backup" in _refused(used, *words)


def test_an_old_key_beside_a_lost_one_does_not_stand_in_for_it(used: Terminal) -> None:
    leaving = keys_of(used) / "tuf" / "leaving" / "timestamp.pem"
    (keys_of(used) / "tuf" / "timestamp.pem").unlink()
    make(leaving)
    assert _warned(used) == ["timestamp"]
    said = _refused(used, "publisher")
    assert "no key of timestamp that is here is the one that the signed metadata names" in said
    assert "WARDLIST_KEY_TIMESTAMP" in said


def test_a_lost_epoch_is_said_and_nothing_starts(used: Terminal, tmp_path: Path) -> None:
    epochs = keys_of(used) / "epochs"
    epochs.rename(tmp_path / "epochs")
    assert _warned(used) == ["epoch"]
    newest = max((tmp_path / "epochs").iterdir(), key=lambda path: int(path.stem))
    for words in (("publisher",), ("serve", "--api-only"), ("worker",)):
        assert f"the key file {epochs / newest.name} is missing" in _refused(used, *words)
    epochs.mkdir(mode=0o700)
    shutil.copy(newest, epochs / "0.hex")
    assert _warned(used) == ["epoch"], "an older one opens nothing that is written now"


@pytest.mark.parametrize("name", ["fingerprint", "canary"])
def test_status_misses_a_key_that_is_never_changed(used: Terminal, name: str) -> None:
    (keys_of(used) / f"{name}.hex").unlink()
    assert _warned(used) == [name]


def test_a_list_key_made_for_a_lost_one_is_taken_up(used: Terminal) -> None:
    role = f"list-{LIST}"
    (keys_of(used) / "tuf" / f"{role}.pem").unlink()
    used.json("keys", "rotate", role)
    assert _warned(used, code=0) == []
    keys_in_force.require(Repository(used.service.settings.public, keys_of(used)))
    used.service.publish()
    assert _warned(used, code=0) == []


@pytest.mark.parametrize(
    ("role", "name"), [("token", "token.jwk.json"), ("manifest", "manifest.jwk.json"), ("log", "log.hex")]
)
def test_in_place_of_a_lost_key_that_no_backup_has_a_new_one_signs(
    used: Terminal, role: str, name: str
) -> None:
    service, path = used.service, keys_of(used) / name
    (old,) = service.keyring.public[role].all()
    assert "is here" in used.json("keys", "rotate", role, "--lost", code=1)["error"]
    path.unlink()
    assert f"`wardlist keys rotate {role} --lost`" in used.json("keys", "rotate", role, code=1)["error"]
    assert f"lost: {role}\n" in used.run("keys", "status")[0]
    done = used.json("keys", "rotate", role, "--lost")
    assert (done["other"], done["state"]) == (old.id, "done")
    assert path.stat().st_mode & 0o777 == 0o600
    with service.connect(Kind.HOTLINE) as hotline:
        hotline.request("POST", "/v1/entries", json=new_entry())
    service.publish()
    head = str(public_log(service.settings, service.keyring).verifier)
    assert used.json("log", "verify", service.address, "--vkey", head)["verified"]
    jwks = httpx.get(f"{service.address}/.well-known/jwks.json").json()["keys"]
    assert (old.id in {key["kid"] for key in jwks}) == (role != "log"), "what it signed verifies still"


@pytest.mark.parametrize("role", ROTATED)
def test_stopped_before_the_new_key_is_said_to_be_in_force_the_same_command_goes_on(
    used: Terminal, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, known = keys_of(used) / FILES[role], used.service.keyring.public[role]
    (old,) = known.all()
    path.unlink()
    with monkeypatch.context() as stopped:
        stopped.setattr(PublicKeys, "put_in_force", Mock(side_effect=OSError(errno.EIO, "stopped")))
        used.run("keys", "rotate", role, "--lost", code=1)
    made = path.read_bytes()
    done = used.json("keys", "rotate", role, "--lost")
    assert (done["other"], done["state"]) == (old.id, "done")
    assert path.read_bytes() == made
    assert [one.until is None for one in known.all()] == [role == "manifest", True]
    assert "is here" in used.json("keys", "rotate", role, "--lost", code=1)["error"]


def test_a_key_of_the_log_that_goes_is_not_lost(used: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr(PublicKeys, "put_in_force", Mock(side_effect=OSError(errno.EIO, "stopped")))
        used.run("keys", "rotate", "log", code=1)
    before = used.service.keyring.public["log"].all()
    assert "is here" in used.json("keys", "rotate", "log", "--lost", code=1)["error"]
    assert used.service.keyring.public["log"].all() == before
    assert used.json("keys", "rotate", "log")["state"] == "overlap"


def test_a_lost_key_that_lies_elsewhere_is_changed_there(
    used: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (keys_of(used) / "token.jwk.json").unlink()
    monkeypatch.setenv("WARDLIST_KEY_TOKEN", f"file:{tmp_path}/token.jwk.json")
    said = used.json("keys", "rotate", "token", "--lost", code=1)["error"]
    assert "set WARDLIST_KEY_TOKEN to a new key" in said


def test_a_host_that_signs_nothing_misses_no_key_that_signs(used: Terminal, tmp_path: Path) -> None:
    for name in ("tuf", "log.hex", "canary.hex", "manifest.jwk.json"):
        (keys_of(used) / name).rename(tmp_path / name)
    assert _warned(used, code=0) == []


def test_the_log_names_the_role_whose_key_a_round_misses(used: Terminal) -> None:
    (keys_of(used) / "tuf" / "timestamp.pem").unlink()
    used.service.clock.ahead += timedelta(minutes=11)
    with structlog.testing.capture_logs() as lines:
        rounds.run("publisher", used.service.publisher.round)
    # No thread of that name goes on here, and what runs in this process later need not miss it.
    PULSES.end("publisher")
    failed = [line for line in lines if line.get("failure") == "KeyUnusable"]
    assert {line["event"] for line in failed} == {"step failed", "round failed"}
    assert {line["key"] for line in failed} == {"timestamp"}


def _warned(terminal: Terminal, code: int = 1) -> list[str]:
    """The roles of which `keys status` says something."""
    found = terminal.json("keys", "status", code=code)
    assert all("is not here" in text for text in found["warnings"])
    return [line["role"] for line in found["keys"] if line["warnings"]]


def _refused(terminal: Terminal, *words: str) -> str:
    """What it says, however the terminal broke the lines."""
    return terminal.run(*words, code=1, environment={"COLUMNS": "1000"})[1]
