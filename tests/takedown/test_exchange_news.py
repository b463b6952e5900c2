"""What a peer is told of what became of its referrals, and when."""

from datetime import timedelta
from typing import Any

from app.client.session import Connection
from app.core.terms import Kind
from app.identity import service as identity
from app.takedown.models import PeerMessage, Referral
from tests.programs.neighbour import (
    REFERRED,
    Neighbour,
    exchanged,
    now_of,
    reject,
    rows,
    said,
    the_entry,
)
from tests.programs.receiver import Receiver, status
from tests.programs.service import Service, approve, new_entry


def test_a_rejection_in_review_is_told_and_ends_it(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver
) -> None:
    neighbour.send(country)
    entry = the_entry(body)
    exchanged(country)
    assert said(neighbour, abroad) == []
    reject(body, entry)
    exchanged(country)
    exchanged(country)
    assert said(neighbour, abroad) == [("outcome", "refused", "rejected_in_review")]
    assert rows(country, Referral)[0].ended_at


def test_removal_is_told_once_a_hotline_saw_it(
    country: Service, neighbour: Neighbour, body: Connection, analysts: Connection, abroad: Receiver
) -> None:
    neighbour.send(country)
    analysts.request("POST", "/v1/entries", json=new_entry())
    entry = the_entry(body)
    approve(body, entry)
    exchanged(country)
    looked = {"outcome": "removed", "checked_at": now_of(country)}
    analysts.request("POST", f"/v1/entries/{entry['id']}/rechecks", json=looked)
    exchanged(country)
    assert [one[:2] for one in said(neighbour, abroad)] == [
        ("outcome", "unreachable"),
        ("outcome", "removed"),
    ]
    assert the_entry(body)["delist_reason"] == "removed_at_source"


def test_that_nobody_can_be_told_here_is_told_so_that_the_peer_goes_on(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver
) -> None:
    neighbour.send(country)
    approve(body, the_entry(body))
    exchanged(country)
    assert said(neighbour, abroad) == [("outcome", "unreachable", None)]
    assert rows(country, Referral)[0].ended_at is None


def test_what_is_only_blocked_here_is_not_taken_on(
    country: Service, neighbour: Neighbour, analysts: Connection, body: Connection, abroad: Receiver
) -> None:
    approve(body, analysts.request("POST", "/v1/entries", json=new_entry(measures=["blocking"])).json())
    neighbour.send(country)
    exchanged(country)
    assert said(neighbour, abroad) == [("outcome", "refused", "not_accepted")]


def test_a_peer_that_is_down_is_told_later_and_once(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver
) -> None:
    abroad.answer = status(503)
    neighbour.send(country)
    approve(body, the_entry(body))
    exchanged(country)
    exchanged(country)
    assert len(abroad.got) == 1
    abroad.answer = status(202)
    country.clock.ahead += timedelta(seconds=5)
    exchanged(country)
    country.clock.ahead += timedelta(days=1)
    exchanged(country)
    first, second = neighbour.told(abroad)
    assert first == second


def test_only_the_newest_news_is_sent(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver
) -> None:
    neighbour.send(country)
    entry = the_entry(body)
    approve(body, entry)
    country.publish()
    with country.connect(Kind.OPERATOR) as operator:
        operator.request("POST", "/v1/entries/emergency-delisting", json={"entries": [entry["id"]]})
    exchanged(country)
    assert said(neighbour, abroad) == [("outcome", "refused", "other")]


def test_a_suspended_peer_is_told_nothing_until_it_is_readmitted(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver
) -> None:
    neighbour.send(country)
    approve(body, the_entry(body))
    owner = rows(country, Referral)[0].peer_id
    for is_suspended in (True, False):
        with country.database.writing() as session:
            identity.suspend_organisation(session, owner, is_suspended, country.clock())
        exchanged(country)
        assert len(abroad.got) == (0 if is_suspended else 1)


def test_the_log_of_the_service_names_messages_by_id_only(
    country: Service, neighbour: Neighbour, body: Connection, abroad: Receiver, capfd: Any
) -> None:
    abroad.answer = status(503)
    neighbour.send(country)
    approve(body, the_entry(body))
    exchanged(country)
    logged = capfd.readouterr()
    text = logged.out + logged.err
    assert rows(country, PeerMessage)[0].id in text
    for hidden in ("example.test", str(abroad.port), REFERRED["statement"]):
        assert hidden not in text
