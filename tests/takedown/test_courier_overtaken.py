"""Between a notice's first step and its last: withdrawals, holds and other processes that come in between."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.core.lifecycle import Takedown
from app.core.terms import Channel, Deconfliction, Kind, NoticeOutcome
from app.entries import service as entries
from app.takedown import outbox
from app.takedown import service as takedowns
from app.takedown.models import Takedown as Clock
from tests.programs.service import replay
from tests.takedown.notified import Desk, Way, desk


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path / "home", webhook_allow_private=True) as up:
        yield up
        replay(up.service)


def test_a_withdrawn_entry_is_told_to_nobody(told: Desk) -> None:
    way = Way()
    told.by(way)
    told.contact()
    entry = told.approved()
    told.service.publish()
    told.hotline.request("POST", f"/v1/entries/{entry}/withdrawal")
    told.send()
    told.service.publish()
    told.send()
    assert (way.parcels, told.outcomes(entry)) == ([], [("notice", "cancelled")])


def test_a_withdrawal_while_a_notice_is_on_its_way_stops_it_before_it_can_arrive(told: Desk) -> None:
    told.contact()
    entry = told.approved()
    told.service.publish()
    withdraw = f"/v1/entries/{entry}/withdrawal"
    way = Way(before=lambda: told.hotline.request("POST", withdraw))
    told.by(way)
    told.send()
    assert (len(way.parcels), way.out) == (1, [])
    told.service.publish()
    told.service.clock.ahead += timedelta(minutes=2)
    told.send()
    assert (len(way.parcels), told.outcomes(entry)) == (1, [("notice", "cancelled")])


def test_a_withdrawal_after_it_may_have_arrived_is_followed_by_a_retraction(told: Desk) -> None:
    told.contact()
    entry = told.approved()
    told.service.publish()

    def withdraw() -> None:
        told.hotline.request("POST", f"/v1/entries/{entry}/withdrawal")
        told.service.publish()

    told.by(Way(after=withdraw))
    told.send()
    way = Way()
    told.by(way)
    told.send()
    assert told.outcomes(entry) == [("notice", "sent"), ("retraction", "sent")]
    (retraction,), (notice, _) = way.out, told.notices(entry)
    assert (retraction.report, retraction.url, retraction.link) == (notice.id, None, None)
    assert told.entry(entry).takedown is Takedown.NOTIFIED


def test_a_hold_while_a_notice_is_on_its_way_has_it_wait(told: Desk) -> None:
    told.contact()
    entry = told.approved()
    told.service.publish()
    police = told.service.connect(Kind.LAW_ENFORCEMENT)
    owner = {"client": police.credentials.client_id}
    with told.service.database.reading() as session:
        owner["organisation"] = _owner(session, owner["client"])
    until = told.service.clock() + timedelta(days=2)

    def hold() -> None:
        with told.service.database.writing() as session:
            held = entries.get(session, entry)
            assert held
            now = told.service.clock()
            takedowns.hold(session, held, Deconfliction.INVESTIGATION, until, now, **owner)

    way = Way(before=hold)
    told.by(way)
    told.send()
    told.service.clock.ahead += timedelta(days=1)
    told.send()
    assert (len(way.parcels), way.out) == (1, [])
    way.before = lambda: None
    told.service.clock.ahead += timedelta(days=1, minutes=2)
    told.service.publish()
    told.send()
    assert {parcel.id for parcel in way.parcels} == {parcel.id for parcel in way.out}
    assert told.outcomes(entry) == [("notice", "sent")]


def test_no_notice_leaves_while_law_enforcement_is_heard_however_it_came_to_wait(told: Desk) -> None:
    told.contact()
    entry = told.approved()
    told.service.publish()
    with told.service.database.writing() as session:
        clock = session.get_one(Clock, entry)
        clock.held_until = told.service.clock() + timedelta(hours=1)
    way = Way()
    told.by(way)
    told.send()
    assert (way.parcels, told.outcomes(entry)) == ([], [("notice", None)])
    told.service.clock.ahead += timedelta(hours=1)
    told.send()
    assert told.outcomes(entry) == [("notice", "sent")]


def _owner(session: Any, client: str) -> str:
    query = text("SELECT organisation_id FROM client WHERE id = :client")
    return str(session.execute(query, {"client": client}).scalar_one())


def test_two_processes_send_each_notice_once(told: Desk) -> None:
    way = Way()
    told.contact()
    ids = [told.approved(f"https://h{number}.listed.test/") for number in range(5)]
    told.service.publish()
    couriers = [told.another({Channel.MAIL: way}) for _ in range(2)]
    rounds = [threading.Thread(target=courier.round) for courier in couriers]
    for thread in rounds:
        thread.start()
    for thread in rounds:
        thread.join()
    for courier in couriers:
        courier.close()
    assert sorted(parcel.entry_id for parcel in way.out) == sorted(ids)


def test_who_is_slower_than_its_lease_does_not_send_what_another_process_took_over(told: Desk) -> None:
    told.contact()
    entry = told.approved()
    told.service.publish()
    other = Way()

    def another_process() -> None:
        told.service.clock.ahead += timedelta(minutes=2)
        courier = told.another({Channel.MAIL: other})
        courier.round()
        courier.close()

    way = Way(before=another_process)
    told.by(way)
    told.send()
    assert (len(way.parcels), way.out, len(other.out)) == (1, [], 1)
    assert told.outcomes(entry) == [("notice", "sent")]


def test_nobody_else_takes_a_notice_whose_answer_is_waited_for(told: Desk) -> None:
    told.contact()
    entry = told.approved()
    told.service.publish()
    other = Way()

    def another_process() -> None:
        told.service.clock.ahead += timedelta(minutes=10)
        courier = told.another({Channel.MAIL: other})
        courier.round()
        courier.close()

    told.by(Way(after=another_process))
    told.send()
    assert (other.parcels, told.outcomes(entry)) == ([], [("notice", "sent")])


def test_what_was_claimed_often_and_never_begun_is_sent_in_the_end(told: Desk) -> None:
    told.contact()
    entry = told.approved()
    told.service.publish()
    for _ in range(70):
        with told.service.database.writing() as session:
            assert outbox.claim(session, told.service.clock(), ())
        told.service.clock.ahead += timedelta(seconds=61)
    told.by(Way())
    told.send()
    assert told.outcomes(entry) == [("notice", "sent")]


def test_what_was_claimed_often_is_given_up_when_it_is_too_late(told: Desk) -> None:
    told.contact()
    entry = told.approved()
    told.service.publish()
    for _ in range(70):
        with told.service.database.writing() as session:
            assert outbox.claim(session, told.service.clock(), ())
        told.service.clock.ahead += outbox.LONGEST / 60
    told.by(Way())
    told.send()
    assert told.outcomes(entry) == [("notice", "failed")]


def test_what_was_said_meanwhile_by_an_answer_stands(told: Desk) -> None:
    told.contact()
    entry = told.approved()
    told.service.publish()

    def settled() -> None:
        with told.service.database.writing() as session:
            (notice,) = outbox.of_entry(session, entry)
            outbox.queue.settle(session, notice.id, NoticeOutcome.BOUNCED.value, told.service.clock())

    told.by(Way(after=settled))
    told.send()
    assert told.outcomes(entry) == [("notice", "bounced")]
