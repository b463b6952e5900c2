"""Webhooks: who is told that a version is out, what exactly, and what happens when nobody listens."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook

from app.client.session import Connection
from app.core.terms import Kind
from app.distribution.deliverer import Deliverer
from app.lists import service as lists
from app.platform.database import UtcDateTime
from app.platform.outgoing import Outgoing
from tests.distribution.place import People, Place
from tests.programs.receiver import Receiver, receiving, status
from tests.programs.service import Service, running

HOOKS = "/v1/webhooks"
NEVER = "https://isp.example/hook"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Of a service that may call this machine. Its time is the machine's: signatures are verified."""
    home = tmp_path_factory.mktemp("webhooks") / "home"
    with running(Service(home, webhook_allow_private=True)) as up:
        found = People(up)
        yield found
        found.close()


@pytest.fixture
def place(people: People) -> Iterator[Place]:
    found = Place(people)
    yield found
    for webhook in found.isp.send("GET", HOOKS).json().get("webhooks", ()):
        found.isp.send("DELETE", f"{HOOKS}/{webhook['id']}")


@pytest.fixture
def later(tmp_path: Path) -> Iterator[Place]:
    """On a service of its own, whose time stands still and may be moved far."""
    with running(Service(tmp_path / "home", webhook_allow_private=True)) as up:
        up.clock.still_at = up.clock()
        found = People(up)
        yield Place(found)
        found.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as up:
        yield up


def add(client: Connection, url: str) -> dict[str, Any]:
    added: dict[str, Any] = client.request("POST", HOOKS, json={"url": url}).json()
    return added


def deliver(place: Place) -> None:
    place.service.deliverer.round()
    place.service.deliverer.wait()


def another(place: Place) -> Deliverer:
    """What another process of the service would send with."""
    service = place.service
    return Deliverer(service.database, service.keyring, service.clock, Outgoing(allow_private=True))


def outcomes(place: Place) -> list[tuple[int, str | None]]:
    """(version, outcome) of every message about the list, oldest first."""
    query = text("SELECT version, outcome FROM webhook_delivery WHERE list = :name ORDER BY version")
    with place.service.database.reading() as session:
        return [(version, outcome) for version, outcome in session.execute(query, {"name": place.name})]


def waits(place: Place) -> list[float]:
    """Seconds until each message about the list that waits is tried again."""
    query = text("SELECT next_at FROM webhook_delivery WHERE done_at IS NULL AND list = :name")
    with place.service.database.reading() as session:
        found = session.execute(query.columns(next_at=UtcDateTime()), {"name": place.name}).scalars().all()
    now = place.service.clock()
    return [(moment - now).total_seconds() for moment in found]


def test_a_provider_is_told_of_list_and_version_and_nothing_else(place: Place, receiver: Receiver) -> None:
    secret = add(place.isp, receiver.url())["secret"]
    place.publish_one()
    deliver(place)
    (got,) = receiver.got
    told = Webhook(secret).verify(got.body, got.headers)
    assert told.keys() == {"type", "timestamp", "data"}
    assert (told["type"], told["data"]) == ("list.published", {"list": place.name, "version": 1})
    assert told["timestamp"].endswith("Z")
    assert got.headers["content-type"] == "application/json"
    assert b"example.test" not in got.body
    deliver(place)
    assert (len(receiver.got), outcomes(place)) == (1, [(1, "delivered")])


def test_the_secret_is_derived_shown_once_and_kept_nowhere(place: Place) -> None:
    added = add(place.isp, NEVER)
    raw = hmac.new(place.service.keyring.webhook, added["id"].encode(), hashlib.sha256).digest()
    assert added["secret"] == f"whsec_{base64.b64encode(raw).decode()}"
    shown = place.isp.request("GET", HOOKS).json()["webhooks"]
    assert [one.keys() for one in shown] == [{"id", "url", "created_at"}]
    kept = "\n".join(place.service.state())
    assert added["id"] in kept
    assert not any(form in kept for form in (added["secret"][6:], raw.hex(), raw.hex().upper()))


def test_only_subscribers_hear_of_a_list(place: Place, receiver: Receiver) -> None:
    with place.service.connect(Kind.ISP) as stranger:
        add(stranger, receiver.url())
        place.publish_one()
    deliver(place)
    assert (receiver.got, outcomes(place)) == ([], [])


