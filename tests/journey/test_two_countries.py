"""Referred abroad, removed there, delisted here: two running instances, each with a log of its own."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.identity import service as identity
from app.takedown.models import Peer, PeerMessage, Referral
from tests.programs.countries import PROVIDER, URL, Country, exchange, two_countries
from tests.programs.neighbour import reject, rows
from tests.programs.receiver import Receiver, receiving, status
from tests.programs.service import leaf_bodies

ABROAD = {"hosting_country": "DE", "hosting_provider": PROVIDER}


@pytest.fixture
def countries(tmp_path: Path) -> Iterator[tuple[Country, Country]]:
    """The Netherlands and Germany."""
    with two_countries(tmp_path) as both:
        yield both
        for country in both:
            assert b"example.test" not in b"".join(leaf_bodies(country.service))


@pytest.fixture
def provider() -> Iterator[Receiver]:
    """Where a provider is told by webhook."""
    with receiving(status(200)) as receiver:
        yield receiver


def steps(country: Country, entry: str) -> list[str]:
    """The takedown's leaves of an entry, in order."""
    found = [json.loads(body) for body in leaf_bodies(country.service)]
    return [
        leaf["type"].removeprefix("takedown.")
        for leaf in found
        if leaf["type"].startswith("takedown.") and leaf["entry"] == entry
    ]


def answer_by_link(receiver: Receiver, said: str) -> None:
    """The provider answers the last notice by its link."""
    link = json.loads(receiver.got[-1].body)["data"]["answer_at"]
    address, _, token = link.rpartition("/takedown/")
    httpx.post(f"{address}/v1/takedown-answers/{token}", json={"answer": said}).raise_for_status()


def test_what_is_hosted_abroad_is_referred_removed_there_and_delisted_here(
    countries: tuple[Country, Country], provider: Receiver
) -> None:
    here, there = countries
    there.add_provider(provider.url(), channel="webhook")
    own = here.submit(**ABROAD)
    here.sign_off()
    exchange(here, there)
    assert here.entry(own["id"])["takedown"] == "notified"
    assert here.entry(own["id"])["status"] == "listed"

    theirs = there.sign_off()
    assert theirs["submitted_by"] == there.peer
    assert theirs["canonical_url"] == URL
    exchange(here, there)
    assert here.entry(own["id"])["takedown"] == "acknowledged"
    assert there.entry(theirs["id"])["takedown"] == "notified"

    answer_by_link(provider, "removed")
    exchange(here, there)
    assert there.entry(theirs["id"])["takedown"] == "removed"
    assert here.entry(own["id"])["takedown"] == "acknowledged"

    (seen,) = there.hotline.request("GET", "/v1/referrals").json()["referrals"]
    assert (seen["entry"], seen["hosting_provider"]) == (theirs["id"], PROVIDER)
    there.submit(seen["canonical_url"], hosting_country="DE", measures=["takedown"])
    assert there.hotline.request("GET", "/v1/referrals").json()["referrals"] == []
    there.say(theirs["id"], "removed")
    exchange(here, there)
    found = here.entry(own["id"])
    assert (found["takedown"], found["status"], found["delist_reason"]) == (
        "removed",
        "delisted",
        "removed_at_source",
    )
    assert found["delisted_in"] == found["listed_in"] + 1
    assert steps(here, own["id"]) == ["notified", "acknowledged", "removed"]
    assert steps(there, theirs["id"]) == ["notified", "removed", "confirmed"]
    assert rows(here.service, Referral)[0].told == "removed"


def test_what_they_reject_in_review_goes_to_the_next_contact(
    countries: tuple[Country, Country], provider: Receiver
) -> None:
    here, there = countries
    here.add_provider(provider.url(), kind="partner_hotline", country="DE", rank=1, channel="webhook")
    own = here.submit(**ABROAD)
    here.sign_off()
    exchange(here, there)
    assert provider.got == []
    (theirs,) = there.reviewer.request("GET", "/v1/entries").json()["entries"]
    reject(there.reviewer, there.entry(theirs["id"]))
    exchange(here, there)
    assert steps(here, own["id"])[:2] == ["notified", "refused"]
    assert here.entry(own["id"])["takedown"] == "notified"
    (got,) = provider.got
    assert json.loads(got.body)["data"]["entry"] == own["id"]
    assert there.entry(theirs["id"])["status"] == "rejected"


