"""The reviewers' queue over HTTP: what waits, filtered and in pages, and the way on from an entry."""

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from app.core.terms import Kind
from tests.programs.service import STATEMENT, Service, new_entry, running
from tests.programs.webclient import signed_in_client
from tests.web.reviewers import World, rows, where


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(Service(tmp_path_factory.mktemp("reviewing") / "home")) as service:
        service.add_list()
        service.add_list("other", quorum={"url": 2})
        with service.connect(Kind.HOTLINE) as hotline:
            yield World(service, hotline, signed_in_client(service, Kind.REVIEW_BODY, name="Ada"))


def test_the_queue_shows_what_waits_without_an_address(world: World) -> None:
    first, second = world.entry(), world.entry(list="other", hosting_country="DE")
    page = world.reviewer.get("/console/queue").text
    assert rows(page)[-2:] == [first["id"], second["id"]]
    for secret in ("example.test", "example[.]test", STATEMENT, first["commitment_key"]):
        assert secret not in page


@pytest.mark.parametrize(
    ("filters", "changes"),
    [
        ("list=other", {"list": "other"}),
        ("scope=path", {"scope": "path"}),
        ("ground=lanzarote-20-1-a", {"legal_ground": "lanzarote-20-1-a"}),
        ("country=de", {"hosting_country": "DE"}),
        ("list=other&country=FR", {"list": "other", "hosting_country": "FR"}),
    ],
)
def test_the_queue_is_filtered(world: World, filters: str, changes: dict[str, str]) -> None:
    other, fits = world.entry(), world.entry(**changes)
    page = world.reviewer.get(f"/console/queue?{filters}")
    found = rows(page.text)
    assert fits["id"] in found
    assert other["id"] not in found
    assert rows(world.reviewer.get(f"/console/queue?{filters}", **{"HX-Request": "true"}).text) == found


@pytest.mark.parametrize("filters", ["scope=all", "ground=x", "country=Germany", "country=d'", "cursor=!"])
def test_a_filter_that_is_none_is_refused(world: World, filters: str) -> None:
    assert world.reviewer.get(f"/console/queue?{filters}").status_code == 422


def test_what_waits_for_more_than_a_day_is_marked_in_words(world: World) -> None:
    world.entry(hosting_country="LU")
    world.service.clock.ahead += timedelta(hours=25)
    world.reviewer.sign_in()
    world.entry(hosting_country="LU")
    page = world.reviewer.get("/console/queue?country=LU").text
    assert page.count("over 24 hours</span>") == 1
    assert "1 day <span" in page


def test_a_long_queue_comes_in_pages(world: World) -> None:
    batch = [new_entry(f"https://many.example.test/{number}", hosting_country="IS") for number in range(60)]
    world.hotline.request("POST", "/v1/entries/batch", json={"entries": batch})
    first = world.reviewer.get("/console/queue?country=IS").text
    link = re.search(r'href="(/console/queue\?[^"]*cursor=[^"]*)"', first)
    assert link is not None
    second = world.reviewer.get(link[1].replace("&amp;", "&")).text
    assert (len(rows(first)), len(rows(second)), len({*rows(first), *rows(second)})) == (50, 10, 60)
    assert "cursor=" not in second.partition("<main")[2]


def test_the_next_entry_keeps_the_filters_and_comes_round(world: World) -> None:
    first, skipped, last = (
        world.entry(hosting_country="NO"),
        world.entry(),
        world.entry(hosting_country="NO"),
    )
    on = f"/console/queue/next?country=NO&past={first['id']}"
    link = urlsplit(world.reviewer.get(on).headers["location"])
    assert (link.path, parse_qs(link.query)) == (where(last), {"country": ["NO"]})
    assert f"/console/queue/next?country=NO&amp;past={last['id']}" in world.reviewer.get(link.geturl()).text
    round_again = world.reviewer.get(f"/console/queue/next?country=NO&past={last['id']}")
    assert urlsplit(round_again.headers["location"]).path == where(first)
    assert skipped["id"] not in world.reviewer.get("/console/queue?country=NO").text
    alone = world.entry(hosting_country="MT")
    only = world.reviewer.get(f"/console/queue/next?country=MT&past={alone['id']}")
    assert only.headers["location"] == "/console/queue?country=MT"
