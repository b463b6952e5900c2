"""Takedowns that have nobody left to tell: they wait for somebody to tell, not for the day to pass."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import Session

from app.client.session import Connection
from app.core.policy import Policy
from app.entries.models import Entry
from app.entries.schemas import RoutedBy
from app.entries.secrets import Opened
from app.takedown.contacts import routing
from app.takedown.contacts import service as contacts
from app.takedown.contacts.schemas import ContactContent
from tests.programs.neighbour import Neighbour
from tests.programs.service import Service, replay
from tests.takedown.stories import LOST, PARTNER, SENT, end, policy, sent
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
def test_what_was_being_written_during_a_look_is_found_by_the_next(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    """Its time is that of the request; another connection sees it when that has ended."""
    approved(hotline, reviewer)
    wait(post, 3)
    pass_time(service, hours=25)
    begun = service.clock()
    post.deliver()
    with service.database.writing() as session:
        contacts.add(session, ContactContent.model_validate(PARTNER), begun, allow_private=False)
    assert wait(post, 1) == [("notice", "Partner")]


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