def test_what_cannot_be_told_there_is_unreachable_here_until_somebody_is_found(
    countries: tuple[Country, Country], provider: Receiver
) -> None:
    here, there = countries
    own = here.submit(**ABROAD)
    here.sign_off()
    exchange(here, there)
    theirs = there.sign_off()
    exchange(here, there)
    assert here.entry(own["id"])["takedown"] == "unreachable"
    there.add_provider(provider.url(), channel="webhook")
    there.service.clock.ahead += timedelta(days=1)
    here.service.clock.ahead += timedelta(days=1)
    exchange(here, there)
    assert there.entry(theirs["id"])["takedown"] == "notified"
    assert here.entry(own["id"])["takedown"] == "acknowledged"


def test_what_is_withdrawn_here_is_taken_back_there(
    countries: tuple[Country, Country], provider: Receiver
) -> None:
    here, there = countries
    there.add_provider(provider.url(), channel="webhook")
    own = here.submit(**ABROAD)
    here.sign_off()
    exchange(here, there)
    theirs = there.sign_off()
    exchange(here, there)
    here.hotline.request("POST", f"/v1/entries/{own['id']}/withdrawal")
    exchange(here, there)
    assert (there.entry(theirs["id"])["status"], here.entry(own["id"])["status"]) == ("withdrawn", "delisted")
    kinds = [json.loads(got.body)["type"] for got in provider.got]
    assert kinds == ["takedown.notice", "takedown.retraction"]
    assert [one.told for one in rows(there.service, Referral)] == ["retracted"]


def test_a_country_that_is_down_for_a_while_gets_its_referral_once(tmp_path: Path) -> None:
    with two_countries(tmp_path) as (here, there):
        move(here, there, "http://127.0.0.1:9")
        own = here.submit(**ABROAD)
        here.sign_off()
        exchange(here, there)
        assert here.entry(own["id"])["takedown"] == "not_started"
        move(here, there, there.service.address)
        here.service.clock.ahead += timedelta(minutes=2)
        exchange(here, there)
        here.service.clock.ahead += timedelta(hours=1)
        exchange(here, there)
        assert here.entry(own["id"])["takedown"] == "notified"
        (theirs,) = there.reviewer.request("GET", "/v1/entries").json()["entries"]
        assert len(rows(there.service, Referral)) == 1
        assert theirs["status"] == "submitted"


def move(here: Country, there: Country, address: str) -> None:
    """Have the other country answer at another address."""
    with here.service.database.writing() as session:
        session.get_one(Peer, here.peer).address = address


@pytest.mark.parametrize("lost", ["referral", "acknowledgement"])
def test_an_answer_that_nobody_heard_is_asked_for_again_and_counts_once(
    countries: tuple[Country, Country], monkeypatch: pytest.MonkeyPatch, lost: str, provider: Receiver
) -> None:
    """The sender dies between the answer and saying so: its row comes due again."""
    here, there = countries
    there.add_provider(provider.url(), channel="webhook")
    own = here.submit(**ABROAD)
    here.sign_off()
    with monkeypatch.context() as dying:
        if lost == "referral":
            dying.setattr(here.service.courier, "_record", die)
        exchange(here)
    assert len(rows(there.service, Referral)) == 1
    there.sign_off()
    with monkeypatch.context() as dying:
        if lost == "acknowledgement":
            dying.setattr(there.service.exchanger, "_record", die)
        exchange(there)
    assert here.entry(own["id"])["takedown"] == "acknowledged"
    for country in countries:
        country.service.clock.ahead += timedelta(minutes=3)
    exchange(here, there)
    assert steps(here, own["id"]) == ["notified", "acknowledged"]
    assert [one.outcome for one in rows(there.service, PeerMessage)] == ["sent"]
    assert len(there.reviewer.request("GET", "/v1/entries").json()["entries"]) == 1


def die(*_: Any) -> None:
    """As a process does that is killed."""
    raise OSError


def test_a_suspended_country_is_not_told_and_the_next_contact_is(
    countries: tuple[Country, Country], provider: Receiver
) -> None:
    here, there = countries
    here.add_provider(provider.url(), kind="partner_hotline", country="DE", rank=1, channel="webhook")
    with here.service.database.writing() as session:
        identity.suspend_organisation(session, here.peer, True, here.service.clock())
    here.submit(**ABROAD)
    here.sign_off()
    exchange(here, there)
    assert len(provider.got) == 1
    assert rows(there.service, Referral) == rows(here.service, Referral) == []
