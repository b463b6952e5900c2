"""Our referrals: how they reach a peer, and what its answers, in whatever order, do here."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.client.session import Connection
from app.core.exchange import Message
from app.core.terms import ProviderNotices
from app.takedown.models import Notice, Referral
from tests.programs.neighbour import Neighbour, exchanged, now_of, rows
from tests.programs.receiver import Receiver, receiving, status
from tests.programs.service import Service, approve, new_entry
from tests.takedown.told import contact, said_of, steps_of

URL = "https://a.example.test/1"


@pytest.fixture
def entry(country: Service, neighbour: Neighbour, analysts: Connection, body: Connection) -> str:
    """One that was referred to the peer."""
    country.clock.still_at = country.clock()
    return refer(country, analysts, body)


def refer(country: Service, analysts: Connection, body: Connection, **changes: Any) -> str:
    new = {"hosting_country": "DE", "hosting_provider": "Example Hosting"} | changes
    view = analysts.request("POST", "/v1/entries", json=new_entry(URL, **new)).json()
    approve(body, view)
    deliver(country)
    return str(view["id"])


def deliver(country: Service) -> None:
    """A round of everything that works by itself."""
    exchanged(country)
    country.courier.round()
    country.courier.wait()


def sent(neighbour: Neighbour, abroad: Receiver) -> Message:
    """The first thing the peer got: the referral."""
    return neighbour.told(abroad)[0]


def shown(body: Connection, entry: str) -> dict[str, Any]:
    found: dict[str, Any] = body.request("GET", f"/v1/entries/{entry}").json()
    return found


def test_the_referral_says_what_was_signed_off_and_only_the_peer_can_read_it(
    country: Service, neighbour: Neighbour, abroad: Receiver, entry: str
) -> None:
    (got,) = abroad.got
    assert (got.path, got.headers["content-type"]) == ("/v1/exchange", "application/octet-stream")
    assert b"example.test" not in got.body
    message = sent(neighbour, abroad)
    (notice,) = rows(country, Notice)
    assert message.id == message.referral == notice.id
    assert (message.sender, message.receiver) == (country.keyring.peer["kid"], neighbour.key["kid"])
    assert message.entry
    assert (message.entry.url, message.entry.measures) == (URL, ["takedown", "blocking"])
    assert (message.entry.hosting_country, message.entry.hosting_provider) == ("DE", "Example Hosting")
    assert said_of(country, entry)[0]["channel"] == "peer"


def test_acknowledged_then_removed(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver, entry: str
) -> None:
    named = sent(neighbour, abroad).id
    neighbour.send(country, "acknowledgement", referral=named)
    assert shown(body, entry)["takedown"] == "acknowledged"
    neighbour.send(country, "outcome", referral=named, state="removed")
    found = shown(body, entry)
    assert (found["takedown"], found["delist_reason"]) == ("removed", "removed_at_source")
    assert [leaf.get("by") for leaf in said_of(country, entry)][1:] == ["peer", "peer"]
    assert rows(country, Referral)[0].ended_at


def test_removed_before_acknowledged(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver, entry: str
) -> None:
    named = sent(neighbour, abroad).id
    first = neighbour.message(country, "acknowledgement", referral=named)
    assert neighbour.send(country, "outcome", referral=named, state="removed").status_code == 202
    assert neighbour.send(country, **first).status_code == 202
    assert shown(body, entry)["status"] == "delisted"
    assert steps_of(country, entry) == ["notified", "removed"]


def test_what_is_older_than_what_was_heard_changes_nothing(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver, entry: str
) -> None:
    named = sent(neighbour, abroad).id
    earlier = now_of(country, -timedelta(seconds=30))
    neighbour.send(country, "outcome", referral=named, state="unreachable")
    assert neighbour.send(country, "acknowledgement", referral=named, at=earlier).status_code == 202
    assert shown(body, entry)["takedown"] == "unreachable"
    assert neighbour.send(country, "acknowledgement", referral=named).status_code == 202
    assert shown(body, entry)["takedown"] == "acknowledged"


def test_an_answer_that_comes_again_takes_nothing_back_that_was_said_since(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver, entry: str
) -> None:
    named = sent(neighbour, abroad).id
    first = neighbour.message(country, "outcome", referral=named, state="unreachable")
    assert neighbour.send(country, **first).status_code == 202
    assert neighbour.send(country, "acknowledgement", referral=named).status_code == 202
    assert neighbour.send(country, **first).status_code == 200
    assert shown(body, entry)["takedown"] == "acknowledged"
    assert steps_of(country, entry) == ["notified", "unreachable", "acknowledged"]


def test_a_refusal_gives_its_reason_and_the_next_is_told(
    country: Service, neighbour: Neighbour, abroad: Receiver, entry: str
) -> None:
    named = sent(neighbour, abroad).id
    neighbour.send(country, "outcome", referral=named, state="refused", reason="not_hosted_here")
    assert said_of(country, entry)[-1]["reason"] == "not_hosted_here"
    with receiving(status(200)) as second:
        partner = {"kind": "partner_hotline", "name": "Second", "country": "DE", "rank": 1}
        contact(country, partner | {"channel": "webhook", "address": second.url()})
        deliver(country)
        assert len(second.got) == 1


def test_nobody_answers_for_another(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver, entry: str
) -> None:
    other = Neighbour(name="Other")
    other.join(country)
    named = sent(neighbour, abroad).id
    for sender, referral in ((other, named), (neighbour, "0" * 32)):
        answer = sender.send(country, "outcome", referral=referral, state="removed")
        assert answer.status_code == 202
    assert shown(body, entry)["takedown"] == "notified"


def test_what_a_peer_referred_it_does_not_answer_itself(
    country: Service, neighbour: Neighbour, body: Connection, entry: str
) -> None:
    claims = neighbour.message(country)
    neighbour.send(country, **claims)
    neighbour.send(country, "outcome", referral=claims["id"], state="removed")
    assert shown(body, entry)["takedown"] == "notified"


def test_the_peer_confirms_what_a_provider_said(
    country: Service, neighbour: Neighbour, analysts: Connection, body: Connection, abroad: Receiver
) -> None:
    country.add_list("both", provider_notices=ProviderNotices.ALWAYS)
    with receiving(status(200)) as provider:
        contact(country, channel="webhook", address=provider.url())
        entry = refer(country, analysts, body, list="both")
        link = provider.got[0].body.decode().split('"answer_at":"')[1].split('"')[0]
        answer(link)
    assert shown(body, entry)["status"] in ("approved", "listed")
    neighbour.send(country, "outcome", referral=sent(neighbour, abroad).id, state="removed")
    assert shown(body, entry)["delist_reason"] == "removed_at_source"
    assert steps_of(country, entry)[-2:] == ["removed", "confirmed"]


def answer(link: str) -> None:
    """A provider's, by its link."""
    address, _, token = link.rpartition("/takedown/")
    said = {"answer": "removed"}
    httpx.post(f"{address}/v1/takedown-answers/{token}", json=said).raise_for_status()


