"""Authorities read lists over TAXII 2.1: who may, what shows when, and what never does."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import stix2

from app.client.session import Connection
from app.core.lifecycle import DelistReason, Event
from app.core.terms import Kind
from app.distribution import stix
from app.entries import covered
from app.entries import service as entries
from app.entries.models import Entry
from app.identity import service as identity
from app.platform.clock import instant
from tests.distribution.authority import Authority, entries_of
from tests.programs.service import LIST, Service, approve, leaves, new_entry, replay

URL = "https://a.example.test/1"


@pytest.fixture
def authority(service: Service) -> Iterator[Authority]:
    reader = Authority(service, LIST)
    with reader.connection:
        yield reader


@pytest.fixture
def operator(service: Service) -> Iterator[Connection]:
    with service.connect(Kind.OPERATOR) as connection:
        yield connection


def listed(service: Service, hotline: Connection, reviewer: Connection, *urls: str) -> list[str]:
    """Entries of a version that was just served."""
    bodies = [new_entry(url) for url in urls]
    found = hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()["entries"]
    for entry in found:
        approve(reviewer, entry)
    service.publish()
    return [entry["id"] for entry in found]


def recheck(service: Service, hotline: Connection, entry: str, outcome: str) -> None:
    body = {"outcome": outcome, "checked_at": instant(service.clock())}
    hotline.request("POST", f"/v1/entries/{entry}/rechecks", json=body)


def test_a_client_finds_its_way_from_discovery_to_the_list(
    service: Service, authority: Authority, hotline: Connection, reviewer: Connection
) -> None:
    service.add_list("other", title="Another")
    (entry,) = listed(service, hotline, reviewer, URL)
    (root,) = authority.server().api_roots
    (found,) = root.collections
    assert (found.alias, found.title, found.can_read, found.can_write) == (LIST, "A list", True, False)
    assert found.media_types == ["application/stix+json;version=2.1"]
    marking, author, indicator = found.get_objects()["objects"]
    assert marking == stix.TLP_AMBER
    assert stix2.parse(marking) == stix2.v21.TLP_AMBER
    assert author["type"] == "identity"
    assert (indicator["created_by_ref"], indicator["object_marking_refs"]) == (author["id"], [marking["id"]])
    assert indicator["pattern"] == f"[url:value = '{URL}']"
    assert indicator["created"] == indicator["modified"] == indicator["valid_from"]
    view = hotline.request("GET", f"/v1/entries/{entry}").json()
    assert indicator["valid_until"].replace(".000Z", "Z") == view["recheck_by"]
    assert "ground:lanzarote-20-1-b" in indicator["labels"]
    replay(service)


def test_a_list_shows_to_its_readers_only(
    service: Service, authority: Authority, hotline: Connection, reviewer: Connection
) -> None:
    listed(service, hotline, reviewer, URL)
    other = Authority(service)
    with other.connection:
        assert other.server().api_roots[0].collections == []
        for path in ("", "objects/", "manifest/", f"objects/{stix.TLP_AMBER['id']}/"):
            answer = other.get(path)
            assert (answer.status_code, answer.json()["type"]) == (404, "urn:wardlist:problem:not-found")
            assert answer.json() == other.get(path, name="no-such-list").json()
        other.grant()
        assert len(other.walk()) == 3
        other.revoke()
        assert other.get().status_code == 404
    assert [leaf["type"] for leaf in leaves_about(service)] == [
        "list.reader_added",
        "list.reader_added",
        "list.reader_removed",
    ]
    replay(service)


def leaves_about(service: Service) -> list[dict[str, str]]:
    with service.database.reading() as session:
        return [leaf for leaf in leaves(session) if leaf["type"].startswith("list.reader")]


def test_who_is_suspended_or_revoked_is_out_at_the_next_request(
    service: Service, authority: Authority
) -> None:
    assert authority.get().status_code == 200
    with service.database.writing() as session:
        identity.suspend_organisation(session, authority.organisation, True, service.clock())
    assert authority.get().status_code == 401
    other = Authority(service, LIST)
    with other.connection:
        assert other.get().status_code == 200
        with service.database.writing() as session:
            identity.revoke_client(session, other.connection.credentials.client_id, service.clock())
        assert other.get().status_code == 401


def test_a_delisting_revokes_and_takes_the_address_with_it(
    service: Service, authority: Authority, hotline: Connection, reviewer: Connection
) -> None:
    entry, stays = listed(service, hotline, reviewer, URL, "https://b.example.test/")
    before = {one["id"]: one for one in authority.indicators()}
    last = authority.get().headers["X-TAXII-Date-Added-Last"]
    recheck(service, hotline, entry, "removed")
    assert len(authority.indicators()) == 2
    service.publish()
    (revoked,) = authority.walk(added_after=last)
    assert revoked["revoked"] is True
    assert revoked["modified"] > before[revoked["id"]]["modified"]
    assert revoked["created"] == before[revoked["id"]]["created"]
    assert revoked["pattern"] == f"[x-wardlist-entry:id = '{entry}']"
    assert entries_of(authority.walk()) == [stays, entry]
    for which in ("first", "last", "all", before[revoked["id"]]["modified"]):
        for path in ("objects/", f"objects/{revoked['id']}/"):
            assert URL not in authority.get(path, params={"match[version]": which}).text
    replay(service)


def test_a_reaffirmation_is_news_with_the_later_date(
    service: Service, authority: Authority, hotline: Connection, reviewer: Connection
) -> None:
    (entry,) = listed(service, hotline, reviewer, URL)
    (first,) = authority.indicators()
    last = authority.get().headers["X-TAXII-Date-Added-Last"]
    service.clock.ahead += timedelta(days=3)
    recheck(service, hotline, entry, "still_available")
    service.publish()
    (renewed,) = authority.walk(added_after=last)
    assert (renewed["id"], renewed["created"]) == (first["id"], first["created"])
    assert renewed["modified"] > first["modified"]
    assert renewed["valid_until"] > first["valid_until"]
    seen = {"outcome": "still_available", "checked_at": instant(service.clock() - timedelta(days=2))}
    hotline.request("POST", f"/v1/entries/{entry}/rechecks", json=seen)
    service.publish()
    assert authority.indicators() == [renewed]
    replay(service)


def test_an_erased_entry_s_address_goes_at_once_and_in_the_end_all_of_it(
    service: Service,
    authority: Authority,
    hotline: Connection,
    reviewer: Connection,
    operator: Connection,
) -> None:
    entry, other = listed(service, hotline, reviewer, URL, "https://b.example.test/")
    (mine,) = [one["id"] for one in authority.indicators() if entry in str(one)]
    operator.request("POST", f"/v1/entries/{entry}/erasure", json={"reason": "victim_request"})
    assert entries_of(authority.walk()) == [other]
    assert authority.get(f"objects/{mine}/").json() == {"more": False}
    service.publish()
    revoked = authority.indicators()[-1]
    assert (revoked["id"], revoked["revoked"], "labels" in revoked) == (mine, True, False)
    assert "a.example.test" not in authority.get().text
    service.clock.ahead += timedelta(days=32)
    service.publish()
    assert entries_of(authority.walk()) == [other]
    assert authority.get(f"objects/{mine}/").status_code == 404
    replay(service)


def test_what_only_canaries_have_never_shows(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    canary = service.organisation(Kind.ISP)
    service.add_list("staged")
    service.subscribe(canary, "staged")
    with service.connect(Kind.OPERATOR) as operator:
        seen = operator.request("GET", "/v1/lists/staged/policy").json()
        policy = {**seen["policy"], "canaries": [canary], "base_version": seen["version"]}
        operator.request("PUT", "/v1/lists/staged/policy", json=policy)
    reader = Authority(service, "staged")
    with reader.connection:
        entry = hotline.request("POST", "/v1/entries", json=new_entry(list="staged")).json()
        approve(reviewer, entry)
        service.publish()
        asked_at = service.clock()
        assert reader.indicators(name="staged") == []
        service.clock.ahead += timedelta(minutes=11)
        service.publish()
        (shown,) = reader.indicators(name="staged", added_after=instant(asked_at))
        second = hotline.request("POST", "/v1/entries", json=new_entry(URL + "2", list="staged")).json()
        approve(reviewer, second)
        service.publish()
        recheck(service, hotline, entry["id"], "removed")
        service.publish()
        assert [(one["id"], one["revoked"]) for one in reader.indicators(name="staged")] == [
            (shown["id"], True)
        ]
    replay(service)


def test_who_comes_back_is_another_indicator(
    service: Service, authority: Authority, hotline: Connection, reviewer: Connection
) -> None:
    (entry_id,) = listed(service, hotline, reviewer, URL)
    for act in (_expire, covered.reinstate):
        with service.database.writing() as session:
            entry = session.get_one(Entry, entries.get(session, entry_id).seq)  # type: ignore[union-attr]
            act(session, entry, service.clock())
        service.publish()
    gone, back = authority.indicators()
    assert (gone["revoked"], "revoked" in back) == (True, False)
    assert gone["id"] != back["id"]
    assert entries_of([gone, back]) == [entry_id, entry_id]


def _expire(session, entry, now) -> None:  # type: ignore[no-untyped-def]
    entry.delist_reason = DelistReason.EXPIRED
    entries.transition(session, entry, Event.DELIST, now, reason="expired")


def test_a_first_reader_of_an_old_list_gets_what_stands_on_it_now(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    gone, stays = listed(service, hotline, reviewer, URL, "https://b.example.test/")
    recheck(service, hotline, gone, "removed")
    service.publish()
    reader = Authority(service, LIST)
    with reader.connection:
        assert reader.indicators() == []
        service.publisher.round()
        assert entries_of(reader.walk()) == [stays]
        reader.revoke()
        recheck(service, hotline, stays, "removed")
        service.publish()
        reader.grant()
        service.publisher.round()
        assert [one["revoked"] for one in reader.indicators()] == [True]
    replay(service)
