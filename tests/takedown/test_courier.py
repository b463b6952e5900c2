"""The courier: what goes out, what does not any more, and what is on record of it."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from app.core.lifecycle import Takedown
from app.core.terms import Channel, ContactKind
from app.takedown import service as takedowns
from app.takedown.contacts import service as contacts
from app.takedown.contacts.schemas import ContactContent
from app.takedown.notices.parcels import Sent
from tests.programs.mailbox import collecting
from tests.programs.receiver import Receiver, receiving, status
from tests.programs.service import replay
from tests.takedown.notified import DESK, SENT, URL, Desk, Way, by_mail, desk


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as up:
        yield up


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path / "home", webhook_allow_private=True) as up:
        yield up
        replay(up.service)


def hooked(told: Desk, receiver: Receiver, **content: Any) -> str:
    return told.contact(receiver.url(), Channel.WEBHOOK, **content)


def test_a_webhook_is_told_signed_with_its_own_secret(told: Desk, receiver: Receiver) -> None:
    contact = hooked(told, receiver)
    entry = told.told()
    (got,), (notice,) = receiver.got, told.notices(entry)
    said = Webhook(contacts.webhook_secret(told.service.keyring, contact)).verify(got.body, got.headers)
    assert got.headers["webhook-id"] == notice.id == said["data"]["notice"]
    assert said["data"]["answer_at"].startswith(f"{told.service.address}/takedown/{notice.id}.0.")
    assert URL in got.body.decode()
    assert told.outcomes(entry) == [("notice", "sent")]
    assert told.entry(entry).takedown is Takedown.NOTIFIED


def test_a_webhook_that_fails_is_told_again_the_same(told: Desk, receiver: Receiver) -> None:
    receiver.answer = status(503)
    hooked(told, receiver)
    entry = told.told()
    assert [one.failure for one in told.notices(entry)] == ["http-503"]
    receiver.answer = status(204)
    told.service.clock.ahead += timedelta(seconds=5)
    told.send()
    first, second = receiver.got
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert told.outcomes(entry) == [("notice", "sent")]


def test_a_webhook_that_is_gone_makes_way_for_the_next_contact(told: Desk, receiver: Receiver) -> None:
    with receiving(status(410)) as gone:
        hooked(told, gone)
        hooked(told, receiver, rank=1)
        entry = told.told()
        told.service.publish()
        told.send()
    assert (len(gone.got), len(receiver.got)) == (1, 1)
    assert told.outcomes(entry) == [("notice", "failed"), ("notice", "sent")]


def test_a_channel_that_is_missing_is_waited_for(told: Desk) -> None:
    told.contact()
    entry = told.told()
    assert [(one.outcome, one.failure) for one in told.notices(entry)] == [(None, "no-channel")]
    way = Way()
    told.by(way)
    told.service.clock.ahead += timedelta(seconds=5)
    told.send()
    assert len(way.out) == 1


def test_a_contact_that_ended_is_not_told_and_the_next_one_is(told: Desk) -> None:
    way = Way()
    told.by(way)
    ended = told.contact()
    told.contact("next@partner.example", rank=1)
    entry = told.approved()
    told.service.publish()
    with told.service.database.writing() as session:
        contacts.end(session, ended, told.service.clock())
    told.send()
    told.service.publish()
    told.send()
    assert [parcel.address for parcel in way.out] == ["next@partner.example"]
    assert told.outcomes(entry) == [("notice", "cancelled"), ("notice", "sent")]


def test_a_notice_goes_to_the_contact_as_it_is_when_it_is_sent(told: Desk, receiver: Receiver) -> None:
    way = Way(sent=Sent(None, "later"))
    told.by(way)
    contact = told.contact()
    entry = told.told()
    with told.service.database.writing() as session:
        content = ContactContent(
            kind=ContactKind.PARTNER_HOTLINE,
            name="Partner",
            country="NL",
            channel=Channel.WEBHOOK,
            address=receiver.url(),
            language="fr",
        )
        now = told.service.clock()
        contacts.change(session, contact, 1, content, now, allow_private=True)
    told.courier = told.service.courier
    told.service.clock.ahead += timedelta(seconds=5)
    told.send()
    assert ([parcel.address for parcel in way.out], len(receiver.got)) == ([DESK], 1)
    (notice,) = told.notices(entry)
    assert (notice.channel, notice.language, notice.contact_version) == (Channel.WEBHOOK, "fr", 2)


def test_two_tries_say_the_same(told: Desk) -> None:
    way = Way(sent=Sent(None, "later"))
    told.by(way)
    told.contact()
    entry = told.told()
    told.service.clock.ahead += timedelta(seconds=5)
    way.sent = SENT
    told.send()
    first, second = way.out
    assert first.link is not None
    assert (first.url, first.removal_due_at is None) == (URL, False)
    assert (first.link, first.expires_at, first.removal_due_at, first.id) == (
        second.link,
        second.expires_at,
        second.removal_due_at,
        second.id,
    )
    assert (first.attempt, second.attempt) == (1, 2)
    assert [one.answers for one in told.notices(entry)] == [0]


def test_what_came_of_a_notice_is_tried_to_be_put_on_record_more_than_once(
    told: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    way, failures = Way(), iter([TimeoutError, TimeoutError])
    told.by(way)
    told.contact()
    on_sent = takedowns.on_sent

    def troubled(*arguments: Any) -> None:
        for failure in failures:
            raise failure
        on_sent(*arguments)

    monkeypatch.setattr(takedowns, "on_sent", troubled)
    entry = told.told()
    assert (len(way.out), told.outcomes(entry)) == (1, [("notice", "sent")])


def test_a_notice_that_never_gets_on_record_is_not_sent_for_ever(
    told: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Way()
    told.by(way)
    told.contact()
    with monkeypatch.context() as broken:
        broken.setattr(takedowns, "on_sent", lambda *_: 1 / 0)
        entry = told.told()
        for _ in range(70):
            told.service.clock.ahead += timedelta(minutes=12)
            told.send()
    assert len(way.out) == 60
    assert told.outcomes(entry) == [("notice", "failed")]


def test_a_slow_receiver_keeps_no_mail_waiting(tmp_path: Path) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        go.wait(20)
        status(204)(handler)

    with (
        collecting() as mailbox,
        receiving(slow) as sluggish,
        desk(tmp_path / "home", **by_mail(mailbox)) as told,
    ):
        hooked(told, sluggish)
        told.contact(country="DE")
        told.approved()
        told.service.publish()
        told.courier.round()
        assert asked.wait(20)
        mailed = told.approved("https://b.listed.test/", hosting_country="DE")
        told.service.publish()
        arrived = threading.Event()
        mailbox.before = lambda command: arrived.set() if command == "DATA" else None
        told.courier.round()
        assert arrived.wait(20)
        go.set()
        told.courier.wait()
        assert told.outcomes(mailed) == [("notice", "sent")]


def test_the_law_is_asked_first_and_given_no_link(tmp_path: Path) -> None:
    with desk(tmp_path / "home", law_enforcement_hours=24) as told:
        way = Way()
        told.by(way)
        told.contact()
        told.contact("desk@police.example", kind=ContactKind.LAW_ENFORCEMENT)
        entry = told.told()
        (asked,) = way.out
        assert (asked.address, asked.link, asked.removal_due_at) == ("desk@police.example", None, None)
        held = asked.held_until
        assert held == (told.service.clock() + timedelta(hours=24)).replace(microsecond=0)
        told.service.clock.ahead += timedelta(hours=24)
        told.service.publish()
        told.send()
        assert told.outcomes(entry) == [("deconfliction", "sent"), ("notice", "sent")]
        replay(told.service)
