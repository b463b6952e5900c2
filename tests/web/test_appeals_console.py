"""Appeals in the reviewers' console: what waits, without its address, and decisions by passkey."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.core.terms import Kind
from app.identity.permissions import Scope
from tests.appeals.people import STATEMENT, file, log_id, read
from tests.programs.service import LIST, Service, approve, leaves, replay, running
from tests.programs.webclient import WebClient, signed_in_client
from tests.web.reviewers import World, now

ALL = "/console/appeals"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With a judge, whose body took no part in anything."""
    with running(Service(tmp_path_factory.mktemp("appeals") / "home")) as service:
        service.add_list()
        with service.connect(Kind.HOTLINE) as hotline:
            yield World(service, hotline, signed_in_client(service, Kind.REVIEW_BODY, name="Ada"))


@pytest.fixture(scope="module")
def approver(world: World) -> str:
    """The body that signs entries off."""
    return world.service.organisation(Kind.REVIEW_BODY)


def contested(world: World, approver: str, **appeal: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A listed entry, and the appeal against it."""
    entry = world.entry()
    with world.service.connect(Kind.REVIEW_BODY, approver) as reviewer:
        approve(reviewer, entry)
    world.service.publish()
    return entry, file(world.service, f"https://n{world.count}.example.test/window", **appeal)


def fields(verdict: str, *entries: dict[str, Any], **changes: str) -> dict[str, str]:
    """A decision's form as the page has it."""
    ids = " ".join(entry["id"] for entry in entries)
    return {"entries": ids, "outcome": verdict, "reason": "The page shows garden tools.", **changes}


def where(filed: dict[str, Any]) -> str:
    return f"{ALL}/{filed['reference']}"


def test_what_waits_is_shown_without_address_statement_or_secret(world: World, approver: str) -> None:
    _, filed = contested(world, approver)
    page = world.reviewer.get(ALL).text
    assert filed["reference"] in page
    for secret in ("example.test", "example[.]test", STATEMENT, filed["secret"]):
        assert secret not in page


def test_an_appeal_says_what_it_concerns_and_shows_its_address_on_demand(world: World, approver: str) -> None:
    entry, filed = contested(world, approver, proof="dns_txt")
    page = world.reviewer.get(where(filed)).text
    for text in (STATEMENT, entry["id"], filed["proof_token"], "_wardlist-appeal", "this one address", LIST):
        assert text in page, text
    assert "example" not in page.partition("<main")[2]
    shown = world.reviewer.get(f"{where(filed)}/address").text
    assert f"hxxps[:]//n{world.count}[.]example[.]test/window" in shown
    assert "example.test" not in shown


def test_addresses_in_a_statement_are_no_links_and_shown_on_demand(world: World) -> None:
    text = "My page https://mine.example.test/tools is blocked <i>though</i> it shows garden tools."
    filed = file(world.service, "https://mine.example.test/tools", statement=text)
    page, shown = world.reviewer.get(where(filed)).text, world.reviewer.get(f"{where(filed)}/address").text
    assert "My page [address] is blocked" in page
    assert "hxxps[:]//mine[.]example[.]test/tools is blocked" in shown
    assert "https://mine" not in page + shown
    assert "<i>though" not in page + shown
    assert "No entry covers this address" in page


def test_an_upheld_appeal_takes_the_entry_off(world: World, approver: str) -> None:
    entry, filed = contested(world, approver)
    answer = world.reviewer.signed_post(f"{where(filed)}/decision", fields("upheld", entry))
    assert answer.status_code == 303
    assert "signed and on record, as Ada" in world.reviewer.get(answer.headers["location"]).text
    world.service.publish()
    assert now(world.hotline, entry)["delist_reason"] == "appeal_upheld"
    assert read(world.service, filed).json()["reasons"] == "The page shows garden tools."
    assert world.reviewer.get(where(filed)).status_code == 409
    replay(world.service)


def test_a_denied_appeal_changes_nothing(world: World, approver: str) -> None:
    entry, filed = contested(world, approver)
    answer = world.reviewer.signed_post(f"{where(filed)}/decision", fields("denied", entry))
    assert answer.status_code == 303
    world.service.publish()
    assert now(world.hotline, entry)["status"] == "listed"
    assert read(world.service, filed).json()["outcome"] == "denied"
    replay(world.service)


def test_finding_the_proof_is_recorded(world: World, approver: str) -> None:
    entry, filed = contested(world, approver, proof="well_known")
    sent = fields("upheld", entry, ownership_confirmed="yes")
    assert world.reviewer.signed_post(f"{where(filed)}/decision", sent).status_code == 303
    with world.service.database.reading() as session:
        found = session.connection().exec_driver_sql(
            "SELECT ownership_confirmed FROM appeal WHERE id = '{}'".format(filed["reference"])
        )
        assert found.scalar_one() == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outcome": "perhaps"}, "outcome: choose upheld or denied"),
        ({"reason": ""}, "reason: write 1 to 4,000 characters"),
        ({"reason": "x" * 4001}, "reason: write 1 to 4,000 characters"),
    ],
)
def test_a_form_that_cannot_be_taken_comes_back_with_the_reason(
    world: World, changes: dict[str, str], said: str
) -> None:
    filed = file(world.service, "https://nothing.example.test/")
    for path in (f"{where(filed)}/decision/options", f"{where(filed)}/decision"):
        answer = world.reviewer.post(path, fields("denied", **changes))
        assert (answer.status_code, said in answer.text) == (422, True)
    assert fields("denied", **changes)["reason"] in answer.text
    assert read(world.service, filed).json()["state"] == "filed"


