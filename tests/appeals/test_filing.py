"""Filing an appeal and reading it: nobody learns from it what is listed, and nothing lies about in clear."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from app.appeals.decisions import KEPT
from app.client.session import Connection
from app.core.terms import Kind
from tests.appeals.people import STATEMENT, URL, decide, file, listed, log_id, read, send, submit, waiting
from tests.programs.service import LIST, Service, approve, leaves

UNKNOWN = "https://page.example.test/window/1"
KNOWN = "https://cafe.example.test/window/1"


@contextmanager
def statements(service: Service) -> Iterator[list[str]]:
    """Every SQL statement issued until the block ends."""
    issued: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        issued.append(statement)

    event.listen(service.database.engine, "before_cursor_execute", note)
    try:
        yield issued
    finally:
        event.remove(service.database.engine, "before_cursor_execute", note)


def test_listed_known_and_unknown_addresses_get_the_same_answer(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    listed(service, hotline, reviewer)
    submit(hotline, KNOWN)
    answers, issued = [], []
    for url in (URL, KNOWN, UNKNOWN):
        with statements(service) as found:
            answers.append(send(service, url, proof="dns_txt"))
        issued.append(found)
    first, *others = answers
    for other in others:
        assert (other.status_code, len(other.content)) == (first.status_code, len(first.content))
        assert other.headers.keys() == first.headers.keys()
        random = {"reference", "secret", "proof_token", "decide_by"}
        assert {k: v for k, v in other.json().items() if k not in random} == {
            k: v for k, v in first.json().items() if k not in random
        }
        assert other.json().keys() == first.json().keys()
    assert issued[0] == issued[1] == issued[2]
    tables = set(re.findall(r'(?:FROM|INTO|UPDATE|JOIN)\s+"?(\w+)', " ".join(issued[0])))
    assert tables >= {"appeal", "appeal_key", "appeal_cipher", "leaf"}
    assert not tables & {"entry", "entry_key", "entry_cipher", "corroboration", "review", "snapshot"}


def test_reading_before_a_decision_tells_nothing_either(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    listed(service, hotline, reviewer)
    filed = [file(service, url) for url in (URL, UNKNOWN)]
    service.clock.ahead += timedelta(days=20)
    service.publish()
    issued, answers = [], []
    for one in filed:
        with statements(service) as found:
            answers.append(read(service, one))
        issued.append(found)
    assert answers[0].status_code == 200
    assert set(answers[0].json()) == {"reference", "state", "filed_at", "decide_by"}
    assert answers[0].json().keys() == answers[1].json().keys()
    assert len(answers[0].content) == len(answers[1].content)
    assert issued[0] == issued[1]


def test_a_wrong_secret_and_an_unknown_appeal_are_the_same_404(service: Service) -> None:
    filed, other = file(service), file(service)
    unknown = {**filed, "reference": "0" * 36}
    answers = [
        read(service, filed, "x" * 43),
        read(service, filed, other["secret"]),
        read(service, filed, "a b"),
        httpx.get(f"{service.address}/v1/appeals/{filed['reference']}"),
        read(service, unknown),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert read(service, filed).status_code == 200


def test_the_deadline_is_that_of_the_list_named_or_the_shortest_of_all(service: Service) -> None:
    service.add_list("slow", appeal_days=40)
    service.add_list("fast", appeal_days=5)

    def days(**body: Any) -> int:
        filed_at = read(service, filed := file(service, **body)).json()["filed_at"]
        return (datetime.fromisoformat(filed["decide_by"]) - datetime.fromisoformat(filed_at)).days

    assert [days(list="slow"), days(list=LIST), days(), days(list="unknown")] == [40, 15, 5, 5]


def test_an_appeal_about_one_list_does_not_concern_another(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    service.add_list("other")
    listed(service, hotline, reviewer)
    file(service, list="other")
    file(service, list=LIST)
    assert [len(one["entries"]) for one in waiting(judge)] == [0, 1]


@pytest.mark.parametrize("scope", ["url", "path", "host", "domain"])
def test_an_appeal_concerns_whatever_covers_the_address(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection, scope: str
) -> None:
    entry = submit(hotline, "https://shop.example.test/window/1", scope=scope)
    other = submit(hotline, "https://other.example.test/window/1", scope=scope)
    with service.connect(Kind.REVIEW_BODY) as second:
        for one in (entry, other):
            bodies = [reviewer, second] if scope in ("host", "domain") else [reviewer]
            assert [approve(body, one)["status"] for body in bodies][-1] == "approved"
    file(service, "HTTP://SHOP.example.test:80/window/1#top")
    found = waiting(judge)[0]
    assert [one["id"] for one in found["entries"]] == [entry["id"]]
    assert found["entries"][0]["scope"] == scope
    assert found["entries"][0]["legal_ground"] == "lanzarote-20-1-b"


BAD: dict[str, list[Any]] = {
    "url": [None, 5, "x", "ftp://a.example.test/", "https://user@a.example.test/", "https://192.0.2.1/"],
    "statement": [None, "too short", "x" * 4001, "x" * 30 + "\x00"],
    "list": [5, "", "No Such", "https://a.example.test/", "x" * 64],
    "proof": [5, "email", ""],
    "contact": ["a@example.test"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values], ids=str
)
def test_bad_fields_are_named_and_nothing_is_kept(
    shared: tuple[Service, Connection], name: str, value: Any
) -> None:
    service, _ = shared
    before = service.state()
    answer = send(service, **{name: value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == name
    assert service.state() == before


def test_a_refused_address_names_the_same_rule_as_a_submission(shared: tuple[Service, Connection]) -> None:
    service, _ = shared
    assert send(service, "https://user@a.example.test/").json()["type"] == "urn:wardlist:problem:url-userinfo"


def files(home: Path) -> list[bytes]:
    return [path.read_bytes() for path in home.rglob("*") if path.is_file() and not path.is_symlink()]


def test_neither_address_nor_statement_nor_secret_is_on_the_disk(service: Service, judge: Connection) -> None:
    filed = file(service, proof="well_known")
    service.publish()
    assert decide(service, judge, filed, "denied").status_code == 201
    service.publish()
    forms = [URL, "shop.example", STATEMENT, "garden tools", filed["secret"], filed["proof_token"]]
    forms += ["shows what the appellant says"]
    whole = b"".join([*files(service.settings.home), *(row.encode() for row in service.state())])
    assert filed["reference"].encode() in whole
    for form in forms:
        assert form.encode() not in whole
        assert form.encode("utf-16-le") not in whole


def test_an_appeal_outlives_the_epochs_and_goes_half_a_year_after_its_decision(
    service: Service, judge: Connection
) -> None:
    filed = file(service)
    service.publish()
    for _ in range(3):
        service.clock.ahead += timedelta(days=1)
        service.publisher.daily()
    assert waiting(judge)[0]["url"] == URL
    assert decide(service, judge, filed, "denied").status_code == 201
    service.clock.ahead += KEPT - timedelta(minutes=1)
    service.publish()
    assert read(service, filed).json()["reasons"] == "The page shows what the appellant says."
    service.clock.ahead += timedelta(minutes=2)
    service.publish()
    told = read(service, filed).json()
    assert (told["outcome"], "reasons" in told) == ("denied", False)
    filled = {row.partition(" ")[0] for row in service.state()}
    assert "appeal" in filled
    assert not {"appeal_key", "appeal_cipher"} & filled


def test_the_log_holds_no_more_than_that_an_appeal_was_filed(service: Service) -> None:
    filed = file(service, proof="dns_txt", list=LIST)
    with service.database.reading() as session:
        newest = leaves(session)[-1]
    assert newest.keys() == {"appeal", "at", "type"}
    assert (newest["type"], newest["appeal"]) == ("appeal.filed", log_id(service, filed))
    assert filed["reference"] not in str(newest)


def test_a_proof_is_offered_by_a_token_that_the_body_sees_too(service: Service, judge: Connection) -> None:
    with_proof, without = file(service, proof="well_known"), file(service)
    assert "well-known" in with_proof["proof_instructions"]
    assert not {"proof_token", "proof_instructions"} & without.keys()
    shown = waiting(judge)
    assert (shown[0]["proof"], shown[0]["proof_token"]) == ("well_known", with_proof["proof_token"])
    assert (shown[1]["proof"], shown[1]["proof_token"]) == (None, None)


def test_hotlines_and_operators_see_no_appeal(service: Service, hotline: Connection) -> None:
    file(service)
    assert hotline.send("GET", "/v1/appeals").status_code == 403
    with service.connect(Kind.OPERATOR) as operator:
        assert operator.send("GET", "/v1/appeals").status_code == 403
