"""TAXII 2.1 to the letter: media types, filters, one object, its versions, the manifest, and refusals."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.core.terms import Kind
from app.distribution import stix, taxii
from tests.distribution.authority import COLLECTIONS, MEDIA_TYPE, Authority
from tests.programs.service import LIST, Service, approve, new_entry, running

URLS = [f"https://a.example.test/{number}" for number in range(4)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """A reader of a list with four entries, two of them in each of two versions."""
    with running(Service(tmp_path_factory.mktemp("taxii") / "home")) as up:
        up.add_list()
        reader = Authority(up, LIST)
        with up.connect(Kind.HOTLINE) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer, reader.connection:
            for some in (URLS[:2], URLS[2:]):
                for url in some:
                    approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry(url)).json())
                up.publish()
            yield reader


@pytest.fixture(scope="module")
def everything(authority: Authority) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = authority.get().json()["objects"]
    return found


@pytest.mark.parametrize(
    "accept",
    [
        MEDIA_TYPE,
        "application/taxii+json",
        'application/taxii+json; version="2.1"',
        "text/html, application/taxii+json;version=2.1;q=0.5",
        "APPLICATION/TAXII+JSON",
        "application/*",
        "*/*",
    ],
)
def test_whoever_takes_taxii_gets_it(authority: Authority, accept: str) -> None:
    for path in ("", "objects/", "manifest/"):
        answer = authority.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPE)
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "application/taxii+json;version=2.0",
        "application/vnd.oasis.taxii+json; version=2.0",
        "application/taxii+json;q=0",
        "text/html",
        "",
    ],
)
def test_who_takes_no_taxii_2_1_is_told_so(authority: Authority, accept: str) -> None:
    answer = authority.get(headers={"Accept": accept})
    assert (answer.status_code, answer.json()["type"]) == (406, "urn:wardlist:problem:not-acceptable")
    assert MEDIA_TYPE in answer.json()["detail"]


@pytest.mark.parametrize(
    "given",
    [
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "x"},
        {"limit": "1" * 19},
        {"next": "AAAA"},
        {"next": "é"},
        {"next": ""},
        {"added_after": "yesterday"},
        {"added_after": "2026-01-02T03:04:05"},
        {"added_after": "2026-13-02T03:04:05Z"},
        {"match[version]": "newest"},
        {"match[id]": ""},
        {"match[type]": "indicator,"},
        {"match[id]": ",".join(map(str, range(101)))},
    ],
)
def test_a_filter_that_cannot_be_read_is_a_400(authority: Authority, given: dict[str, str]) -> None:
    for path in ("objects/", "manifest/"):
        answer = authority.get(path, params=given)
        assert (answer.status_code, answer.json()["parameter"]) == (400, next(iter(given)))


def test_a_next_that_was_changed_or_is_of_another_list_is_a_400(authority: Authority) -> None:
    authority.service.add_list("other")
    authority.grant("other")
    mine = authority.get(params={"limit": 1}).json()["next"]
    assert authority.get(params={"next": mine}).status_code == 200
    for at in range(len(mine)):
        changed = mine[:at] + ("A" if mine[at] != "A" else "B") + mine[at + 1 :]
        assert authority.get(params={"next": changed}).status_code == 400, at
    assert authority.get(name="other", params={"next": mine}).status_code == 400


def test_filters_narrow_what_is_given(authority: Authority, everything: list[dict[str, Any]]) -> None:
    marking, author, first, second, *_ = everything
    ids = [one["id"] for one in everything]

    def found(**given: str) -> list[str]:
        params = {name if name == "added_after" else f"match[{name}]": value for name, value in given.items()}
        answer = authority.get(params=params).json()
        assert answer.get("objects") != []
        return [one["id"] for one in answer.get("objects", [])]

    assert found(type="indicator") == ids[2:]
    assert found(type="identity,marking-definition") == ids[:2]
    assert found(type="malware") == []
    assert found(id=f"{second['id']},{marking['id']}") == [marking["id"], second["id"]]
    assert found(id=f"{second['id']},indicator--x", type="identity") == []
    assert found(version=first["modified"]) == [first["id"], second["id"]]
    assert found(version=author["modified"]) == [author["id"]]
    assert found(version="2020-01-01T00:00:00.000Z") == []
    assert found(version="9999-12-31T23:59:59.999Z") == []
    assert found(version=first["modified"].replace("Z", "001Z")) == []
    assert (
        found(version="first") == found(version="all") == found(version=f"last,{author['modified']}") == ids
    )
    assert found(spec_version="2.0") == []
    assert found(spec_version="2.0,2.1") == found(nonsense="x") == ids
    assert found(added_after="9999-12-31T23:59:59.999999Z") == []
    assert found(added_after="0001-01-01T00:00:00Z") == ids


def test_dates_of_a_page_lead_on_from_its_middle(
    authority: Authority, everything: list[dict[str, Any]]
) -> None:
    at, walked = "2000-01-01T00:00:00Z", []
    while page := authority.get(params={"limit": 1, "added_after": at}):
        if "objects" not in page.json():
            assert "x-taxii-date-added-last" not in page.headers
            break
        assert page.headers["x-taxii-date-added-first"] == page.headers["x-taxii-date-added-last"] > at
        at = page.headers["x-taxii-date-added-last"]
        walked += page.json()["objects"]
    assert walked == everything


def test_the_manifest_is_the_page_without_content(
    authority: Authority, everything: list[dict[str, Any]]
) -> None:
    page = authority.get("manifest/")
    records = page.json()["objects"]
    expected = [(one["id"], one.get("modified", one["created"])) for one in everything]
    assert [(one["id"], one["version"]) for one in records] == expected
    dates = [one["date_added"] for one in records]
    assert dates == sorted(set(dates))
    assert (page.headers["x-taxii-date-added-first"], page.headers["x-taxii-date-added-last"]) == (
        dates[0],
        dates[-1],
    )
    assert not any(url in page.text for url in URLS)
    assert len(authority.get("manifest/", params={"limit": 2}).json()["objects"]) == 2


def test_one_object_and_its_versions(authority: Authority, everything: list[dict[str, Any]]) -> None:
    for one in everything:
        answer = authority.get(f"objects/{one['id']}/")
        assert answer.json() == {"more": False, "objects": [one]}
        versions = authority.get(f"objects/{one['id']}/versions/")
        assert versions.json() == {"more": False, "versions": [one.get("modified", one["created"])]}
        assert versions.headers["x-taxii-date-added-last"] == answer.headers["x-taxii-date-added-last"]
    last = everything[-1]["id"]
    assert authority.get(f"objects/{last}/", params={"match[spec_version]": "2.0"}).json() == {"more": False}
    for unknown in ("indicator--0", "x", stix.TLP_AMBER["id"] + "0", last.removeprefix("indicator--")):
        for path in (f"objects/{unknown}/", f"objects/{unknown}/versions/"):
            assert authority.get(path).status_code == 404


def test_the_alias_leads_to_the_list_and_nothing_else_does(authority: Authority) -> None:
    headers = {"Authorization": f"Bearer {authority.connection.token()}"}
    base = authority.service.address + COLLECTIONS
    by_alias = httpx.get(f"{base}{LIST}/objects/", headers=headers).json()
    assert by_alias == authority.get().json()
    for wrong in ("nothing", taxii.collection_id("nothing"), "%2e%2e"):
        assert httpx.get(f"{base}{wrong}/objects/", headers=headers).status_code == 404


def test_nobody_writes(authority: Authority) -> None:
    headers = {"Authorization": f"Bearer {authority.connection.token()}"}
    path = f"{authority.service.address}{COLLECTIONS}{LIST}/objects/"
    assert httpx.post(path, headers=headers, json={"objects": []}).status_code == 405
    assert httpx.delete(f"{path}{stix.TLP_AMBER['id']}/", headers=headers).status_code == 405


def test_the_root_and_discovery_name_each_other(authority: Authority) -> None:
    headers = {"Authorization": f"Bearer {authority.connection.token()}"}
    found = httpx.get(f"{authority.service.address}/taxii2/", headers=headers)
    assert found.headers["cache-control"] == "no-store"
    root = httpx.get(found.json()["default"], headers=headers).json()
    assert found.json()["api_roots"] == [found.json()["default"]]
    assert root["versions"] == [MEDIA_TYPE]
    assert root["max_content_length"] == authority.service.settings.max_body_bytes