def test_a_reminder_is_the_referral_again(
    country: Service, neighbour: Neighbour, abroad: Receiver, entry: str
) -> None:
    country.clock.ahead += timedelta(hours=25)
    deliver(country)
    first, second = neighbour.told(abroad)
    assert (second.id, second.entry) == (first.id, first.entry)
    assert steps_of(country, entry) == ["notified", "reminded"]
    assert len(rows(country, Referral)) == 1


def test_a_retraction_names_the_referral_and_repeats_no_address(
    country: Service, neighbour: Neighbour, analysts: Connection, abroad: Receiver, entry: str
) -> None:
    analysts.request("POST", f"/v1/entries/{entry}/withdrawal")
    deliver(country)
    first, second = neighbour.told(abroad)
    assert (second.type, second.referral, second.entry) == ("retraction", first.id, None)


@pytest.mark.parametrize(("code", "outcome"), [(403, "failed"), (404, "failed"), (429, None), (503, None)])
def test_a_peer_that_refuses_is_passed_over_and_one_that_is_busy_is_asked_again(
    country: Service,
    neighbour: Neighbour,
    analysts: Connection,
    body: Connection,
    abroad: Receiver,
    code: int,
    outcome: str | None,
) -> None:
    abroad.answer = status(code)
    entry = refer(country, analysts, body)
    assert rows(country, Notice)[0].outcome == outcome
    assert shown(body, entry)["takedown"] == "not_started"
    abroad.answer = status(200)
    country.clock.ahead += timedelta(minutes=5)
    deliver(country)
    assert shown(body, entry)["takedown"] == ("not_started" if outcome else "notified")
    assert {one.id for one in neighbour.told(abroad)} == {rows(country, Notice)[0].id}
