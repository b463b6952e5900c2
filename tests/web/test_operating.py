"""Operators in the console: each dangerous act is signed by a passkey, for just what the form says."""

import json
import re
from collections.abc import Iterator

import pytest

from app.core import signup
from app.core.terms import Kind
from app.identity import service as identity
from app.identity.permissions import Scope
from tests.appeals import people as appellants
from tests.programs.browser import invite
from tests.programs.service import LIST, Service, new_entry, recorded, replay, running
from tests.programs.webclient import WebClient, signed_in_client

REVIEWING = {"scope-reviews:write": "yes", "scope-entries:read": "yes"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(Service(tmp_path_factory.mktemp("operating") / "home")) as found:
        found.add_list()
        yield found
        replay(found)


@pytest.fixture(scope="module")
def operator(service: Service) -> WebClient:
    return signed_in_client(service, Kind.OPERATOR)


def entry(service: Service, word: str) -> str:
    with service.connect(Kind.HOTLINE) as hotline:
        made = hotline.request("POST", "/v1/entries", json=new_entry(f"https://{word}.example.test/"))
        return str(made.json()["id"])


def kinds(service: Service) -> list[str]:
    return [leaf["type"] for leaf in recorded(service)]


def refused_for_another(
    service: Service, client: WebClient, where: str, fields: dict[str, str], others: dict[str, str]
) -> None:
    """Neither without a passkey nor with its answer to other fields; nothing changes."""
    before = recorded(service)
    said = client.signed_fields(client.options(where, others))
    assert client.post(where, fields).status_code == 422
    assert client.post(where, {**fields, **said}).status_code == 422
    assert recorded(service) == before


def test_somebody_is_invited_by_a_link_that_is_shown_once(service: Service, operator: WebClient) -> None:
    body = service.organisation(Kind.REVIEW_BODY)
    where, fields = "/console/people/invitation", {"organisation": body, "name": "Hal Example", **REVIEWING}
    refused_for_another(service, operator, where, fields, {**fields, "scope-appeals:decide": "yes"})
    page = operator.signed_post(where, fields)
    token = page.text.split("/console/enrol#")[1].split("<")[0]
    stranger = WebClient(service)
    assert stranger.enrol(token).status_code == 200
    assert stranger.sign_in().status_code == 303
    assert "Hal Example" in operator.get("/console/people").text
    assert token not in operator.get("/console/people").text


def test_nobody_gets_more_rights_than_the_kind_of_organisation_may_have(
    service: Service, operator: WebClient
) -> None:
    hotline, before = service.organisation(Kind.HOTLINE), recorded(service)
    fields = {"organisation": hotline, "name": "Ida Example", **REVIEWING}
    assert operator.signed_post("/console/people/invitation", fields).status_code == 422
    assert recorded(service) == before


def test_who_leaves_is_out_at_once_and_the_name_is_gone(service: Service, operator: WebClient) -> None:
    leaving = signed_in_client(service, Kind.HOTLINE, name="Jo Example")
    person = leaving.invited.person  # type: ignore[union-attr]
    where, other = f"/console/people/{person}/end", f"/console/people/{person}/again"
    said = operator.signed_fields(operator.options(other))
    assert operator.post(where, said).status_code == 422
    assert operator.signed_post(where).status_code == 303
    assert leaving.get("/console/account").status_code == 303
    assert "Jo Example" not in operator.get("/console/people").text


def test_nobody_ends_or_suspends_oneself(service: Service, operator: WebClient) -> None:
    me = operator.invited
    assert me is not None
    assert operator.signed_post(f"/console/people/{me.person}/end").status_code == 422
    own = f"/console/organisations/{me.organisation}/standing"
    assert operator.signed_post(own, {"standing": "suspend"}).status_code == 422
    assert operator.get("/console/account").status_code == 200


def test_an_invitation_again_ends_the_one_before(service: Service, operator: WebClient) -> None:
    first = invite(service, Kind.HOTLINE)
    page = operator.signed_post(f"/console/people/{first.person}/again")
    assert WebClient(service).enrol(first.token).status_code == 404
    token = page.text.split("/console/enrol#")[1].split("<")[0]
    assert WebClient(service).enrol(token).status_code == 200


def test_an_organisation_is_added_suspended_and_readmitted(service: Service, operator: WebClient) -> None:
    fields = {"name": "Hotline of the console", "kind": "hotline", "country": "nl"}
    where = operator.post("/console/organisations", fields).headers["location"]
    standing = f"{where}/standing"
    refused_for_another(service, operator, standing, {"standing": "suspend"}, {"standing": "readmit"})
    assert operator.signed_post(standing, {"standing": "suspend"}).status_code == 303
    assert "suspended" in operator.get(where).text
    assert operator.signed_post(standing, {"standing": "readmit"}).status_code == 303
    assert kinds(service)[-2:] == ["organisation.suspended", "organisation.readmitted"]
    assert operator.post("/console/organisations", {**fields, "country": "XX"}).status_code == 422
    assert operator.signed_post(standing, {"standing": "promote"}).status_code == 422


def test_conflicts_are_declared_and_ended(service: Service, operator: WebClient) -> None:
    pair = {"one": service.organisation(Kind.HOTLINE), "other": service.organisation(Kind.REVIEW_BODY)}
    assert operator.post("/console/conflicts", {**pair, "reason": "funding"}).status_code == 303
    assert operator.post("/console/conflicts/end", pair).status_code == 303
    assert kinds(service)[-2:] == ["conflict.declared", "conflict.ended"]
    assert operator.post("/console/conflicts/end", pair).status_code == 404
    assert operator.post("/console/conflicts", {**pair, "reason": "gossip"}).status_code == 422


def test_a_policy_is_changed_one_knob_at_a_time(service: Service, operator: WebClient) -> None:
    where = f"/console/published/{LIST}/policy"
    fields = {"base_version": "1", "knob": "recheck_days", "value": "20"}
    refused_for_another(service, operator, where, fields, {**fields, "value": "30"})
    assert operator.signed_post(where, fields).status_code == 303
    changed = recorded(service)[-1]
    assert (changed["type"], changed["recheck_days"], changed["version"]) == ("policy.changed", 20, 2)
    assert operator.signed_post(where, fields).status_code == 409, "it changed since"
    for knob, value in (("recheck_days", "soon"), ("recheck_days", "-1"), ("nothing", "1"), ("quorum", "[[")):
        wrong = {"base_version": "2", "knob": knob, "value": value}
        assert operator.signed_post(where, wrong).status_code == 422
    assert json.dumps(20) in operator.get(f"/console/published/{LIST}").text


def test_entries_are_taken_off_at_once(service: Service, operator: WebClient) -> None:
    first, second = entry(service, "e1"), entry(service, "e2")
    where = "/console/removal/emergency"
    refused_for_another(service, operator, where, {"entries": first}, {"entries": second})
    assert "2 entries" in operator.signed_post(where, {"entries": f"{first}\n{second}"}).text
    assert "0 entries leave the list" in operator.signed_post(where, {"entries": first}).text
    assert operator.signed_post(where, {"entries": "nothing"}).status_code == 404
    assert operator.signed_post(where, {}).status_code == 422
    assert operator.signed_post(where, {"entries": first, "batch": "b"}).status_code == 422


def test_a_batch_is_taken_off_at_once(service: Service, operator: WebClient) -> None:
    with service.connect(Kind.HOTLINE) as hotline:
        bodies = [new_entry(f"https://g{number}.example.test/") for number in range(2)]
        made = hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()
    where, fields = "/console/removal/emergency", {"batch": made["batch"]}
    refused_for_another(service, operator, where, fields, {"batch": "another"})
    assert "2 entries leave" in operator.signed_post(where, fields).text
    assert operator.signed_post(where, {"batch": "another"}).status_code == 404


def test_a_flag_is_seen_and_cleared(service: Service, operator: WebClient) -> None:
    service.add_list("strict", overturn_percent=1, overturn_after=1)
    hotline, url = service.organisation(Kind.HOTLINE, "Hotline with a flag"), "https://h1.example.test/"
    with service.connect(Kind.HOTLINE, hotline) as caller, service.connect(Kind.REVIEW_BODY) as reviewer:
        appellants.listed(service, caller, reviewer, url, list="strict")
    with service.connect(Kind.REVIEW_BODY) as judge:
        assert appellants.decide(service, judge, appellants.file(service, url)).status_code == 201
    service.publish()
    assert "Hotline with a flag</a> on strict: 1 overturned" in operator.get("/console/organisations").text
    where, fields = f"/console/organisations/{hotline}/flag", {"list": "strict"}
    assert operator.post(where, {"list": LIST}).status_code == 422
    assert operator.post(where, fields).status_code == 303
    assert "Flagged hotlines" not in operator.get("/console/organisations").text
    assert kinds(service)[-1] == "organisation.unflagged"


def test_an_organisation_shows_its_keys_also_retired_ones(service: Service, operator: WebClient) -> None:
    hotline = service.organisation(Kind.HOTLINE)
    credentials = service.credentials(hotline, {Scope.ENTRIES_READ})
    with service.database.writing() as session:
        (kid,) = identity.keys(session, credentials.client_id)
        identity.revoke_key(session, kid, service.clock())
    signed_in_client(service, Kind.HOTLINE, organisation=hotline, name="Lee Example")
    shown, day = operator.get(f"/console/organisations/{hotline}").text, f"{service.clock():%Y-%m-%d}"
    assert signup.fingerprint(kid) in shown
    assert f"revoked {day}" in shown
    assert shown.count(f"since {day}") == 2
    assert "Lee Example" in shown


def test_long_lists_come_a_page_at_a_time(service: Service, operator: WebClient) -> None:
    everybody = {invite(service, Kind.HOTLINE).person for _ in range(51)}
    seen: list[set[str]] = []
    where = "/console/people"
    while where:
        shown = operator.get(where).text
        seen.append(set(re.findall(r'data-options="/console/people/(\w+)/end/options"', shown)))
        following = re.search(r'href="(/console/people\?cursor=[^"]+)">Next page', shown)
        where = following[1] if following else ""
    assert len(seen) > 1
    assert max(len(some) for some in seen) <= 50
    assert everybody <= set().union(*seen)
    assert operator.get("/console/people?cursor=!").status_code == 422
    assert "Next page" in operator.get("/console/organisations").text


def test_an_entry_is_erased_for_a_reason(service: Service, operator: WebClient) -> None:
    one, where = entry(service, "f1"), "/console/removal/erasure"
    fields = {"entry": one, "reason": "court_order"}
    refused_for_another(service, operator, where, fields, {**fields, "reason": "victim_request"})
    assert operator.signed_post(where, fields).status_code == 200
    assert recorded(service)[-1]["type"] == "entry.erased"
    assert operator.signed_post(where, {**fields, "reason": "boredom"}).status_code == 422


def test_an_operator_without_the_right_to_erase_has_no_such_form(service: Service) -> None:
    client = signed_in_client(service, Kind.OPERATOR, scopes={Scope.ADMIN})
    assert "Erase an entry" not in client.get("/console/removal").text
    answer = client.signed_post("/console/removal/erasure", {"entry": "x", "reason": "court_order"})
    assert answer.status_code == 403
