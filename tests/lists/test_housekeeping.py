"""The daily work takes its time in parts: stopped halfway it loses nothing, and others write between them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from app.entries import secrets
from app.lists import housekeeping
from tests.lists.sealed import SealedList

DAY = timedelta(days=1)


class Broken(Exception):
    """What the tests make fail."""


def epochs_of_keys(world: SealedList) -> set[int]:
    with world.service.database.reading() as session:
        return set(session.execute(text("SELECT DISTINCT epoch FROM entry_key")).scalars())


def key_files(world: SealedList) -> set[int]:
    return {int(path.stem) for path in (world.service.settings.keys / "epochs").iterdir()}


def test_an_epoch_that_ends_in_parts_and_is_stopped_halfway_is_ended_by_the_next_run(
    world: SealedList, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = world.list_some(5, name)
    world.publish(name)
    monkeypatch.setattr(secrets, "_REWRAPPED", 2)
    rewrap, calls = secrets.rewrap, [0]
    (before,) = key_files(world)

    def breaks(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] == 2:
            raise Broken
        return rewrap(*arguments)

    world.service.clock.ahead += DAY
    with monkeypatch.context() as patch:
        patch.setattr(secrets, "rewrap", breaks)
        with pytest.raises(Broken):
            world.service.publish()
    assert epochs_of_keys(world) == key_files(world) == {before, before + 1}
    ids += world.list_some(1, name)
    for entry in ids:
        assert world.hotline.request("GET", f"/v1/entries/{entry}").json()["canonical_url"]
    world.publish(name)
    assert epochs_of_keys(world) == key_files(world) == {before + 2}
    assert world.manifest(2, name).entry_count == 6


def test_others_write_between_the_parts(
    world: SealedList, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.list_some(5, name)
    monkeypatch.setattr(secrets, "_REWRAPPED", 2)
    database, written = world.service.database, []
    writing = database.writing

    @contextmanager
    def and_then_others() -> Iterator[Session]:
        with writing() as session:
            yield session
        with monkeypatch.context() as patch:
            patch.setattr(database, "writing", writing)
            written.extend(world.list_some(1, name))

    world.service.clock.ahead += DAY
    with monkeypatch.context() as patch:
        patch.setattr(database, "writing", and_then_others)
        housekeeping.begin_epoch(database, world.service.keyring.epochs, world.service.clock, lambda *_: None)
    assert len(written) >= 5
    assert epochs_of_keys(world) == key_files(world)
    assert len(key_files(world)) == 1
    world.publish(name)
    assert world.manifest(world.newest(name), name).entry_count == 5 + len(written)
