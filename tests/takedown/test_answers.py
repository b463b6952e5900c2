"""A provider answers by its link: once, for its own notice, and not for ever (Must show 4)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Channel, Kind, NoticeKind, NoticeOutcome
from app.platform.strangers import REFUSED_AT_ONCE
from app.takedown.answers import links
from app.takedown.answers.links import Link
from app.takedown.models import Notice
from app.takedown.notices.parcels import Sent
from tests.programs.service import Service, replay
from tests.takedown.told import (
    NETWORK,
    Post,
    answer,
    approved,
    contact,
    pass_time,
    said_of,
    shown,
    steps_of,
    token_of,
)


@pytest.fixture
def token(service: Service, hotline: Connection, reviewer: Connection, post: Post) -> str:
    """The link of a notice that was sent."""
    contact(service)
    approved(hotline, reviewer)
    return token_of(post.deliver()[0])


def entry_of(hotline: Connection) -> str:
    (found,) = hotline.request("GET", "/v1/takedowns").json()["takedowns"]
    return str(found["id"])


def test_a_link_works_once(service: Service, hotline: Connection, token: str) -> None:
    taken = answer(service, token, "removed")
    assert (taken.status_code, taken.json()["answer"], taken.json()["next"]) == (200, "removed", None)
    assert taken.headers["cache-control"] == "no-store"
    before = service.state()
    again = answer(service, token, "refused", "other")
    assert (again.status_code, again.json()["type"]) == (410, "urn:wardlist:problem:gone")
    assert service.state() == before
    entry = entry_of(hotline)
    assert said_of(service, entry)[-1]["by"] == "provider"
    found = shown(hotline, entry)
    assert (found["state"], found["to_confirm"], found["notices"][0]["answers"]) == ("removed", True, 1)
    assert replay(service)


def test_a_link_answers_for_its_own_notice_only(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    one = approved(hotline, reviewer)
    other = approved(hotline, reviewer, "https://b.example.test/2")
    sent = {parcel.entry_id: token_of(parcel) for parcel in post.deliver()}
    swapped = ".".join([sent[other].split(".")[0], *sent[one].split(".")[1:]])
    assert answer(service, swapped, "removed").status_code == 404
    assert answer(service, sent[one], "removed").status_code == 200
    assert shown(hotline, one)["state"] == "removed"
    assert shown(hotline, other)["state"] == "notified"
    assert replay(service)


def test_a_link_expires(service: Service, token: str) -> None:
    pass_time(service, days=service.settings.notice_link_days, seconds=5)
    before = service.state()
    late = answer(service, token, "removed")
    assert (late.status_code, "expired" in late.json()["detail"]) == (410, True)
    assert service.state() == before


def test_a_link_works_until_it_expires(service: Service, token: str) -> None:
    pass_time(service, days=service.settings.notice_link_days, minutes=-1)
    assert answer(service, token, "removed").status_code == 200


def test_whoever_acknowledges_gets_a_link_for_later(
    service: Service, hotline: Connection, token: str
) -> None:
    pass_time(service, days=13)
    taken = answer(service, token, "acknowledged").json()
    following = taken["next"]["answer"].rpartition("/")[2]
    assert taken["next"]["page"] == f"{service.address}/takedown/{following}"
    pass_time(service, days=13)
    assert answer(service, token, "removed").status_code == 410
    assert answer(service, following, "acknowledged").status_code == 409
    assert answer(service, following, "removed").status_code == 200
    assert answer(service, following, "removed").status_code == 410
    found = shown(hotline, entry_of(hotline))
    assert [one["what"] for one in found["happened"]] == ["notified", "acknowledged", "removed"]
    assert found["acknowledged_at"] < found["removed_at"]
    assert replay(service)


def test_a_refusal_has_a_reason_and_the_next_is_told(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    network = contact(service, NETWORK)
    entry = approved(hotline, reviewer, hosting_address="192.0.2.7")
    token = token_of(post.deliver()[0])
    for said in (("refused",), ("removed", "other")):
        wrong = answer(service, token, *said)
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "reason")
    assert answer(service, token, "refused", "because").status_code == 422
    assert answer(service, token, "refused", "not_hosted_here").status_code == 200
    assert said_of(service, entry)[-1]["reason"] == "not_hosted_here"
    found = shown(hotline, entry)
    assert (found["state"], found["refusal"]) == ("refused", "not_hosted_here")
    assert [parcel.contact_id for parcel in post.deliver()] == [network]
    assert shown(hotline, entry)["state"] == "notified"
    assert replay(service)


def test_of_two_answers_at_once_one_is_taken(service: Service, hotline: Connection, token: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        sent = pool.map(lambda said: answer(service, token, *said), [("removed",), ("refused", "other")] * 4)
        codes = sorted(one.status_code for one in sent)
    assert codes == [200] + [410] * 7
    assert len(steps_of(service, entry_of(hotline))) == 2
    assert replay(service)


def test_an_answer_proves_that_the_notice_arrived(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    post.answer = lambda _parcel: Sent(None, "timeout")
    (parcel,) = post.deliver()
    assert shown(hotline, entry)["state"] == "not_started"
    assert answer(service, token_of(parcel), "acknowledged").status_code == 200
    assert steps_of(service, entry) == ["notified", "acknowledged"]
    pass_time(service, minutes=10)
    assert post.deliver() == []
    assert replay(service)


def test_an_answer_to_a_notice_that_was_given_up_counts(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    post.answer = lambda _parcel: Sent(NoticeOutcome.FAILED, "5.1.1")
    (parcel,) = post.deliver()
    post.deliver()
    assert answer(service, token_of(parcel), "refused", "not_found").status_code == 200
    (notice,) = shown(hotline, entry)["notices"]
    assert (notice["outcome"], notice["failure"]) == ("sent", None)
    assert replay(service)


def test_an_answer_that_says_nothing_new_uses_no_link_up(
    service: Service, hotline: Connection, token: str, post: Post
) -> None:
    pass_time(service, hours=25)
    reminder = token_of(post.deliver()[0])
    assert answer(service, token, "acknowledged").status_code == 200
    refused = answer(service, reminder, "acknowledged")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:wardlist:problem:state-conflict")
    assert entry_of(hotline) not in refused.text
    assert answer(service, reminder, "removed").status_code == 200
    assert replay(service)


@pytest.mark.parametrize("end", ["withdrawal", "erasure"])
def test_a_notice_that_no_longer_stands_takes_no_answer(
    service: Service, hotline: Connection, token: str, end: str, post: Post
) -> None:
    entry = entry_of(hotline)
    hotline.request("POST", f"/v1/entries/{entry}/withdrawal")
    if end == "erasure":
        with service.connect(Kind.OPERATOR) as operator:
            operator.request("POST", f"/v1/entries/{entry}/erasure", json={"reason": "court_order"})
    post.deliver()
    before = service.state()
    refused = answer(service, token, "removed")
    assert (refused.status_code, "no longer stands" in refused.json()["detail"]) == (410, True)
    assert service.state() == before
    assert replay(service)


def test_what_asks_for_no_removal_has_no_link(service: Service, token: str) -> None:
    notice_id = token.split(".")[0]
    until = service.clock() + timedelta(days=1)
    with service.database.writing() as session:
        notice = session.get_one(Notice, notice_id)
        notice.kind = NoticeKind.DECONFLICTION
    forged = links.token(service.keyring.notice, Link(notice_id, 0, until))
    assert answer(service, forged, "removed").status_code == 404
    with service.database.writing() as session:
        notice = session.get_one(Notice, notice_id)
        notice.kind, notice.channel = NoticeKind.NOTICE, Channel.PEER
    assert answer(service, forged, "removed").status_code == 404


def test_a_guessed_link_is_not_found_and_many_are_slowed_down(service: Service, token: str) -> None:
    service.clock.still_at = service.clock()
    service.clock.ahead = timedelta()
    guess = token[:-1] + ("0" if token[-1] != "0" else "1")
    codes = {answer(service, guess, "removed").status_code for _ in range(REFUSED_AT_ONCE)}
    assert codes == {404}
    slowed = answer(service, guess, "removed")
    assert (slowed.status_code, slowed.headers["retry-after"]) == (429, "3")
    assert httpx.get(f"{service.address}/takedown/{guess}").status_code == 429
    assert answer(service, token, "removed").status_code == 200
    pass_time(service, seconds=3)
    assert answer(service, guess, "removed").status_code == 404
