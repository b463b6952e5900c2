"""A key that was lost is missed: no command makes another in its place, and no process works without it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.terms import Kind
from tests.cli.terminal import Terminal
from tests.programs.service import Service, new_entry, running


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


def test_entries_on_record_are_enough_to_miss_a_key(used: Terminal, tmp_path: Path) -> None:
    keys_of(used).rename(tmp_path / "away")
    assert "restore it from a backup" in used.json("init", code=1)["error"]
    assert not list(keys_of(used).iterdir())


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