def test_another_organisation_neither_sees_nor_ends_a_webhook(place: Place) -> None:
    added = add(place.isp, NEVER)
    with place.service.connect(Kind.ISP) as other:
        assert other.request("GET", HOOKS).json() == {"webhooks": []}
        assert other.send("DELETE", f"{HOOKS}/{added['id']}").status_code == 404
    assert len(place.isp.request("GET", HOOKS).json()["webhooks"]) == 1
    assert place.isp.send("DELETE", f"{HOOKS}/{added['id']}").status_code == 204
    assert place.isp.request("GET", HOOKS).json() == {"webhooks": []}
    assert place.isp.send("DELETE", f"{HOOKS}/{added['id']}").status_code == 404


def test_five_are_in_force_at_most(place: Place) -> None:
    ids = [add(place.isp, NEVER)["id"] for _ in range(5)]
    refused = place.isp.send("POST", HOOKS, json={"url": NEVER})
    assert (refused.status_code, refused.json()["type"]) == (
        409,
        "urn:wardlist:problem:too-many-webhooks",
    )
    place.isp.request("DELETE", f"{HOOKS}/{ids[0]}")
    assert place.isp.send("POST", HOOKS, json={"url": NEVER}).status_code == 201


def test_a_service_refuses_what_it_would_not_call(tmp_path: Path) -> None:
    hosts = (
        "http://isp.example/",
        "https://isp.example:8443/",
        "https://10.0.0.1/",
        "https://a@isp.example/",
    )
    with running(Service(tmp_path / "strict")) as strict, strict.connect(Kind.ISP) as client:
        for url in hosts:
            answer = client.send("POST", HOOKS, json={"url": url})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "url")
            assert url not in answer.text


@pytest.mark.parametrize("leaving", ["ended", "unsubscribed", "suspended"])
def test_who_left_in_between_is_not_told(place: Place, receiver: Receiver, leaving: str) -> None:
    webhook = add(place.isp, receiver.url())["id"]
    place.publish_one()
    if leaving == "unsubscribed":
        with place.service.database.writing() as session:
            lists.unsubscribe(session, place.name, place.organisation_of(place.isp), place.service.clock())
    if leaving == "suspended":
        place.suspend(place.isp)
    if leaving == "ended":
        place.isp.request("DELETE", f"{HOOKS}/{webhook}")
    deliver(place)
    assert (receiver.got, outcomes(place)) == ([], [(1, "not_entitled")])
    place.suspend(place.isp, False)


def test_a_failed_message_comes_again_later_and_later_under_the_same_id(
    later: Place, receiver: Receiver
) -> None:
    receiver.answer = status(500)
    secret = add(later.isp, receiver.url())["secret"]
    later.publish_one()
    passed = []
    for _ in range(6):
        deliver(later)
        passed += waits(later)
        later.service.clock.ahead += timedelta(seconds=passed[-1])
    assert passed == [5, 30, 120, 600, 3600, 3600]
    receiver.answer = status(200)
    deliver(later)
    assert outcomes(later) == [(1, "delivered")]
    assert len(receiver.got) == 7
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert len({got.body for got in receiver.got}) == 1
    sent_at = [int(got.headers["webhook-timestamp"]) for got in receiver.got]
    assert sent_at[-1] - sent_at[0] == sum(passed)
    assert Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)


def test_delays_are_spread_so_that_receivers_are_not_tried_together(later: Place, receiver: Receiver) -> None:
    receiver.answer = status(503)
    for _ in range(5):
        add(later.isp, receiver.url())
    later.publish_one()
    spread = another(later)
    spread.round()
    spread.close()
    assert len(set(waits(later))) > 1
    assert all(4 <= wait <= 6 for wait in waits(later))


def test_after_a_day_a_message_is_given_up(later: Place, receiver: Receiver) -> None:
    receiver.answer = status(404)
    add(later.isp, receiver.url())
    later.publish_one()
    later.service.clock.ahead += timedelta(hours=22.5)
    deliver(later)
    assert outcomes(later) == [(1, None)]
    for _ in range(5):
        later.service.clock.ahead += timedelta(minutes=25)
        deliver(later)
    assert outcomes(later) == [(1, "given_up")]


