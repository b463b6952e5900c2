"""Cursors that nobody was given: too far for a database's integers, or none at all."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.service import LIST, Service, running

PAGED = [
    (Kind.HOTLINE, "/v1/entries"),
    (Kind.HOTLINE, "/v1/entries/due"),
    (Kind.HOTLINE, "/v1/takedowns"),
    (Kind.HOTLINE, "/v1/referrals"),
    (Kind.REVIEW_BODY, "/v1/reviews/queue"),
    (Kind.REVIEW_BODY, "/v1/appeals"),
    (Kind.ISP, f"/v1/lists/{LIST}/snapshots"),
]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Kind, Connection]]:
    with running(Service(tmp_path_factory.mktemp("paging") / "home")) as up, ExitStack() as stack:
        up.add_list()
        provider = up.organisation(Kind.ISP)
        up.subscribe(provider)
        yield {
            kind: stack.enter_context(up.connect(kind, provider if kind is Kind.ISP else None))
            for kind in {kind for kind, _ in PAGED}
        }


def cursor(place: int) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(("kind", "path"), PAGED)
def test_a_place_beyond_what_a_database_can_hold_is_none(
    people: dict[Kind, Connection], kind: Kind, path: str
) -> None:
    for place in (2**31, 2**63 - 1, 2**63, 10**30):
        answer = people[kind].send("GET", path, params={"cursor": cursor(place)})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")
    assert people[kind].send("GET", path, params={"cursor": cursor(2**31 - 1)}).status_code == 200
