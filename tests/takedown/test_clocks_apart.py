"""Machines whose clocks differ, or one whose clock is set back: what they record replays all the same."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from app.client.session import Connection
from app.core.replay import Deviation, Replay
from app.core.terms import Kind
from app.platform.clock import instant
from app.takedown.notices.parcels import Parcel, Sent
from tests.programs.service import Service, recorded, replay
from tests.takedown.stories import PARTNER, SENT, hold, withdraw
from tests.takedown.told import Post, answer, approved, contact, pass_time, steps_of, submitted, token_of

APART = [timedelta(seconds=4), timedelta(minutes=1)]
Behind = Callable[[Callable[[], object]], None]


@pytest.fixture(params=APART, ids=str)
def behind(service: Service, request: pytest.FixtureRequest) -> Behind:
    """Has something done by another machine, whose clock is so much behind."""

    def do(act: Callable[[], object]) -> None:
        service.clock.ahead -= request.param
        act()
        service.clock.ahead += request.param

    return do


@pytest.fixture
def entry(service: Service, hotline: Connection, reviewer: Connection) -> str:
    """One whose provider is to be told."""
    contact(service, PARTNER)
    return approved(hotline, reviewer)


def deliver(post: Post, meanwhile: Callable[[Parcel], None]) -> None:
    """What is due, while something else happens on the way."""

    def on_the_way(parcel: Parcel) -> Sent:
        meanwhile(parcel)
        return SENT

    post.answer = on_the_way
    post.deliver()
    post.deliver()


def test_an_answer_by_a_slower_machine_comes_before_the_notice_is_recorded(
    service: Service, entry: str, post: Post, behind: Behind
) -> None:
    def answers(parcel: Parcel) -> None:
        assert answer(service, token_of(parcel), "acknowledged").status_code == 200

    deliver(post, lambda parcel: behind(lambda: answers(parcel)))
    assert steps_of(service, entry) == ["notified", "acknowledged"]
    replay(service)


def test_the_clock_is_set_back_while_a_notice_is_sent(service: Service, entry: str, post: Post) -> None:
    def set_back(_parcel: Parcel) -> None:
        service.clock.ahead -= APART[1]

    deliver(post, set_back)
    assert steps_of(service, entry) == ["notified"]
    replay(service)


def test_an_entry_ends_by_a_slower_machine_while_its_notice_is_sent(
    service: Service, hotline: Connection, entry: str, post: Post, behind: Behind
) -> None:
    deliver(post, lambda _parcel: behind(lambda: withdraw(hotline, entry)))
    assert steps_of(service, entry) == ["notified"]
    replay(service)


def test_a_hold_begins_by_a_slower_machine_while_a_notice_is_sent(
    service: Service, entry: str, post: Post, behind: Behind
) -> None:
    deliver(post, lambda _parcel: behind(lambda: hold(service, entry)))
    assert steps_of(service, entry)[-1] == "notified"
    replay(service)


@pytest.fixture
def held(service: Service, entry: str, post: Post) -> str:
    """One whose hold is over just now."""
    hold(service, entry, 1)
    post.deliver()
    assert post.kept == []
    pass_time(service, hours=1)
    return entry


def test_who_was_told_after_a_hold_answers_by_a_slower_machine(
    service: Service, held: str, post: Post, behind: Behind
) -> None:
    def answers(parcel: Parcel) -> None:
        assert answer(service, token_of(parcel), "acknowledged").status_code == 200

    deliver(post, lambda parcel: behind(lambda: answers(parcel)))
    assert steps_of(service, held) == ["held", "excused", "notified", "acknowledged"]
    replay(service)


def test_the_clock_is_set_back_to_before_a_hold_was_over(service: Service, held: str, post: Post) -> None:
    def set_back(_parcel: Parcel) -> None:
        service.clock.ahead -= APART[1]

    deliver(post, set_back)
    assert steps_of(service, held) == ["held", "excused", "notified"]
    replay(service)


def test_an_entry_ends_by_a_slower_machine_after_its_hold(
    service: Service, hotline: Connection, held: str, post: Post, behind: Behind
) -> None:
    deliver(post, lambda _parcel: behind(lambda: withdraw(hotline, held)))
    assert steps_of(service, held) == ["held", "excused", "notified"]
    replay(service)


@pytest.mark.parametrize("is_corroborated", [False, True])
def test_a_hold_is_renewed_when_another_machine_takes_it_to_be_over(
    service: Service, entry: str, post: Post, behind: Behind, is_corroborated: bool
) -> None:
    with service.connect(Kind.LAW_ENFORCEMENT) as police, service.connect(Kind.HOTLINE) as other:

        def ask() -> None:
            until = (service.clock() + timedelta(hours=1)).isoformat()
            body = {"reason": "investigation", "until": until}
            police.request("POST", f"/v1/takedowns/{entry}/hold", json=body)

        ask()
        post.deliver()
        assert post.kept == []
        pass_time(service, hours=1)

        def ask_again(_parcel: Parcel) -> None:
            if is_corroborated:
                behind(lambda: submitted(other))
                behind(lambda: behind(ask))
            else:
                behind(ask)

        deliver(post, ask_again)
    assert steps_of(service, entry) == ["held", "excused", "held", "notified"]
    replay(service)
    *before, notified = recorded(service)
    late = instant(datetime.fromisoformat(before[-1]["at"]) + timedelta(minutes=2))
    tampered = Replay()
    for leaf in before:
        tampered.take(leaf)
    with pytest.raises(Deviation, match="law enforcement"):
        tampered.take(notified | {"at": late, "begun_at": late})
