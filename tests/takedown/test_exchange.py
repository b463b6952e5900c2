"""What a peer may send, and what becomes of it here."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from app.client.session import Connection
from app.core import exchange
from app.core.terms import Kind
from app.identity import service as identity
from app.lists import service as lists
from app.lists.schemas import PolicyChange
from app.platform.strangers import REFUSED_AT_ONCE
from app.takedown.models import ReceivedMessage, Referral
from app.takedown.peers import service as peers
from tests.programs.neighbour import (
    REFERRED,
    Neighbour,
    exchanged,
    now_of,
    post,
    rows,
    said,
    the_entry,
)
from tests.programs.receiver import Receiver
from tests.programs.service import Service, approve, new_entry
from tests.takedown.told import contact


def test_a_referral_is_the_peers_submission_and_is_reviewed_like_any(
    country: Service, neighbour: Neighbour, body: Connection
) -> None:
    sent = neighbour.send(country)
    assert (sent.status_code, sent.headers["cache-control"]) == (202, "no-store")
    entry = the_entry(body)
    assert (entry["status"], entry["canonical_url"]) == ("submitted", REFERRED["url"])
    assert entry["submitted_by"] == rows(country, Referral)[0].peer_id
    country.publish()
    assert the_entry(body)["status"] == "submitted"
    approve(body, entry)
    country.publish()
    assert the_entry(body)["status"] == "listed"


def test_a_message_is_acted_on_once(country: Service, neighbour: Neighbour, body: Connection) -> None:
    claims = neighbour.message(country)
    first, second = (post(country, neighbour.seal(country, claims)) for _ in range(2))
    assert (first.status_code, first.json()["repeated"]) == (202, False)
    assert (second.status_code, second.json()["repeated"]) == (200, True)
    assert len(body.request("GET", "/v1/entries").json()["entries"]) == 1


def test_a_referral_that_comes_again_as_a_reminder_changes_nothing(
    country: Service, neighbour: Neighbour, body: Connection
) -> None:
    claims = neighbour.message(country)
    post(country, neighbour.seal(country, claims))
    with country.database.writing() as session:
        session.delete(session.exec(select(ReceivedMessage)).one())
    assert post(country, neighbour.seal(country, claims)).status_code == 202
    assert len(body.request("GET", "/v1/entries").json()["entries"]) == 1


def test_what_is_refused_is_refused_alike(country: Service, neighbour: Neighbour) -> None:
    stranger, other = Neighbour(), Neighbour()
    good = neighbour.message(country)
    to_other = exchange.seal(exchange.Message.model_validate(good), neighbour.key, other.identity[1])
    sealed = neighbour.seal(country, good)
    bad = [
        b"",
        b"no message",
        sealed[:-1] + bytes([sealed[-1] ^ 1]),
        to_other,
        stranger.seal(country, stranger.message(country)),
        neighbour.seal(country, good | {"to": other.key["kid"]}),
        neighbour.seal(country, good | {"from": other.key["kid"]}),
        neighbour.seal(country, good | {"at": now_of(country, -exchange.OLDEST - timedelta(seconds=2))}),
        neighbour.seal(country, good | {"at": now_of(country, exchange.SKEW + timedelta(minutes=1))}),
    ]
    before = country.state()
    answers = [post(country, one) for one in bad]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.content for answer in answers}) == 1
    assert country.state() == before
    assert post(country, sealed).status_code == 202


def test_what_is_too_large_is_not_read(country: Service, neighbour: Neighbour) -> None:
    assert post(country, b"\0" * (exchange.LARGEST + 1)).status_code == 413


def test_who_sends_too_much_that_is_refused_has_no_more_opened(
    country: Service, neighbour: Neighbour
) -> None:
    country.clock.still_at = country.clock()
    for _ in range(REFUSED_AT_ONCE):
        assert post(country, b"no message").status_code == 403
    refused = post(country, b"no message")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    assert neighbour.send(country).status_code == 429
    country.clock.ahead += timedelta(seconds=3)
    assert neighbour.send(country).status_code == 202


@pytest.mark.parametrize("how", ["suspended", "revoked"])
def test_nothing_is_taken_from_who_is_no_peer_in_force(
    country: Service, neighbour: Neighbour, body: Connection, how: str
) -> None:
    sealed = neighbour.seal(country, neighbour.message(country))
    with country.database.writing() as session:
        holder = identity.key_holder(session, neighbour.key["kid"])
        assert holder
        if how == "suspended":
            identity.suspend_organisation(session, holder[0].organisation_id, True, country.clock())
        else:
            identity.revoke_key(session, neighbour.key["kid"], country.clock())
    assert post(country, sealed).status_code == 403
    assert body.request("GET", "/v1/entries").json()["entries"] == []


def test_a_key_that_is_no_peers_signs_no_message(country: Service, neighbour: Neighbour) -> None:
    stranger = Neighbour()
    hotline = country.credentials(country.organisation(Kind.HOTLINE), peers.SCOPES)
    stranger.key = hotline.private_jwk
    assert stranger.send(country).status_code == 403


def test_a_referral_of_what_another_hotline_submitted_corroborates_it(
    country: Service, neighbour: Neighbour, analysts: Connection, body: Connection, abroad: Receiver
) -> None:
    contact(country)
    new = new_entry(hosting_provider="Example Hosting")
    own = analysts.request("POST", "/v1/entries", json=new).json()
    approve(body, own)
    assert neighbour.send(country).status_code == 202
    assert the_entry(body)["corroborations"] == 1
    assert rows(country, Referral)[0].entry_id == own["id"]
    exchanged(country)
    assert said(neighbour, abroad) == [("acknowledgement", None, None)]


def test_two_referrals_of_one_address_are_one_entry(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver
) -> None:
    assert [neighbour.send(country).status_code for _ in range(2)] == [202, 202]
    entry = the_entry(body)
    assert {one.entry_id for one in rows(country, Referral)} == {entry["id"]}
    approve(body, entry)
    exchanged(country)
    assert {one.referral for one in neighbour.told(abroad)} == {one.id for one in rows(country, Referral)}


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "https://co.uk/"},
        {"url": "ftp://a.example.test/"},
        {"scope": "host"},
        {"scope": "host", "scope_reason": "Every page of this host carries the material."},
        {"hosting_country": "XX"},
        {"legal_ground": "lanzarote-20-1-f"},
        {"hosting_address": "not an address"},
    ],
    ids=str,
)
def test_what_the_rules_of_form_refuse_is_answered_with_a_refusal(
    country: Service, neighbour: Neighbour, abroad: Receiver, changes: dict[str, Any]
) -> None:
    country.add_list("strict", scopes=["url"], quorum={"url": 1}, reserved_grounds=["lanzarote-20-1-f"])
    neighbour.join(country, "strict")
    sent = neighbour.send(country, entry=REFERRED | changes)
    assert sent.status_code == 202
    exchanged(country)
    assert said(neighbour, abroad) == [("outcome", "refused", "not_accepted")]
    assert all(one.entry_id is None and one.ended_at for one in rows(country, Referral))


def test_blocking_at_home_is_left_out_unless_the_policy_admits_it(
    country: Service, neighbour: Neighbour, body: Connection
) -> None:
    country.add_list("at-home", jurisdiction="NL")
    neighbour.join(country, "at-home")
    neighbour.send(country)
    assert the_entry(body)["measures"] == ["takedown"]
    with country.database.writing() as session:
        policy = lists.policy_in_force(session, "at-home").to_json()
        wider = PolicyChange(**policy | {"block_in_jurisdiction": True}, base_version=1)
        lists.change_policy(session, None, "at-home", wider, country.clock())
    second = REFERRED | {"url": "https://b.example.test/", "measures": ["blocking"]}
    neighbour.send(country, entry=second)
    found = body.request("GET", "/v1/entries").json()["entries"]
    assert [one["measures"] for one in found] == [["takedown"], ["takedown", "blocking"]]


@pytest.mark.parametrize("after", ["submitted", "approved", "listed"])
def test_a_retraction_withdraws_what_only_the_peer_submitted(
    country: Service, neighbour: Neighbour, body: Connection, after: str
) -> None:
    claims = neighbour.message(country)
    post(country, neighbour.seal(country, claims))
    if after != "submitted":
        approve(body, the_entry(body))
    if after == "listed":
        country.publish()
    assert the_entry(body)["status"] == after
    assert neighbour.send(country, "retraction", referral=claims["id"]).status_code == 202
    assert the_entry(body)["status"] == ("delisted" if after == "listed" else "withdrawn")
    assert rows(country, Referral)[0].ended_at


def test_a_retraction_leaves_what_others_stand_for(
    country: Service, neighbour: Neighbour, analysts: Connection, body: Connection
) -> None:
    claims = neighbour.message(country)
    post(country, neighbour.seal(country, claims))
    analysts.request("POST", "/v1/entries", json=new_entry())
    neighbour.send(country, "retraction", referral=claims["id"])
    assert the_entry(body)["status"] == "submitted"


def test_a_retraction_of_one_of_two_referrals_leaves_the_other(
    country: Service, neighbour: Neighbour, body: Connection
) -> None:
    both = [neighbour.message(country) for _ in range(2)]
    for claims in both:
        post(country, neighbour.seal(country, claims))
    neighbour.send(country, "retraction", referral=both[0]["id"])
    assert the_entry(body)["status"] == "submitted"
    neighbour.send(country, "retraction", referral=both[1]["id"])
    assert the_entry(body)["status"] == "withdrawn"


def test_a_retraction_that_overtakes_its_referral_holds(
    country: Service, neighbour: Neighbour, body: Connection
) -> None:
    claims = neighbour.message(country)
    assert neighbour.send(country, "retraction", referral=claims["id"]).status_code == 202
    assert post(country, neighbour.seal(country, claims)).status_code == 202
    assert body.request("GET", "/v1/entries").json()["entries"] == []


def test_a_peer_retracts_only_its_own(country: Service, neighbour: Neighbour, body: Connection) -> None:
    other = Neighbour(name="Other")
    other.join(country)
    claims = neighbour.message(country)
    post(country, neighbour.seal(country, claims))
    assert other.send(country, "retraction", referral=claims["id"]).status_code == 202
    assert the_entry(body)["status"] == "submitted"


def test_a_hotline_sees_what_was_referred_to_its_country_until_it_submits_it(
    country: Service, neighbour: Neighbour, analysts: Connection, body: Connection
) -> None:
    for number in range(3):
        neighbour.send(country, entry=REFERRED | {"url": f"https://a.example.test/{number}"})
    neighbour.send(country, entry=REFERRED | {"url": "https://b.example.test/", "hosting_country": "FR"})
    analysts.request("POST", "/v1/entries", json=new_entry("https://a.example.test/0"))
    first = analysts.send("GET", "/v1/referrals?limit=1")
    assert (first.headers["cache-control"], 'rel="next"' in first.headers["link"]) == ("no-store", True)
    second = analysts.request("GET", f"/v1/referrals?cursor={first.json()['next_cursor']}").json()
    shown = first.json()["referrals"] + second["referrals"]
    assert [one["canonical_url"] for one in shown] == [f"https://a.example.test/{n}" for n in (1, 2)]
    assert second["next_cursor"] is None
    owner = rows(country, Referral)[0].peer_id
    for turned, code in ((body, 403), (country.connect(Kind.HOTLINE, owner), 403)):
        assert turned.send("GET", "/v1/referrals").status_code == code
