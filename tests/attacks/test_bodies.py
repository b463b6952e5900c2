"""Bodies that are too deep, too large, ambiguous or of no form we take: each a problem, never a failure."""

import json
from typing import Any

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from app.platform.http import STRANGERS_BYTES
from tests.attacks import authorisation
from tests.attacks.authorisation import Route, Row
from tests.programs.service import Service, new_entry

Shared = tuple[Service, Connection]
DEEP = b'{"url":' + b"[" * 100_000
DECLARED: list[Route] = [*authorisation.api(), *authorisation.public()]
TAKING = [row for row in DECLARED if row.method in ("POST", "PUT")]
OTHER_FORMS = {"/oauth/token", "/v1/exchange", "/takedown/{token}"}
"""Bodies that are no JSON: forms, and what is sealed."""


@pytest.fixture(scope="module")
def tokens(shared: Shared) -> dict[Kind, str]:
    found = {}
    for kind in Kind:
        with shared[0].connect(kind) as connection:
            found[kind] = connection.token()
    return found


def send(shared: Shared, body: bytes, path: str = "/v1/entries", **headers: str) -> httpx.Response:
    service, hotline = shared
    said = {"Content-Type": "application/json", "Authorization": f"Bearer {hotline.token()}", **headers}
    return httpx.post(service.address + path, content=body, headers=said)


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].removeprefix("urn:wardlist:problem:")


@pytest.mark.parametrize(
    "row", [row for row in TAKING if row.path not in OTHER_FORMS], ids=lambda row: str(row.name)
)
def test_no_route_reads_what_is_nested_without_end(
    shared: Shared, tokens: dict[Kind, str], row: Route
) -> None:
    token = tokens[row.parts[0][0]] if isinstance(row, Row) else ""
    said = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    path = "/".join("nothing" if part.startswith("{") else part for part in row.path.split("/"))
    body = DEEP[:STRANGERS_BYTES]
    answer = httpx.request(row.method, shared[0].address + path, content=body, headers=said)
    assert problem(answer) == (413, "body-too-complex")


@pytest.mark.parametrize("path", sorted(OTHER_FORMS - {"/takedown/{token}"}))
def test_what_is_no_json_is_not_read_as_such(shared: Shared, path: str) -> None:
    for kind in ("application/x-www-form-urlencoded", "application/octet-stream", "text/plain"):
        answer = httpx.post(
            shared[0].address + path, content=DEEP[:STRANGERS_BYTES], headers={"Content-Type": kind}
        )
        assert 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    "changes",
    [{"statement": "a" * 70_000}, {"hotline_reference": ["x"] * 260_000}, {"url": {"a": {"b": [[[]]] * 9}}}],
    ids=["string", "values", "nested"],
)
def test_a_submission_past_the_limits_is_a_problem(shared: Shared, changes: dict[str, Any]) -> None:
    answer = send(shared, json.dumps({**new_entry(), **changes}).encode())
    assert problem(answer) in ((413, "body-too-complex"), (422, "invalid-input"))


@pytest.mark.parametrize(
    "body",
    [
        b'{"url": "https://a.example.test/", "url": "https://b.example.test/"}',
        b'{"statement": NaN}',
        b'{"url": "https://a.example.test/\xff"}',
        json.dumps(new_entry()).encode("utf-16"),
        b"{",
    ],
    ids=["a name twice", "NaN", "not UTF-8", "UTF-16", "cut off"],
)
@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/problem+json",
        "Application/JSON; charset=utf-16",
        "application/json\xa0",
    ],
)
def test_what_readers_could_read_differently_is_refused(shared: Shared, body: bytes, kind: str) -> None:
    said = {
        b"Content-Type": kind.encode("latin-1"),
        b"Authorization": b"Bearer " + shared[1].token().encode(),
    }
    answer = httpx.post(f"{shared[0].address}/v1/entries", content=body, headers=said)
    assert problem(answer) == (400, "body-not-json")


def test_uploads_of_files_are_not_taken_apart(shared: Shared) -> None:
    for path in ("/v1/entries", "/oauth/token", "/appeal"):
        answer = httpx.post(shared[0].address + path, files={"grant_type": b"x" * 10_000})
        assert problem(answer) == (415, "media-type-not-taken")


def test_who_shows_no_token_may_send_little(shared: Shared) -> None:
    address, body = f"{shared[0].address}/v1/appeals", b'{"statement":"' + b"a" * STRANGERS_BYTES + b'"}'
    said = {"Content-Type": "application/json"}
    assert problem(httpx.post(address, content=body, headers=said)) == (413, "body-too-large")
    chunked = httpx.post(address, content=iter([body]), headers=said)
    assert problem(chunked) == (413, "body-too-large")
    assert problem(send(shared, body)) in ((413, "body-too-complex"), (422, "invalid-input"))


def test_nobody_may_send_more_than_the_setting_says(shared: Shared) -> None:
    most = shared[0].settings.max_body_bytes
    assert problem(send(shared, b" " * (most + 1))) == (413, "body-too-large")


def test_forms_have_few_fields(shared: Shared) -> None:
    form = b"&".join(b"a%d=1" % number for number in range(5_000))
    said = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = httpx.post(f"{shared[0].address}/oauth/token", content=form, headers=said)
    assert 400 <= answer.status_code < 500