def test_a_redirect_to_a_private_address_is_a_failure_and_not_followed(
    place: Place, receiver: Receiver
) -> None:
    with receiving() as private:
        receiver.answer = status(302, Location=private.url())
        add(place.isp, receiver.url())
        place.publish_one()
        deliver(place)
        assert private.got == []
    assert outcomes(place) == [(1, None)]


def test_a_receiver_that_says_gone_is_not_called_again(place: Place, receiver: Receiver) -> None:
    receiver.answer = status(410)
    add(place.isp, receiver.url())
    place.publish_one()
    deliver(place)
    assert outcomes(place) == [(1, "gone")]
    assert place.isp.request("GET", HOOKS).json() == {"webhooks": []}
    place.publish_one()
    deliver(place)
    assert (len(receiver.got), outcomes(place)) == (1, [(1, "gone")])


def test_only_the_newest_version_is_told(place: Place, receiver: Receiver) -> None:
    add(place.isp, receiver.url())
    for _ in range(3):
        place.publish_one()
    deliver(place)
    assert [json.loads(got.body)["data"]["version"] for got in receiver.got] == [3]
    assert outcomes(place) == [(1, "superseded"), (2, "superseded"), (3, "delivered")]


def test_a_slow_receiver_delays_nobody(place: Place, receiver: Receiver) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        go.wait(10)
        status(200)(handler)

    with receiving(slow) as sluggish:
        add(place.isp, sluggish.url())
        place.publish_one()
        place.service.deliverer.round()
        assert asked.wait(10)
        add(place.isp, receiver.url())
        place.publish_one()
        told = threading.Event()

        def note(handler: BaseHTTPRequestHandler) -> None:
            status(204)(handler)
            told.set()

        receiver.answer = note
        place.service.deliverer.round()
        assert told.wait(10)
        assert not go.is_set()
        go.set()
        place.service.deliverer.wait()
    assert [json.loads(got.body)["data"]["version"] for got in sluggish.got] == [1, 2]


def test_a_crash_between_sending_and_saying_so_sends_again_under_the_same_id(
    later: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(later.isp, receiver.url())
    later.publish_one()
    with monkeypatch.context() as crashing:
        crashing.setattr(later.service.deliverer, "_record", lambda *_: (_ for _ in ()).throw(OSError))
        deliver(later)
    assert (len(receiver.got), outcomes(later)) == (1, [(1, None)])
    after = another(later)
    after.round()
    assert len(receiver.got) == 1
    later.service.clock.ahead += timedelta(minutes=1)
    after.round()
    after.close()
    assert outcomes(later) == [(1, "delivered")]
    first, second = receiver.got
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


def test_two_processes_send_a_message_once(place: Place, receiver: Receiver) -> None:
    for _ in range(5):
        add(place.isp, receiver.url())
    place.publish_one()
    senders = [another(place) for _ in range(2)]
    rounds = [threading.Thread(target=sender.round) for sender in senders]
    for thread in rounds:
        thread.start()
    for thread in rounds:
        thread.join()
    for sender in senders:
        sender.close()
    assert len(receiver.got) == len({got.headers["webhook-id"] for got in receiver.got}) == 5


def test_what_became_of_a_message_is_kept_for_a_month(later: Place, receiver: Receiver) -> None:
    webhook = add(later.isp, receiver.url())["id"]
    later.publish_one()
    deliver(later)
    later.isp.request("DELETE", f"{HOOKS}/{webhook}")
    later.service.clock.ahead += timedelta(days=29)
    deliver(later)
    assert outcomes(later) == [(1, "delivered")]
    later.service.clock.ahead += timedelta(days=2)
    deliver(later)
    assert outcomes(later) == []
    assert receiver.url() not in "\n".join(later.service.state())


def test_the_log_names_a_webhook_by_its_id_only(
    place: Place, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.answer = status(500)
    webhook = add(place.isp, receiver.url("/private-path"))["id"]
    place.publish_one()
    deliver(place)
    said = capfd.readouterr()
    assert webhook in said.out + said.err
    assert "private-path" not in said.out + said.err
    assert str(receiver.port) not in said.out + said.err
