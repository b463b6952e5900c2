"""Two requests at the same moment, at two servers: what one decides still holds when the other writes."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from app.lists import brakes
from app.reviews import service as reviews
from tests.programs.beside import Beside, beside
from tests.programs.service import LIST, Service, new_entry, replay, running, signed_review


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("writers") / "home"
    with running(Service(home)) as up:
        up.add_list(brake_changes=1, brake_free=1)
        yield up


@pytest.fixture(scope="module")
def other(service: Service) -> Iterator[Beside]:
    with beside(service) as up:
        yield up


def meet(patch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """Both requests wait here for each other, half a second at most: the window of a race, held open."""
    barrier, honest = threading.Barrier(2), getattr(module, name)

    def waiting(*given: Any, **named: Any) -> Any:
        try:
            barrier.wait(timeout=0.5)
        except threading.BrokenBarrierError:
            barrier.reset()
        return honest(*given, **named)

    patch.setattr(module, name, waiting)


def at_once(*calls: Any) -> list[httpx.Response]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [one.result() for one in [pool.submit(call) for call in calls]]


def vote(reviewer: Connection, entry: dict[str, Any]) -> Any:
    body = signed_review(entry, reviewer.credentials.private_jwk)
    return lambda: reviewer.send("POST", f"/v1/entries/{entry['id']}/reviews", json=body)


def test_two_votes_settle_an_entry_once(
    service: Service, other: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        service.connect(Kind.HOTLINE) as hotline,
        service.connect(Kind.REVIEW_BODY) as one,
        other.connect(Kind.REVIEW_BODY) as two,
    ):
        entry = hotline.request("POST", "/v1/entries", json=new_entry()).json()
        one.token(), two.token()
        with monkeypatch.context() as patch:
            meet(patch, reviews, "_settle")
            answers = at_once(vote(one, entry), vote(two, entry))
        assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert replay(service).entries[entry["id"]].status == "approved"


def test_two_words_at_once_release_a_brake(
    service: Service, other: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = f"/v1/lists/{LIST}/brake/release"
    with (
        service.connect(Kind.HOTLINE) as hotline,
        service.connect(Kind.REVIEW_BODY) as body,
        service.connect(Kind.OPERATOR) as one,
        other.connect(Kind.OPERATOR) as two,
    ):
        for word in ("a", "b"):
            sent = new_entry(f"https://{word}.example.test/")
            vote(body, hotline.request("POST", "/v1/entries", json=sent).json())()
        service.publish()
        assert one.request("GET", f"/v1/lists/{LIST}/brake").json()["engaged"] is True
        two.token()
        with monkeypatch.context() as patch:
            meet(patch, brakes, "_renew")
            answers = at_once(*(lambda who=who: who.send("POST", release) for who in (one, two)))
        assert [answer.status_code for answer in answers] == [200, 200]
        service.publish()
        assert one.request("GET", f"/v1/lists/{LIST}/brake").json()["engaged"] is False
    assert replay(service).lists[LIST].versions.keys() >= {1}
