"""Takedowns that have nobody left to tell: they wait for somebody to tell, not for the day to pass."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import Session, select

import app
from app.client.session import Connection
from app.core.policy import Policy
from app.entries.models import Entry
from app.entries.schemas import RoutedBy
from app.entries.secrets import Opened
from app.takedown.contacts import routing
from app.takedown.contacts import service as contacts
from app.takedown.contacts.schemas import ContactContent
from app.takedown.models import Notice
from app.takedown.notices import bounces
from app.takedown.notices.bounces import Returned
from tests.programs.neighbour import Neighbour
from tests.programs.service import Service, replay
from tests.takedown.stories import LOST, PARTNER, SECOND, SENT, end, policy, sent
from tests.takedown.told import PROVIDER, Post, approved, clock_of, contact, pass_time, steps_of


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The entry of each look for contacts, as they happen."""
    honest = routing.route
    seen: list[str] = []

    def noted(session: Session, asked: Policy, entry: Entry, opened: Opened) -> list[RoutedBy]:
        seen.append(entry.id)
        return honest(session, asked, entry, opened)

    monkeypatch.setattr(routing, "route", noted)
    return seen


@pytest.fixture
def history(service: Service) -> Iterator[None]:
    """Whatever a test does, the log holds in the end."""
    yield
    replay(service)


def wait(post: Post, days: int) -> list[tuple[str, str]]:
    """So many days, each with its rounds; what was sent."""
    before = len(post.kept)
    for _ in range(days):
        pass_time(post.service, hours=25)
        post.deliver()
        post.deliver()
    return sent(post.kept[before:])


@pytest.mark.usefixtures("history")
def test_while_nothing_changes_nobody_is_looked_for(
    service: Service, hotline: Connection, reviewer: Connection, post: Post, looked_up: list[str]
) -> None:
    entries = [approved(hotline, reviewer, f"https://a{number}.example.test/1") for number in range(5)]
    assert wait(post, 2) == []
    assert set(looked_up) == set(entries)
    looked_up.clear()
    assert wait(post, 5) == []
    assert looked_up == []
    for entry in entries:
        due = clock_of(service, entry).due_at
        assert due
        assert service.clock() < due <= service.clock() + timedelta(days=1)
        assert steps_of(service, entry) == ["excused"]


@pytest.mark.usefixtures("history")
def test_who_is_added_is_told_within_a_day(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    approved(hotline, reviewer)
    assert wait(post, 3) == []
    contact(service, PARTNER)
    assert wait(post, 1) == [("notice", "Partner")]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("hours", [-3, 3])
def test_who_is_added_by_another_clock_is_told(
    service: Service, hotline: Connection, reviewer: Connection, post: Post, hours: int
) -> None:
    approved(hotline, reviewer)
    wait(post, 3)
    with service.database.writing() as session:
        said = ContactContent.model_validate(PARTNER)
        contacts.add(session, said, service.clock() + timedelta(hours=hours), allow_private=False)
    assert wait(post, 1) == [("notice", "Partner")]


@pytest.mark.usefixtures("history")
def test_a_clock_that_was_ahead_and_was_set_right_keeps_nobody_from_being_told(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    approved(hotline, reviewer)
    wait(post, 3)
    pass_time(service, hours=28)
    post.deliver()
    pass_time(service, hours=-3)
    contact(service, PARTNER)
    assert wait(post, 2)[:1] == [("notice", "Partner")]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("rank", [0, 1], ids=["the same turn", "a later turn"])
def test_who_could_not_be_reached_after_all_is_told_at_the_address_it_has_by_then(
    service: Service, hotline: Connection, reviewer: Connection, post: Post, rank: int
) -> None:
    policy(service, reminders=0)
    first = contact(service, PARTNER)
    contact(service, {**SECOND, "rank": rank})
    approved(hotline, reviewer)
    post.deliver()
    post.deliver()
    pass_time(service, hours=3)
    with service.database.writing() as session:
        known = contacts.one(session, first)
        mended = contacts.content_of(known).model_copy(update={"address": "new@partner.test"})
        contacts.change(session, first, known.version, mended, service.clock())
    wait(post, 4)
    with service.database.writing() as session:
        notice = session.exec(select(Notice).where(Notice.contact_id == first)).one()
        bounces.record(session, Returned(notice.id, "4.4.7"), service.clock())
    assert wait(post, 2) == [("notice", "Partner")]


@pytest.mark.usefixtures("history")
def test_another_release_looks_again(
    service: Service,
    hotline: Connection,
    reviewer: Connection,
    post: Post,
    looked_up: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may find contacts by other rules, and has a newer list of public suffixes."""
    entry = approved(hotline, reviewer)
    wait(post, 3)
    looked_up.clear()
    monkeypatch.setattr(app, "__version__", "another")
    wait(post, 3)
    assert looked_up == [entry]


@pytest.mark.usefixtures("history")
def test_whom_a_contact_kept_from_being_told_is_told_when_that_has_ended(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    partner = contact(service, PARTNER)
    contact(service, PROVIDER)
    post.answer = lambda _parcel: LOST
    approved(hotline, reviewer)
    assert wait(post, 4) == [("notice", "Partner")]
    post.answer = lambda _parcel: SENT
    end(service, partner)
    assert wait(post, 1) == [("notice", "Example Hosting")]


@pytest.mark.usefixtures("history")
def test_whom_the_policy_kept_from_being_told_is_told_once_it_allows_it(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service, PARTNER)
    contact(service, PROVIDER)
    post.answer = lambda _parcel: LOST
    approved(hotline, reviewer)
    assert wait(post, 4) == [("notice", "Partner")]
    post.answer = lambda _parcel: SENT
    policy(service, provider_notices="always")
    assert wait(post, 1) == [("notice", "Example Hosting")]


@pytest.mark.usefixtures("history")
def test_a_peer_that_moved_off_the_entrys_domain_is_told(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    peer = Neighbour("https://peer.example.test")
    peer.join(service)
    approved(hotline, reviewer, hosting_country=peer.card.country)
    assert wait(post, 3) == []
    replace(peer, address="https://peer.other.test").join(service)
    assert wait(post, 1) == [("notice", "Neighbour")]
