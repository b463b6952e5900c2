"""Taken off, or put on, in the middle of publishing: what a version in the making is sealed to."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.core import age
from app.lists import snapshots
from app.lists.files import Files
from tests.lists.sealed import SealedList
from tests.programs.service import replay


class Between:
    """Does something once, right after or before a step of the publisher."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act, self.times = act, 0

    def once(self) -> None:
        self.times += 1
        if self.times == 1:
            self.act()


def test_taken_off_while_files_are_written_the_version_is_not_sealed_to_it(
    world: SealedList, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, goes = world.holder(name), world.holder(name)
    world.list_some(1, name)
    write, between = Files.write, Between(lambda: world.take_off(goes, name))

    def writes(self: Files, session: Any, snapshot: Any) -> Any:
        written = write(self, session, snapshot)
        session.rollback()
        between.once()
        return written

    monkeypatch.setattr(Files, "write", writes)
    assert world.publish(name) == 1
    assert between.times == 2
    assert world.learns_nothing(goes, 1, name)
    assert world.lines(stays, 1, name)
    assert len(world.files(1, name)) == 4


def test_there_for_the_writing_only_nothing_is_sealed_to_it(
    world: SealedList, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.holder(name)
    fleeting = world.holder()
    world.list_some(1, name)
    write = Files.write
    comes = Between(lambda: world.service.subscribe(fleeting.organisation, name))
    goes = Between(lambda: world.take_off(fleeting, name))

    def writes(self: Files, session: Any, snapshot: Any) -> Any:
        session.rollback()
        comes.once()
        written = write(self, session, snapshot)
        session.rollback()
        goes.once()
        return written

    monkeypatch.setattr(Files, "write", writes)
    assert world.publish(name) == 1
    assert world.learns_nothing(fleeting, 1, name)


def test_taken_off_once_the_version_is_on_record_the_next_one_follows_without_it(
    world: SealedList, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, goes = world.holder(name), world.holder(name)
    world.list_some(1, name)
    of_subscribers, between = Files.of_subscribers, Between(lambda: world.take_off(goes, name))

    def offers(self: Files, of_list: str) -> Any:
        between.once()
        return of_subscribers(self, of_list)

    monkeypatch.setattr(Files, "of_subscribers", offers)
    assert world.publish(name) == 2
    assert world.lines(goes, 1, name) == world.lines(stays, 1, name)
    assert goes.organisation not in world.named_file(name)["subscribers"]
    assert world.learns_nothing(goes, 2, name)


def test_taken_off_during_a_crash_the_rest_of_the_work_is_not_sealed_to_it(
    world: SealedList, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.holder(name)
    goes = world.holder(name)
    world.list_some(1, name)

    class Crash(BaseException):
        """Stands for a loss of power."""

    def crashes(*_: Any) -> Any:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "seal", crashes)
        with pytest.raises(Crash):
            world.service.publish()
    left = world.files(1, name)
    assert any(goes.opens(path) for path in left.values() if path.name.endswith(age.SUFFIX))
    world.take_off(goes, name)
    assert world.publish(name) == 1
    assert world.learns_nothing(goes, 1, name)
    assert not left.keys() & world.files(1, name).keys()


def test_taken_off_during_a_trial_the_version_on_trial_is_for_nobody_and_the_next_is_without_it(
    world: SealedList, name: str
) -> None:
    canary, stays, goes = world.holder(name), world.holder(name), world.holder(name)
    world.list_some(1, name)
    assert world.publish(name) == 1
    world.change_policy(name, canaries=[canary.organisation])
    world.list_some(1, name)
    assert world.publish(name) == 1
    assert goes.opens(next(iter(world.files(2, name).values())))
    world.take_off(goes, name)
    assert world.publish(name) == 3
    assert world.learns_nothing(goes, 3, name)
    assert len(world.lines(stays, 3, name) or ()) == 1
    assert not [file for file in world.files(2, name) if ".list." in file]
    world.service.clock.ahead += timedelta(minutes=11)
    assert world.publish(name) == 4
    assert world.learns_nothing(goes, 4, name)
    assert len(world.lines(stays, 4, name) or ()) == 2
    assert replay(world.service)
