"""Takedowns as they are listed: who sees which, what is late, and every page of them."""

from typing import Any

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.service import LIST, Service, replay, signed_review
from tests.takedown.told import (
    NETWORK,
    Post,
    answer,
    approved,
    contact,
    pass_time,
    shown,
    submitted,
    token_of,
)


def ids(caller: Connection, **filters: Any) -> list[str]:
    found = caller.request("GET", "/v1/takedowns", params=filters).json()["takedowns"]
    return [str(one["id"]) for one in found]


def url(number: int) -> str:
    return f"https://p{number}.example.test/x"


def test_a_takedown_stands_there_from_its_submission_on(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    entry = submitted(hotline)
    blocking = submitted(hotline, url(2), measures=["blocking"])
    assert ids(hotline) == [entry]
    found = shown(hotline, entry)
    assert (found["state"], found["opened_at"], found["is_overdue"]) == ("not_started", None, False)
    assert (found["routed_by"], found["notices"], found["happened"]) == ([], [], [])
    assert shown(hotline, blocking)["state"] == "not_started"
    body = signed_review(
        reviewer.request("GET", f"/v1/entries/{entry}").json(),
        reviewer.credentials.private_jwk,
        decision="reject",
        criteria={"narrowest_scope": False},
    )
    reviewer.request("POST", f"/v1/entries/{entry}/reviews", json=body)
    assert ids(hotline) == []


def test_one_takedown_tells_whole_of_it(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    provider, network = contact(service), contact(service, NETWORK)
    entry = approved(hotline, reviewer, hosting_address="192.0.2.7")
    answer(service, token_of(post.deliver()[0]), "refused", "not_hosted_here")
    post.deliver()
    with service.connect(Kind.OPERATOR) as operator:
        found = shown(operator, entry)
    assert [step["contact"] for step in found["routed_by"]] == [provider, network]
    assert [(one["turn"], one["contact_name"], one["outcome"]) for one in found["notices"]] == [
        (1, "Example Hosting", "sent"),
        (2, "AS 64496", "sent"),
    ]
    assert [(one["what"], one["to"], one["reason"]) for one in found["happened"]] == [
        ("notified", "provider", None),
        ("refused", None, "not_hosted_here"),
        ("notified", "network", None),
    ]
    assert found["provider_class"] == "hosting"
    assert "example.test" not in str(found)


def test_what_is_late_is_found(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    silent, slow, quick = (approved(hotline, reviewer, url(number)) for number in range(3))
    sent = {parcel.entry_id: token_of(parcel) for parcel in post.deliver()}
    answer(service, sent[slow], "acknowledged")
    answer(service, sent[quick], "removed")
    assert ids(hotline, overdue=True) == []
    pass_time(service, hours=25)
    assert ids(hotline, overdue=True) == [silent]
    assert shown(hotline, silent)["is_overdue"]
    post.deliver()
    assert ids(hotline, overdue=True) == []
    pass_time(service, hours=48)
    assert ids(hotline, overdue="true") == [silent, slow]
    assert ids(hotline, to_confirm=True) == [quick]
    assert ids(hotline, to_confirm=True, overdue=True) == []
    assert ids(reviewer, overdue=True, state="acknowledged") == [slow]
    hotline.request("POST", f"/v1/entries/{slow}/withdrawal")
    assert ids(hotline, overdue=True) == [silent]
    listed = hotline.request("GET", "/v1/takedowns").json()["takedowns"]
    assert [one["is_overdue"] for one in listed] == [True, False, False]
    post.deliver()
    assert ids(hotline) == [silent, slow, quick]
    assert replay(service)


def test_every_filter_and_every_page(service: Service, hotline: Connection, reviewer: Connection) -> None:
    service.add_list("other")
    entries = [
        submitted(
            hotline,
            url(number),
            hosting_country="DE" if number % 2 else "NL",
            list="other" if number > 4 else LIST,
        )
        for number in range(7)
    ]
    assert ids(reviewer) == entries
    assert ids(hotline, country="DE") == entries[1::2]
    assert ids(hotline, list="other", country="DE") == entries[5:6]
    assert ids(hotline, state="notified") == ids(hotline, list="nothing") == []
    seen: list[str] = []
    path: str | None = "/v1/takedowns?limit=2&country=NL"
    while path:
        page = hotline.request("GET", path)
        assert page.headers["cache-control"] == "no-store"
        seen += [one["id"] for one in page.json()["takedowns"]]
        path = page.links["next"]["url"] if "next" in page.links else None
        assert bool(path) == bool(page.json()["next_cursor"])
    assert seen == entries[0::2]
    for wrong in ({"state": "gone"}, {"country": "nl"}, {"cursor": "!"}, {"limit": 0}, {"overdue": "maybe"}):
        assert hotline.send("GET", "/v1/takedowns", params=wrong).status_code == 422


def test_whoever_sees_what(service: Service, hotline: Connection, reviewer: Connection) -> None:
    mine = submitted(hotline)
    with service.connect(Kind.HOTLINE) as other:
        theirs = submitted(other, url(1))
        assert ids(other) == [theirs]
        submitted(other)
        assert ids(other) == [mine, theirs]
        assert other.send("GET", f"/v1/takedowns/{mine}").status_code == 200
    assert ids(hotline) == [mine]
    assert hotline.send("GET", f"/v1/takedowns/{theirs}").status_code == 404
    assert ids(reviewer) == [mine, theirs]
    with service.connect(Kind.OPERATOR) as operator:
        assert ids(operator) == [mine, theirs]
    with service.connect(Kind.LAW_ENFORCEMENT) as police:
        assert ids(police) == []
        assert police.send("GET", f"/v1/takedowns/{mine}").status_code == 404


def test_a_body_asked_for_a_second_opinion_does_not_learn_of_the_first(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    service.add_list("checked", second_opinion_percent=100)
    entry = approved(hotline, reviewer, list="checked")
    service.publish()
    assert shown(hotline, entry)["status"] == "listed"
    new = submitted(hotline, "https://b.example.test/2", list="checked")
    own = ("id", "happened")
    with service.connect(Kind.REVIEW_BODY) as other:
        assert ids(other) == ids(other, state="not_started") == [entry, new]
        assert ids(other, overdue=True) == ids(other, to_confirm=True) == []
        as_new, as_decided = ({**shown(other, one), **dict.fromkeys(own)} for one in (new, entry))
        assert as_decided == as_new
        assert shown(other, entry)["happened"] == []


@pytest.mark.parametrize("kind", [Kind.ISP, Kind.AUDITOR])
def test_nobody_else_sees_any(service: Service, hotline: Connection, kind: Kind) -> None:
    entry = submitted(hotline)
    with service.connect(kind) as caller:
        for path in ("/v1/takedowns", f"/v1/takedowns/{entry}"):
            assert caller.send("GET", path).status_code == 403
