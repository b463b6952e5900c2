"""What people of an internet provider see: how far they are with each list, and how old their keys are."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import event

from app.core.terms import Kind
from app.distribution import provider
from app.identity import service as identity
from tests.distribution.place import People, Place
from tests.programs.service import Service, running
from tests.programs.webclient import WebClient, signed_in_client

RECIPIENT = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Of a service whose time passes only where a test lets it."""
    with running(Service(tmp_path_factory.mktemp("provider") / "home")) as up:
        up.clock.still_at = up.clock().replace(microsecond=0)
        found = People(up)
        yield found
        found.close()


@pytest.fixture
def place(people: People) -> Place:
    return Place(people)


@pytest.fixture
def person(place: Place) -> WebClient:
    return signed_in_client(place.service, Kind.ISP, organisation=place.organisation_of(place.isp))


def row(person: WebClient, name: str) -> list[str]:
    """The cells of a list's row, as text."""
    page = person.get("/console/lists").text
    found = re.search(rf'<th scope="row">{name}<.*?</tr>', page, re.DOTALL)
    assert found is not None, "no row"
    cells = re.findall(r"<td[^>]*>(.*?)</td>", found[0], re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in cells]


def say(place: Place, version: int, outcome: str = "applied") -> None:
    place.say(place.isp, version, outcome)


def test_before_any_version_there_is_nothing_to_lack(place: Place, person: WebClient) -> None:
    assert row(person, place.name) == ["none yet", "no receipt yet", "up to date", "–", "nothing"]


def test_lag_is_counted_in_versions_and_minutes_and_ends_with_a_receipt(
    place: Place, person: WebClient
) -> None:
    place.publish_one()
    say(place, 1)
    assert row(person, place.name)[1:] == [
        f"1, {place.service.clock():%Y-%m-%d %H:%M} UTC",
        "up to date",
        "applied",
        "nothing",
    ]
    place.publish_one()
    place.publish_one()
    place.service.clock.ahead += timedelta(minutes=7)
    cells = row(person, place.name)
    assert cells[0].startswith("3, ")
    assert cells[2] == "2 versions, 7 minutes"
    say(place, 3)
    assert row(person, place.name)[2] == "up to date"


def test_a_version_that_was_held_is_named_until_a_later_one_is_applied(
    place: Place, person: WebClient
) -> None:
    place.publish_one()
    say(place, 1)
    place.publish_one()
    say(place, 2, "held")
    cells = row(person, place.name)
    assert cells[1].startswith("1, ")
    assert cells[3] == "held"
    assert cells[4].startswith("version 2 held")
    say(place, 2)
    assert row(person, place.name)[4] == "nothing"


def test_a_version_taken_out_of_force_again_counts_as_lacking(place: Place, person: WebClient) -> None:
    place.publish_one()
    say(place, 1)
    place.service.clock.ahead += timedelta(seconds=1)
    say(place, 1, "failed")
    cells = row(person, place.name)
    assert cells[1] == "no receipt yet"
    assert cells[2].startswith("1 version,")
    assert cells[4].startswith("version 1 failed")


def test_only_own_lists_and_own_receipts_show(place: Place, person: WebClient, people: People) -> None:
    place.publish_one()
    other = place.provider()
    place.say(other, 1)
    elsewhere = Place(people)
    assert row(person, place.name)[1] == "no receipt yet"
    assert f'<th scope="row">{elsewhere.name}<' not in person.get("/console/lists").text


def test_keys_say_how_old_they_are_and_metadata_when_it_ends(place: Place, person: WebClient) -> None:
    own = place.organisation_of(place.isp)
    with place.service.database.writing() as session:
        added = place.service.clock() - timedelta(days=40)
        identity.add_recipient(session, own, RECIPIENT, added)
    place.publish_one()
    page = person.get("/console/lists").text
    assert f"{RECIPIENT[:12]}…{RECIPIENT[-6:]}" in page
    assert "40 days" in page
    assert place.isp.credentials.client_id[:8] in page
    for role in ("root", "targets", "snapshot", "timestamp", place.name):
        assert re.search(rf"<td>{role}</td><td>\d+</td><td>\d{{4}}-", page), role
    with place.service.database.writing() as session:
        identity.end_recipient(session, RECIPIENT, place.service.clock())
    assert RECIPIENT[:12] not in person.get("/console/lists").text


def test_who_subscribes_to_nothing_is_told_so(people: People) -> None:
    assert "You subscribe to no list" in signed_in_client(people.service, Kind.ISP).get("/console/lists").text


def test_others_have_no_such_page(people: People) -> None:
    assert signed_in_client(people.service, Kind.OPERATOR).get("/console/lists").status_code == 403


def test_many_lists_cost_as_many_queries_as_one(place: Place, people: People) -> None:
    own = place.organisation_of(place.isp)
    place.publish_one()
    one = _queries(people.service, own)
    for _ in range(4):
        more = Place(people)
        more.service.subscribe(own, more.name)
        more.publish_one()
    assert _queries(people.service, own) == one


def _queries(service: Service, organisation: str) -> int:
    counted: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        counted.append(statement)

    event.listen(service.database.engine, "before_cursor_execute", count)
    try:
        with service.database.reading() as session:
            provider.standings(session, organisation, service.clock())
    finally:
        event.remove(service.database.engine, "before_cursor_execute", count)
    return len(counted)
