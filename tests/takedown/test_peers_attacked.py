"""What strangers may send, and peers that mean harm: it costs little, and moves nothing that it must not."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from app.client.session import Connection
from app.core import age, exchange
from app.takedown.models import Notice, Peer, PeerMessage, Referral
from tests.programs.neighbour import REFERRED, Neighbour, exchanged, post, rows, said, the_entry
from tests.programs.receiver import Receiver, status
from tests.programs.service import Service, approve, new_entry

WRITE = base64.urlsafe_b64encode


def sealed(service: Service, header: bytes) -> bytes:
    """A message of anybody, signed by nobody: to seal one takes what is on the card alone."""
    token = WRITE(header).rstrip(b"=") + b".e30.AA"
    return age.seal_bytes(token, [age.recipient_of(service.keyring.peer_identity)])


def named(kid: Any) -> bytes:
    return json.dumps({"alg": "ES256", "kid": kid, "typ": exchange.TYP}).encode()


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 30_000,
        b'{"alg":"ES256","kid":' + b"[" * 30_000,
        named("\ud800"),
        named("a\0"),
        named("x" * 9000),
    ],
    ids=["deep", "deep-kid", "surrogate", "nul", "long"],
)
def test_a_header_that_cannot_be_read_is_refused_like_any(
    country: Service, neighbour: Neighbour, header: bytes
) -> None:
    assert post(country, sealed(country, header)).status_code == 403


def _small_stanzas(_recipient: str) -> bytes:
    return b"age-encryption.org/v1\n" + b"-> a\n\n" * 10_000 + b"--- " + b"A" * 43 + b"\n"


def _recipients(recipient: str) -> bytes:
    return age.seal_bytes(b"x", [*(age.generate()[1] for _ in range(400)), recipient])


@pytest.mark.parametrize("made", [_small_stanzas, _recipients])
def test_a_seal_with_a_long_header_is_not_opened(
    country: Service, monkeypatch: pytest.MonkeyPatch, made: Callable[[str], bytes]
) -> None:
    """The time to read it grows with the square of its stanzas: seconds, while nobody else is served."""
    opened: list[bytes] = []

    def unseal(data: bytes, _identities: object) -> bytes:
        opened.append(data)
        return b""

    monkeypatch.setattr(age, "unseal_bytes", unseal)
    body = made(age.recipient_of(country.keyring.peer_identity))
    assert len(body) <= exchange.LARGEST
    assert post(country, body).status_code == 403
    assert opened == []


def test_what_two_peers_referred_ends_when_both_took_it_back(
    country: Service, neighbour: Neighbour, body: Connection
) -> None:
    other = Neighbour(name="Other")
    other.join(country)
    claims = {one.name: one.message(country) for one in (neighbour, other)}
    for one in (neighbour, other):
        assert post(country, one.seal(country, claims[one.name])).status_code == 202
    approve(body, the_entry(body))
    country.publish()
    assert neighbour.send(country, "retraction", referral=claims[neighbour.name]["id"]).status_code == 202
    assert the_entry(body)["status"] == "listed"
    assert other.send(country, "retraction", referral=claims[other.name]["id"]).status_code == 202
    assert the_entry(body)["delist_reason"] == "withdrawn"


def test_what_a_local_hotline_stands_for_stays_though_all_peers_took_it_back(
    country: Service, neighbour: Neighbour, analysts: Connection, body: Connection
) -> None:
    analysts.request("POST", "/v1/entries", json=new_entry())
    other = Neighbour(name="Other")
    other.join(country)
    for one in (neighbour, other):
        claims = one.message(country)
        post(country, one.seal(country, claims))
        one.send(country, "retraction", referral=claims["id"])
    assert the_entry(body)["status"] == "submitted"


def test_what_a_peer_refers_is_not_referred_back_to_it(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver
) -> None:
    """Each would wait for the other."""
    neighbour.send(country, entry=REFERRED | {"hosting_country": "DE"})
    approve(body, the_entry(body))
    exchanged(country)
    country.courier.round()
    country.courier.wait()
    assert said(neighbour, abroad) == [("outcome", "unreachable", None)]
    assert rows(country, Notice) == []


def test_an_answer_that_a_peer_refused_for_a_while_reaches_it(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver
) -> None:
    """It suspended this instance, and readmitted it: the referral is open there still."""
    abroad.answer = status(403)
    neighbour.send(country)
    approve(body, the_entry(body))
    exchanged(country)
    abroad.answer = status(202)
    country.clock.ahead += timedelta(seconds=6)
    exchanged(country)
    first, second = neighbour.told(abroad)
    assert first == second
    assert rows(country, PeerMessage)[0].outcome == "sent"


def test_a_peer_refers_so_much_a_day_and_no_more(
    country: Service, neighbour: Neighbour, body: Connection
) -> None:
    country.clock.still_at = country.clock()
    with country.database.writing() as session:
        (peer,) = session.exec(select(Peer)).all()
        most = country.settings.peer_referrals_per_day
        session.add_all(
            Referral(id=f"{at:032x}", peer_id=peer.organisation_id, is_ours=False, made_at=country.clock())
            for at in range(most - 1)
        )
    assert neighbour.send(country).status_code == 202
    before, sealed = country.state(), neighbour.seal(country, neighbour.message(country))
    refused = post(country, sealed)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3600")
    assert country.state() == before
    assert neighbour.send(country, "retraction").status_code == 202
    country.clock.ahead += timedelta(days=1)
    assert post(country, sealed).status_code == 202
    assert len(body.request("GET", "/v1/entries").json()["entries"]) == 1
