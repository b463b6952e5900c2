"""Contacts that end, change or fail in the middle of a takedown, and one entry that fails among many."""

import pytest
from sqlmodel import Session, select

from app.appeals.models import Appeal
from app.client.session import Connection
from app.core.policy import Policy
from app.entries.models import Entry
from app.entries.schemas import RoutedBy
from app.entries.secrets import Opened
from app.takedown import duties
from app.takedown.contacts import routing
from app.takedown.contacts import service as contacts
from app.takedown.models import Contact
from tests.appeals import people
from tests.programs.service import Service, replay
from tests.takedown.stories import LOST, PARTNER, SECOND, SENT, emergency, end, policy, say, sent
from tests.takedown.told import (
    PROVIDER,
    Post,
    approved,
    clock_of,
    contact,
    pass_time,
    shown,
    steps_of,
)


def test_when_every_contact_has_ended_new_ones_are_told_in_the_same_look(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    first = contact(service, PARTNER)
    second = contact(service, SECOND)
    approved(hotline, reviewer)
    assert sent(post.deliver()) == [("notice", "Partner")]
    end(service, first)
    end(service, second)
    contact(service, {**PARTNER, "name": "Third", "address": "desk@third.test"})
    pass_time(service, hours=25)
    assert sent(post.deliver()) == [("notice", "Third")]
    replay(service)


def test_a_contact_that_could_not_be_reached_is_told_once_its_address_is_mended(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    partner = contact(service, PARTNER)
    entry = approved(hotline, reviewer)
    post.answer = lambda _parcel: LOST
    assert len(post.deliver()) == 1
    post.deliver()
    assert steps_of(service, entry) == ["excused"]
    pass_time(service, hours=25)
    assert post.deliver() == [], "the same address is not tried again"
    with service.database.writing() as session:
        known = session.get_one(Contact, partner)
        mended = contacts.content_of(known).model_copy(update={"address": "new@partner.test"})
        contacts.change(session, partner, known.version, mended, service.clock())
    post.answer = lambda _parcel: SENT
    pass_time(service, hours=25)
    assert [one.address for one in post.deliver()] == ["new@partner.test"]
    assert post.deliver() == []
    replay(service)


def test_a_notice_whose_contact_ended_leads_to_the_next_one(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    first = contact(service, PARTNER)
    contact(service, SECOND)
    entry = approved(hotline, reviewer)
    service.publish()
    end(service, first)
    post.deliver()
    post.deliver()
    assert sent(post.kept) == [("notice", "Second")]
    assert steps_of(service, entry) == ["notified"]
    replay(service)


def test_of_a_hostile_host_a_partner_is_told_and_its_provider_is_not(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    service.publish()
    say(hotline, entry, "no_notice", reason="hostile_host")
    assert post.deliver() == []
    contact(service, PARTNER)
    pass_time(service, hours=25)
    assert sent(post.deliver()) == [("notice", "Partner")]
    replay(service)


@pytest.mark.parametrize("is_partner_tried", [False, True])
def test_whose_host_is_hostile_no_longer_is_told_though_its_turn_had_passed(
    service: Service, hotline: Connection, reviewer: Connection, post: Post, is_partner_tried: bool
) -> None:
    policy(service, reminders=0)
    contact(service)
    entry = approved(hotline, reviewer)
    say(hotline, entry, "no_notice", reason="hostile_host")
    post.deliver()
    if is_partner_tried:
        partner = contact(service, PARTNER)
        post.answer = lambda _parcel: LOST
        pass_time(service, hours=25)
        assert sent(post.deliver()) == [("notice", "Partner")]
        end(service, partner)
    pass_time(service, hours=25)
    post.deliver()
    post.answer = lambda _parcel: SENT
    say(hotline, entry, "no_notice", reason="no_contact")
    assert sent(post.deliver()) == [("notice", "Example Hosting")]
    for _ in range(3):
        pass_time(service, hours=25)
        assert post.deliver() == []
    assert len({step["contact"] for step in shown(hotline, entry)["routed_by"]}) == 1 + is_partner_tried
    replay(service)


def test_who_acknowledges_without_a_notice_is_not_forgotten(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    entry = approved(hotline, reviewer)
    post.deliver()
    for event in ("unreachable", "acknowledged"):
        say(hotline, entry, event)
    found = clock_of(service, entry)
    assert found.removal_due_at is not None
    assert found.due_at == found.removal_due_at
    contact(service)
    pass_time(service, hours=73)
    assert sent(post.deliver()) == [("notice", "Example Hosting")]
    replay(service)


def test_who_acknowledges_late_has_time_before_the_next_reminder(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    post.deliver()
    for _ in range(3):
        pass_time(service, hours=25)
        post.deliver()
    say(hotline, entry, "acknowledged")
    assert post.deliver() == []
    pass_time(service, hours=23)
    assert post.deliver() == []
    replay(service)


def test_an_entry_that_fails_stops_no_other(
    service: Service,
    hotline: Connection,
    reviewer: Connection,
    post: Post,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contact(service)
    poison = approved(hotline, reviewer, "https://a.example.test/1")
    approved(hotline, reviewer, "https://b.example.test/1")
    honest = routing.route

    def fails(session: Session, policy: Policy, entry: Entry, opened: Opened) -> list[RoutedBy]:
        if entry.id == poison:
            raise ValueError(poison)
        return honest(session, policy, entry, opened)

    monkeypatch.setattr(routing, "route", fails)
    with pytest.raises(ValueError, match=poison):
        service.publish()
    with pytest.raises(ValueError, match=poison):
        post.deliver()
    post.courier.round()
    post.courier.wait()
    assert len(post.kept) == 1
    people.file(service)
    with pytest.raises(ValueError, match=poison):
        service.publish()
    with service.database.reading() as session:
        assert session.exec(select(Appeal.matched_at)).one() is not None, "appeals are matched all the same"
    monkeypatch.undo()
    assert len(post.deliver()) == 1
    emergency(service, poison)
    replay(service)


def test_a_look_at_nothing_writes_nothing(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service, PROVIDER)
    approved(hotline, reviewer)
    for _ in range(3):
        post.deliver()
    with service.database.reading() as session:
        assert not duties._is_due(session, service.clock())
    writes = service.database.writes
    duties.each_round(service.database, service.keyring, service.clock)
    assert service.database.writes == writes