def test_where_nothing_is_listed_it_can_only_be_denied(world: World) -> None:
    filed = file(world.service, "https://unlisted.example.test/")
    answer = world.reviewer.signed_post(f"{where(filed)}/decision", fields("upheld"))
    assert (answer.status_code, "no entry covers this address" in answer.text) == (422, True)
    assert world.reviewer.signed_post(f"{where(filed)}/decision", fields("denied")).status_code == 303


@pytest.mark.parametrize(
    "changes",
    [{"outcome": "denied"}, {"reason": "Another."}, {"entries": ""}],
    ids=["outcome", "reason", "ids"],
)
def test_a_signature_for_one_decision_does_not_serve_another(
    world: World, approver: str, changes: dict[str, str]
) -> None:
    entry, filed = contested(world, approver)
    asked = world.reviewer.options(f"{where(filed)}/decision", fields("upheld", entry))
    sent = {**fields("upheld", entry), **changes, **world.reviewer.signed_fields(asked)}
    assert world.reviewer.post(f"{where(filed)}/decision", sent).status_code == 422
    assert read(world.service, filed).json()["state"] == "filed"
    assert now(world.hotline, entry)["status"] == "listed"


def test_a_form_whose_entries_are_others_by_now_is_to_be_read_again(world: World, approver: str) -> None:
    entry, filed = contested(world, approver)
    sent = fields("upheld", {"id": "00000000-0000-0000-0000-000000000000"})
    answer = world.reviewer.signed_post(f"{where(filed)}/decision", sent)
    assert (answer.status_code, "read the appeal again" in answer.text) == (409, True)
    assert now(world.hotline, entry)["status"] == "listed"


def test_a_decision_is_made_once(world: World, approver: str) -> None:
    entry, filed = contested(world, approver)
    asked = world.reviewer.options(f"{where(filed)}/decision", fields("denied", entry))
    sent = fields("denied", entry) | world.reviewer.signed_fields(asked)
    assert world.reviewer.post(f"{where(filed)}/decision", sent).status_code == 303
    assert world.reviewer.post(f"{where(filed)}/decision", sent).status_code == 409
    with world.service.database.reading() as session:
        name = log_id(world.service, filed)
        made = [one for one in leaves(session) if one["type"] == "appeal.decided" and one["appeal"] == name]
    assert len(made) == 1


def test_a_body_that_took_part_neither_sees_nor_decides_it(world: World, approver: str) -> None:
    entry, filed = contested(world, approver)
    client = signed_in_client(world.service, Kind.REVIEW_BODY, organisation=approver)
    assert filed["reference"] not in client.get(ALL).text
    for path in (where(filed), f"{where(filed)}/address"):
        answer = client.get(path)
        assert (answer.status_code, STATEMENT in answer.text) == (403, False)
    assert client.signed_post(f"{where(filed)}/decision", fields("denied", entry)).status_code == 403


def test_what_is_late_is_said_to_be(world: World) -> None:
    filed = file(world.service, "https://late.example.test/")
    world.service.clock.ahead += timedelta(days=60)
    world.reviewer.sign_in()
    assert '<span class="tag bad">late</span>' in world.reviewer.get(ALL).text
    assert filed["reference"] in world.reviewer.get(ALL).text
    world.service.clock.ahead -= timedelta(days=60)
    world.reviewer.sign_in()


def test_who_may_not_read_entries_gets_no_link_to_them(world: World, approver: str) -> None:
    entry, filed = contested(world, approver)
    judge: WebClient = signed_in_client(world.service, Kind.REVIEW_BODY, scopes={Scope.APPEALS_DECIDE})
    page = judge.get(where(filed)).text
    assert entry["id"][:8] in page
    assert f"/console/entries/{entry['id']}" not in page
    assert judge.get("/console/queue").status_code == 403
