"""Submitting URLs: what is answered, what is kept, and that bad input keeps nothing."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.client.session import Connection
from app.core import commitment
from app.core.terms import Kind
from app.identity.tokens import Issuer
from tests.programs.service import Service, approve, leaves, new_entry

ENTRIES = "/v1/entries"


def test_a_submission_is_answered_with_key_commitment_and_digest(hotline: Connection) -> None:
    answer = hotline.send("POST", ENTRIES, json=new_entry("HTTPS://A.example.TEST:443/x/../1#f"))
    assert answer.status_code == 201
    view = answer.json()
    assert answer.headers["location"] == f"/v1/entries/{view['id']}"
    assert (view["status"], view["canonical_url"], view["scope"]) == (
        "submitted",
        "https://a.example.test/1",
        "url",
    )
    key = bytes.fromhex(view["commitment_key"])
    assert len(key) == 32
    assert view["commitment"] == commitment.commitment(
        key, entry=view["id"], scope="url", url=view["canonical_url"]
    )
    shown: Any = {name: view[name] for name in commitment.Statement.__annotations__}
    assert view["digest"] == commitment.digest(key, shown)
    assert hotline.request("GET", f"{ENTRIES}/{view['id']}").json() == view


def test_the_leaf_holds_no_url_and_no_free_text(service: Service, hotline: Connection) -> None:
    body = new_entry("https://secret-host.example.test/path-part")
    view = hotline.request("POST", ENTRIES, json=body).json()
    with service.database.reading() as session:
        leaf = next(leaf for leaf in leaves(session) if leaf["type"] == "entry.submitted")
    assert leaf["commitment"] == view["commitment"]
    assert leaf["digest"] == view["digest"]
    text = json.dumps(leaf)
    for hidden in ("secret-host", "path-part", "example", view["commitment_key"], body["statement"], "ref-1"):
        assert hidden not in text


FIELDS: dict[str, list[Any]] = {
    "url": [
        None,
        7,
        "",
        "no address",
        "ftp://a.example.test/",
        "http://192.0.2.1/",
        "https://co.uk/",
        "x" * 9000,
        [],
    ],
    "scope": [None, "page", "", 1],
    "measures": [
        None,
        [],
        ["blocking", "blocking"],
        ["delete"],
        "blocking",
        ["takedown", "blocking", "blocking"],
    ],
    "list": [None, "", "no-such-list", 5, "x" * 64, "../national-url"],
    "legal_ground": [None, "lanzarote-20-1-g", "", 1],
    "material": [None, "other", ""],
    "assessed_at": [
        None,
        "yesterday",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2999-01-01T00:00:00Z",
        [],
        1767323045,
        "1767323045",
        1767323045000,
    ],
    "statement": [
        None,
        "too short",
        " " * 20,
        "\u202e" * 20,
        "x" * 2001,
        "control \x00 character in a text",
        5,
    ],
    "hosting_country": [None, "nl", "NLD", "XX", "", 1],
    "hotline_reference": ["", "x" * 201, 5, "line\nbreak"],
}
CASES = [(field, value) for field, values in FIELDS.items() for value in values]


@pytest.mark.parametrize(("field", "value"), CASES, ids=[f"{f}-{i}" for i, (f, _) in enumerate(CASES)])
def test_bad_input_names_the_field_and_keeps_nothing(
    shared: tuple[Service, Connection], field: str, value: Any
) -> None:
    service, hotline = shared
    hotline.token()
    before = service.state()
    single = hotline.send("POST", ENTRIES, json=new_entry(**{field: value}))
    batch = {"entries": [new_entry(), {**new_entry("https://b.example.test/"), field: value}]}
    several = hotline.send("POST", f"{ENTRIES}/batch", json=batch)
    for answer, index in ((single, None), (several, 1)):
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["type"].startswith("urn:wardlist:problem:")
        fault = problem["errors"][0]
        assert fault["field"].split(".")[0] == field
        assert fault.get("index") == index
        assert fault["detail"]
    assert service.state() == before


def test_a_year_alone_is_no_moment(shared: tuple[Service, Connection]) -> None:
    answer = shared[1].send("GET", f"{ENTRIES}?since=2026")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "since"


@pytest.mark.parametrize("field", sorted(set(new_entry()) - {"hotline_reference"}))
def test_a_missing_field_is_named(shared: tuple[Service, Connection], field: str) -> None:
    body = new_entry()
    del body[field]
    answer = shared[1].send("POST", ENTRIES, json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"\xff\xfe", 400),
        (b"[" * 100000, 413),
        (b"null", 422),
    ],
    ids=["open", "empty", "list", "text", "bytes", "deep", "null"],
)
def test_a_body_that_is_no_object_is_a_problem(
    shared: tuple[Service, Connection], content: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = shared[1].send("POST", ENTRIES, content=content, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_unknown_fields_are_refused(shared: tuple[Service, Connection]) -> None:
    answer = shared[1].send("POST", ENTRIES, json=new_entry(reporter="somebody"))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "reporter")


def test_a_large_body_is_refused(shared: tuple[Service, Connection]) -> None:
    size = shared[0].settings.max_body_bytes + 1
    stated = shared[1].send("POST", ENTRIES, content=b"x" * size)
    assert stated.status_code == 413

    def chunks() -> Any:
        for _ in range(size // 65536 + 1):
            yield b" " * 65536

    headers = {"Content-Type": "application/json"}
    unstated = shared[1].send("POST", ENTRIES, content=chunks(), headers=headers)
    assert unstated.status_code == 413
    assert unstated.json()["type"] == "urn:wardlist:problem:body-too-large"


def test_the_same_again_is_named(service: Service, hotline: Connection) -> None:
    view = hotline.request("POST", ENTRIES, json=new_entry()).json()
    before = service.state()
    again = hotline.send("POST", ENTRIES, json=new_entry("http://A.example.test:80/1"))
    assert (again.status_code, again.json()["entry"]) == (409, view["id"])
    batch = hotline.send(
        "POST", f"{ENTRIES}/batch", json={"entries": [new_entry("https://z.test/"), new_entry()]}
    )
    assert (batch.status_code, batch.json()["entries"]) == (409, [view["id"]])
    assert batch.json()["errors"][0]["index"] == 1
    assert service.state() == before


def test_another_hotline_corroborates_and_sees_no_secret(service: Service, hotline: Connection) -> None:
    view = hotline.request("POST", ENTRIES, json=new_entry()).json()
    with service.connect(Kind.HOTLINE) as other:
        joined = other.send("POST", ENTRIES, json=new_entry(statement="Seen by another hotline as well."))
        assert (joined.status_code, joined.json()["id"], joined.json()["corroborations"]) == (
            200,
            view["id"],
            1,
        )
        for secret in ("commitment_key", "canonical_url", "statement", "hotline_reference"):
            assert joined.json()[secret] is None
        assert other.send("POST", ENTRIES, json=new_entry()).status_code == 409
        assert [one["id"] for one in other.request("GET", ENTRIES).json()["entries"]] == [view["id"]]
        assert other.send("POST", f"{ENTRIES}/{view['id']}/withdrawal").status_code == 403
    assert hotline.request("GET", f"{ENTRIES}/{view['id']}").json()["corroborations"] == 1


def test_other_scope_or_list_is_another_entry(service: Service, hotline: Connection) -> None:
    service.add_list("second")
    ids = {
        hotline.request("POST", ENTRIES, json=new_entry(**changes)).json()["id"]
        for changes in ({}, {"scope": "path"}, {"scope": "host"}, {"list": "second"})
    }
    assert len(ids) == 4


def test_a_withdrawn_url_can_be_submitted_again(hotline: Connection) -> None:
    first = hotline.request("POST", ENTRIES, json=new_entry()).json()
    withdrawn = hotline.request("POST", f"{ENTRIES}/{first['id']}/withdrawal").json()
    assert withdrawn["status"] == "withdrawn"
    assert hotline.send("POST", f"{ENTRIES}/{first['id']}/withdrawal").status_code == 409
    assert hotline.request("POST", ENTRIES, json=new_entry()).json()["id"] != first["id"]


def test_scopes_the_list_does_not_take_are_refused(service: Service, hotline: Connection) -> None:
    service.add_list("urls-only", scopes=["url"], quorum={"url": 1})
    answer = hotline.send("POST", ENTRIES, json=new_entry(list="urls-only", scope="host"))
    assert answer.json()["type"] == "urn:wardlist:problem:scope-not-on-list"


def test_a_batch_is_all_or_nothing(service: Service, hotline: Connection) -> None:
    many = [new_entry(f"https://h{number}.example.test/") for number in range(1000)]
    taken = hotline.request("POST", f"{ENTRIES}/batch", json={"entries": many}).json()["entries"]
    assert len({one["id"] for one in taken}) == 1000
    assert [one["canonical_url"] for one in taken] == [one["url"] for one in many]
    before = service.state()
    twice = [new_entry("https://n.example.test/"), new_entry("http://N.example.test/#x")]
    for entries in (twice, [], [new_entry(f"https://m{n}.example.test/") for n in range(1001)]):
        assert hotline.send("POST", f"{ENTRIES}/batch", json={"entries": entries}).status_code == 422
    assert service.state() == before


def test_an_idempotency_key_does_the_work_once(service: Service, hotline: Connection) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = hotline.send("POST", ENTRIES, json=new_entry(), headers=headers)
    before = service.state()
    again = hotline.send("POST", ENTRIES, json=new_entry(), headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    other = hotline.send("POST", ENTRIES, json=new_entry("https://b.example.test/"), headers=headers)
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    batch = hotline.send("POST", f"{ENTRIES}/batch", json={"entries": [new_entry()]}, headers=headers)
    assert batch.status_code == 422
    assert service.state() == before
    with service.connect(Kind.HOTLINE) as stranger:
        assert stranger.send("POST", ENTRIES, json=new_entry(), headers=headers).status_code == 200


def test_an_idempotency_key_is_forgotten_after_a_day(service: Service, hotline: Connection) -> None:
    headers = {"Idempotency-Key": "k-1"}
    hotline.request("POST", ENTRIES, json=new_entry(), headers=headers)
    service.clock.ahead += timedelta(hours=24, minutes=1)
    issuer = Issuer(service.address, service.keyring.token)
    token = issuer.issue(hotline.credentials.client_id, "o", {"entries:write"}, service.clock())
    headers["Authorization"] = f"Bearer {token}"
    answer = httpx.post(f"{service.address}{ENTRIES}", json=new_entry(), headers=headers)
    assert answer.status_code == 409


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "caf\u00e9".encode().decode("latin-1")])
def test_a_malformed_idempotency_key_is_named(shared: tuple[Service, Connection], key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    answer = shared[1].send("POST", ENTRIES, json=new_entry(), headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert answer.json()["type"] == "urn:wardlist:problem:idempotency-key-invalid"


def test_listing_by_cursor_and_filters(service: Service, hotline: Connection, reviewer: Connection) -> None:
    many = [new_entry(f"https://h{number}.example.test/") for number in range(7)]
    ids = [
        one["id"]
        for one in hotline.request("POST", f"{ENTRIES}/batch", json={"entries": many}).json()["entries"]
    ]
    service.add_list("second")
    approve(reviewer, hotline.request("GET", f"{ENTRIES}/{ids[3]}").json())
    seen: list[str] = []
    address = f"{ENTRIES}?limit=3"
    while address:
        answer = hotline.request("GET", address)
        seen += [one["id"] for one in answer.json()["entries"]]
        address = answer.links.get("next", {}).get("url", "")
    assert seen == ids
    assert [one["id"] for one in hotline.request("GET", f"{ENTRIES}?status=approved").json()["entries"]] == [
        ids[3]
    ]
    assert hotline.request("GET", f"{ENTRIES}?list=second").json()["entries"] == []
    assert len(hotline.request("GET", f"{ENTRIES}?since=2020-01-01T00:00:00Z").json()["entries"]) == 7
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert hotline.request("GET", f"{ENTRIES}?since={later}").json()["entries"] == []
    for query in (
        "limit=0",
        "limit=1001",
        "cursor=!",
        "cursor=eA",
        "status=gone",
        "since=today",
        "since=2026-01-01",
    ):
        answer = hotline.send("GET", f"{ENTRIES}?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, query.split("=")[0])


def test_a_hotline_sees_its_own_entries_only(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    view = hotline.request("POST", ENTRIES, json=new_entry()).json()
    with service.connect(Kind.HOTLINE) as other:
        assert other.send("GET", f"{ENTRIES}/{view['id']}").status_code == 404
        assert other.request("GET", ENTRIES).json()["entries"] == []
        assert other.send("POST", f"{ENTRIES}/{view['id']}/withdrawal").status_code == 404
    assert (
        reviewer.request("GET", f"{ENTRIES}/{view['id']}").json()["commitment_key"] == view["commitment_key"]
    )
