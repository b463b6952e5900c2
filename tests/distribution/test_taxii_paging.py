"""A list of 5,000 entries over TAXII: one order, whatever the page size and whatever comes in between."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from app.client.session import Connection
from app.core.policy import NO_BRAKE
from app.core.terms import Kind
from app.distribution import indicators, taxii
from app.distribution.models import Indicator
from app.distribution.taxii_filters import Filters
from app.lists import service as lists
from bench import filling
from tests.distribution.authority import Authority, Objects, entries_of
from tests.programs import plans
from tests.programs.service import LIST, Service, approve, new_entry, running

COUNT = 5000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with running(Service(tmp_path_factory.mktemp("paging") / "home")) as up:
        up.add_list(brake_changes=NO_BRAKE, brake_free=NO_BRAKE)
        filling.listed(up, COUNT)
        reader = Authority(up, LIST)
        up.publisher.round()
        with reader.connection:
            yield reader


@pytest.fixture(scope="module")
def people(authority: Authority) -> Iterator[tuple[Connection, Connection, Connection]]:
    up = authority.service
    with (
        up.connect(Kind.HOTLINE) as hotline,
        up.connect(Kind.REVIEW_BODY) as reviewer,
        up.connect(Kind.OPERATOR) as operator,
    ):
        yield hotline, reviewer, operator


def change(
    authority: Authority, people: tuple[Connection, Connection, Connection], leaving: list[str], url: str
) -> str:
    """A version without some entries and with a new one; the new one's id."""
    hotline, reviewer, operator = people
    if leaving:
        operator.request("POST", "/v1/entries/emergency-delisting", json={"entries": leaving})
    entry = hotline.request("POST", "/v1/entries", json=new_entry(url)).json()
    approve(reviewer, entry)
    authority.service.publish()
    return str(entry["id"])


def dates(authority: Authority, **params: Any) -> list[tuple[str, str]]:
    """(date added, id) of the whole manifest."""
    found, following = [], None
    while True:
        page = authority.get(
            "manifest/", params={**params, **({"next": following} if following else {})}
        ).json()
        found += [(one["date_added"], one["id"]) for one in page.get("objects", [])]
        following = page.get("next")
        if not page["more"]:
            return found


def test_a_client_walks_all_pages_and_sees_additions_and_revocations_in_order(
    authority: Authority, people: tuple[Connection, Connection, Connection]
) -> None:
    first = authority.walk()
    assert [one["type"] for one in first[:2]] == ["marking-definition", "identity"]
    assert len(first) == COUNT + 2
    assert len(set(entries_of(first))) == COUNT
    last = dates(authority)[-1][0]
    expected = []
    for number in range(3):
        leaving = entries_of(first)[number * 5 : number * 5 + 5]
        came = change(authority, people, leaving, f"https://new.example.test/{number}")
        expected.append((sorted(leaving), came))
    news = authority.walk(per_request=4, added_after=last)
    told = [(one.get("revoked", False), entry) for one, entry in zip(news, entries_of(news), strict=True)]
    for at, (leaving, came) in enumerate(expected):
        some = told[at * 6 : at * 6 + 6]
        assert some[:5] == [(True, entry) for entry in leaving]
        assert some[5] == (False, came)
    assert len(told) == 18
    assert len(authority.walk(is_parsed=False)) == COUNT + 2 + 3
    moments = [at for at, _ in dates(authority)]
    assert moments == sorted(set(moments))


@pytest.mark.parametrize("size", [77, 999, 1000, 5000])
def test_the_order_is_the_same_whatever_the_page_size(authority: Authority, size: int) -> None:
    whole = dates(authority)
    assert dates(authority, limit=size) == whole
    pages = authority.get("manifest/", params={"limit": size}).json()["objects"]
    assert len(pages) == min(size, 1000)


def test_nothing_is_missed_or_doubled_while_versions_come_out(
    authority: Authority, people: tuple[Connection, Connection, Connection]
) -> None:
    there = authority.indicators(is_parsed=False)
    live = [one for one in there if "revoked" not in one]
    seen: Objects = []
    following: str | None = None
    came, gone, number = [], [], 0
    while True:
        params = {"limit": 900, **({"next": following} if following else {})}
        page = authority.get(params=params).json()
        seen += [one for one in page["objects"] if one["type"] == "indicator"]
        if number < 3:
            leaving = entries_of([live[number * 10], live[-1 - number * 10]])
            gone += leaving
            came.append(change(authority, people, leaving, f"https://between.example.test/{number}"))
            number += 1
        following = page.get("next")
        if not page["more"]:
            break
    versions = [(one["id"], one["modified"]) for one in seen]
    assert len(set(versions)) == len(versions)
    newest = {one["id"]: one for one in seen}
    now = {one["id"]: one for one in authority.indicators(is_parsed=False)}
    assert newest == now
    assert set(came) <= set(entries_of(list(now.values())))
    assert {entry for one in now.values() if "revoked" in one for entry in entries_of([one])} >= set(gone)


def test_a_page_costs_the_same_few_queries_and_no_scan(authority: Authority) -> None:
    service = authority.service
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    service.database.count()
    event.listen(service.database.engine, "before_cursor_execute", note)
    with service.database.reading() as session:
        (found,) = lists.every(session, LIST)
        for limit in (1000, 10):
            statements.clear()
            page = taxii.page(session, found, service.address, Filters(limit=limit))
            taxii.objects(session, service.keyring.epochs, service.address, page.items)
            assert len(statements) <= 8
            for statement, parameters in list(statements):
                steps = plans.steps(session.connection(), statement, parameters)
                assert plans.reads(steps)
                assert not any(plans.is_walk(step) and "block_list" not in step for step in steps), steps
                if " indicator" in statement:
                    assert any("indicator_by_date" in step for step in steps), steps
                    assert not any(plans.is_sort(step) for step in steps), steps


def test_a_long_list_is_taken_up_in_steps(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a first reader, with a publisher that is stopped in between."""
    service, before = authority.service, set(entries_of(authority.walk(is_parsed=False)))
    live = {
        entry
        for one in authority.indicators(is_parsed=False)
        if "revoked" not in one
        for entry in entries_of([one])
    }
    monkeypatch.setattr(indicators, "MOST", 300)
    with service.database.writing() as session:
        session.execute(sa.text("DELETE FROM indicator"))
        session.execute(sa.text("DELETE FROM indicator_progress"))
    for _ in range(3):
        with service.database.writing() as session:
            assert not indicators.follow(session, LIST, service.clock())
    assert len(authority.indicators(is_parsed=False)) == 900
    service.publisher.round()
    found = authority.indicators(is_parsed=False)
    assert set(entries_of(found)) == live <= before
    assert len(found) == len(live)
    with service.database.reading() as session:
        rows = session.execute(sa.select(Indicator.listed_in).order_by(Indicator.added_at)).scalars().all()  # type: ignore[call-overload]
        assert list(rows) == sorted(rows)
