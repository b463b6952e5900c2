"""An entry in the reviewers' console over HTTP: without its address, and decided on with a passkey."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.core.terms import ConflictReason, Kind
from app.identity import conflicts
from app.identity.permissions import Scope
from tests.programs.browser import certify, invite
from tests.programs.service import STATEMENT, Service, approve, leaves, replay, running
from tests.programs.webclient import WebClient, signed_in_client
from tests.web.reviewers import World, decision, now, rows, submit, where


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(Service(tmp_path_factory.mktemp("reviewing") / "home")) as service:
        service.add_list()
        service.add_list("other", quorum={"url": 2})
        with service.connect(Kind.HOTLINE) as hotline:
            yield World(service, hotline, signed_in_client(service, Kind.REVIEW_BODY, name="Ada"))


def somebody(world: World, **more: Any) -> WebClient:
    """A reviewer of another body."""
    return signed_in_client(world.service, Kind.REVIEW_BODY, **more)


def test_an_entry_says_what_a_decision_rests_on(world: World) -> None:
    entry = world.entry(scope="host")
    page = world.reviewer.get(where(entry)).text
    for text in (
        STATEMENT,
        "offering it or making it available",
        "Lanzarote Convention (CETS 201), art. 20(1)(b); Budapest Convention (CETS 185), art. 9(1)(b)",
        "real sexually explicit conduct",
        "every page of this host",
        "under changing paths",
        "an ordinary name",
        "0 bodies have decided; 2 must agree",
        "nobody was told to remove it yet",
        "not corroborated",
        "Submitted",
    ):
        assert text in page, text


def test_the_address_is_shown_on_demand_only_and_is_never_a_link(world: World) -> None:
    entry = world.entry(hosting_address="192.0.2.7")
    page, shown = world.reviewer.get(where(entry)).text, world.reviewer.get(f"{where(entry)}/address")
    assert "example" not in page.partition("<main")[2].replace("Every criterion", "")
    assert entry["commitment_key"] not in page + shown.text
    assert f"hxxps[:]//n{world.count}[.]example[.]test/window" in shown.text
    assert "192.0.2.7" in shown.text
    assert "example.test" not in shown.text
    assert shown.headers["cache-control"] == "no-store"
    part = world.reviewer.get(f"{where(entry)}/address", **{"HX-Request": "true"}).text
    assert "[.]example[.]test" in part
    assert "<html" not in part


def test_an_address_within_a_text_is_left_out_until_it_is_asked_for(world: World) -> None:
    text = "Seen at https://other.example.test/page by two analysts, and on <b>n0</b>."
    entry = world.entry(statement=text)
    page, shown = world.reviewer.get(where(entry)).text, world.reviewer.get(f"{where(entry)}/address").text
    assert "Seen at [address] by two analysts" in page
    assert "An address was left out here" in page
    assert "hxxps[:]//other[.]example[.]test/page" in shown
    assert "https://other" not in page + shown
    assert "<b>n0" not in page + shown


def test_a_signed_approval_is_taken_in_as_one_over_the_api(world: World) -> None:
    entry = world.entry()
    answer = world.reviewer.signed_post(f"{where(entry)}/decision", decision(entry))
    assert answer.status_code == 303
    assert now(world.hotline, entry)["status"] == "approved"
    on = world.reviewer.get(answer.headers["location"])
    assert "Approved. Signed as Ada" in world.reviewer.get(on.headers["location"]).text
    page = world.reviewer.get(where(entry)).text
    assert "Approved: enough bodies agree" in page
    assert "Nothing is left to decide" in page
    replay(world.service)


def test_a_signed_rejection_needs_no_criterion(world: World) -> None:
    entry = world.entry()
    answer = world.reviewer.signed_post(f"{where(entry)}/decision", decision(entry, "reject"))
    assert answer.status_code == 303
    assert now(world.hotline, entry)["status"] == "rejected"


def test_a_reason_of_several_lines_is_signed_however_the_browser_ends_them(world: World) -> None:
    entry = world.entry()
    asked = world.reviewer.options(f"{where(entry)}/decision", decision(entry, reason="One.\nTwo."))
    sent = decision(entry, reason="One.\r\nTwo.") | world.reviewer.signed_fields(asked)
    assert world.reviewer.post(f"{where(entry)}/decision", sent).status_code == 303


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"depicts_child": ""}, "question 1: answer it with yes or no"),
        ({"removal_pursued": "perhaps"}, "question 5: answer it with yes or no"),
        ({"decision": ""}, "decision: choose approve or reject"),
        ({"reason": " \n "}, "reason: write 1 to 2,000 characters"),
        ({"reason": "- - -"}, "reason: write 1 to 2,000 characters of plain text, in words"),
        ({"reason": "x" * 2001}, "reason: write 1 to 2,000 characters"),
        ({"reason": "a\x07b"}, "reason: write 1 to 2,000 characters"),
        ({"narrowest_scope": "no"}, "an approval needs yes to every question"),
        ({"digest": "0" * 64}, "open it again and read what it says now"),
    ],
)
def test_a_form_that_cannot_be_taken_comes_back_with_the_reason(
    world: World, changes: dict[str, str], said: str
) -> None:
    entry = world.entry()
    fields = decision(entry, **changes)
    asked = world.reviewer.post(f"{where(entry)}/decision/options", fields)
    assert asked.status_code in (409, 422)
    assert said in asked.text
    answer = world.reviewer.post(f"{where(entry)}/decision", fields)
    assert answer.status_code == asked.status_code
    assert said in answer.text
    assert answer.text.count(" checked") == sum(
        fields[name] in ("yes", "no", "approve") for name in fields
    ), "what was chosen is still chosen"
    assert fields["reason"].strip() in answer.text
    assert now(world.hotline, entry)["status"] == "submitted"


@pytest.mark.parametrize(
    "changes",
    [{"decision": "reject"}, {"reason": "Something else."}],
    ids=["decision", "reason"],
)
def test_a_signature_for_one_decision_does_not_serve_another(world: World, changes: dict[str, str]) -> None:
    entry = world.entry()
    asked = world.reviewer.options(f"{where(entry)}/decision", decision(entry))
    sent = {**decision(entry), **changes, **world.reviewer.signed_fields(asked)}
    answer = world.reviewer.post(f"{where(entry)}/decision", sent)
    assert (answer.status_code, "does not hold for what was asked" in answer.text) == (422, True)
    assert now(world.hotline, entry)["status"] == "submitted"


def test_a_signature_for_one_entry_does_not_serve_another(world: World) -> None:
    one, other = world.entry(), world.entry()
    signed = world.reviewer.signed_fields(world.reviewer.options(f"{where(one)}/decision", decision(one)))
    answer = world.reviewer.post(f"{where(other)}/decision", decision(other) | signed)
    assert answer.status_code == 422
    assert now(world.hotline, other)["status"] == "submitted"


def test_a_signature_serves_once(world: World) -> None:
    entry = world.entry(list="other")
    asked = world.reviewer.options(f"{where(entry)}/decision", decision(entry))
    sent = decision(entry) | world.reviewer.signed_fields(asked)
    assert world.reviewer.post(f"{where(entry)}/decision", sent).status_code == 303
    assert world.reviewer.post(f"{where(entry)}/decision", sent).status_code == 409
    mate = WebClient(world.service, passkey=world.reviewer.passkey)
    mate.sign_in()
    fresh = world.entry()
    assert mate.post(f"{where(fresh)}/decision", decision(fresh) | sent).status_code in (409, 422)
    with world.service.database.reading() as session:
        cast = [leaf for leaf in leaves(session) if leaf["type"] == "entry.reviewed"]
    assert len([leaf for leaf in cast if leaf["entry"] == entry["id"]]) == 1


def test_a_body_decides_once_and_nobody_reads_who_did(world: World) -> None:
    entry = world.entry(list="other")
    assert world.reviewer.signed_post(f"{where(entry)}/decision", decision(entry)).status_code == 303
    assert "yours is recorded" in world.reviewer.get(where(entry)).text
    assert entry["id"] not in rows(world.reviewer.get("/console/queue?list=other").text)
    other = somebody(world)
    page = other.get(where(entry)).text
    assert "1 body has decided; 2 must agree" in page
    assert world.reviewer.invited is not None
    for secret in (world.reviewer.invited.organisation, world.reviewer.invited.client, "Ada"):
        assert secret not in page
    assert other.signed_post(f"{where(entry)}/decision", decision(entry, "reject")).status_code == 303
    assert now(world.hotline, entry)["status"] == "submitted"


def test_a_body_in_conflict_with_the_hotline_is_refused(world: World) -> None:
    entry, partial = world.entry(), somebody(world)
    assert partial.invited is not None
    with world.service.database.writing() as session:
        conflicts.declare(
            session,
            partial.invited.organisation,
            entry["submitted_by"],
            ConflictReason.FUNDING,
            world.service.clock(),
        )
    page = partial.get(where(entry)).text
    assert "must be independent of whoever submitted" in page
    assert 'id="decision"' not in page
    assert partial.signed_post(f"{where(entry)}/decision", decision(entry)).status_code == 403
    assert entry["id"] not in rows(partial.get("/console/queue").text)


def test_an_uncertified_passkey_decides_nothing_and_is_told_why(world: World) -> None:
    entry = world.entry()
    fresh = WebClient(world.service, invite(world.service, Kind.REVIEW_BODY))
    assert "Your passkey is not certified yet" in fresh.get(where(entry)).text
    answer = fresh.signed_post(f"{where(entry)}/decision", decision(entry))
    assert (answer.status_code, "certify this key" in answer.text) == (403, True)
    assert fresh.invited is not None
    certify(world.service, fresh.invited)
    assert 'id="decision"' in fresh.get(where(entry)).text


def test_an_entry_withdrawn_meanwhile_is_not_decided(world: World) -> None:
    entry = world.entry()
    asked = world.reviewer.options(f"{where(entry)}/decision", decision(entry))
    world.hotline.request("POST", f"/v1/entries/{entry['id']}/withdrawal")
    sent = decision(entry) | world.reviewer.signed_fields(asked)
    answer = world.reviewer.post(f"{where(entry)}/decision", sent)
    assert (answer.status_code, "withdrawn meanwhile" in answer.text) == (409, True)
    assert now(world.hotline, entry)["status"] == "withdrawn"


def test_while_a_second_opinion_is_open_the_entry_looks_as_submitted(world: World) -> None:
    world.service.add_list("blind", second_opinion_percent=100)
    entry = world.entry(list="blind")
    assert world.reviewer.signed_post(f"{where(entry)}/decision", decision(entry)).status_code == 303
    assert now(world.hotline, entry)["status"] == "approved"
    other = somebody(world)
    page = other.get(where(entry)).text
    assert "0 bodies have decided" in page
    assert "Approved" not in page
    assert "A review body decided" not in page
    answer = other.signed_post(f"{where(entry)}/decision", decision(entry, "reject"))
    assert answer.status_code == 303
    said = other.get(other.get(answer.headers["location"]).headers["location"]).text
    assert "Rejected. Signed as Test Person" in said
    assert now(world.hotline, entry)["status"] == "approved"
    replay(world.service)


def test_a_hotline_reads_its_own_entries_and_decides_nothing(world: World) -> None:
    entry = world.entry()
    own = signed_in_client(world.service, Kind.HOTLINE, organisation=entry["submitted_by"])
    stranger = signed_in_client(world.service, Kind.HOTLINE)
    page = own.get(where(entry)).text
    assert STATEMENT in page
    assert "Your decision" not in page
    assert "[.]example[.]test" in own.get(f"{where(entry)}/address").text
    for path in (where(entry), f"{where(entry)}/address"):
        assert stranger.get(path).status_code == 404
    assert own.post(f"{where(entry)}/decision", decision(entry)).status_code == 403


def test_a_hotline_that_corroborated_sees_neither_statement_nor_address(world: World) -> None:
    entry = world.entry()
    second = world.service.organisation(Kind.HOTLINE)
    with world.service.connect(Kind.HOTLINE, second) as connection:
        submit(connection, f"https://n{world.count}.example.test/window")
    client = signed_in_client(world.service, Kind.HOTLINE, organisation=second)
    page = client.get(where(entry)).text
    assert "corroborated by 1 other hotline" in page
    assert "Corroborated by another hotline" in page
    assert STATEMENT not in page
    assert client.get(f"{where(entry)}/address").status_code == 404


def test_a_listed_entry_shows_its_way_and_an_erased_one_no_text(world: World) -> None:
    entry = world.entry()
    with (
        world.service.connect(Kind.REVIEW_BODY) as reviewer,
        world.service.connect(Kind.OPERATOR) as operator,
    ):
        approve(reviewer, entry)
        world.service.publish()
        assert "Listed, version 1" in world.reviewer.get(where(entry)).text
        operator.request("POST", f"/v1/entries/{entry['id']}/erasure", json={"reason": "court_order"})
    world.service.publish()
    page = world.reviewer.get(where(entry)).text
    assert "Erased: court order" in page
    assert STATEMENT not in page
    assert world.reviewer.get(f"{where(entry)}/address").status_code == 404


def test_who_may_only_read_gets_no_form(world: World) -> None:
    reader = signed_in_client(world.service, Kind.REVIEW_BODY, scopes={Scope.ENTRIES_READ})
    entry = world.entry()
    assert "Your decision" not in reader.get(where(entry)).text
    assert reader.get("/console/queue").status_code == 403
    assert reader.signed_post(f"{where(entry)}/decision", decision(entry)).status_code == 403


def test_no_address_reason_or_name_reaches_log_or_leaves(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    entry = world.entry()
    world.reviewer.get(f"{where(entry)}/address")
    fields = decision(entry, reason="Quillfeather saw it.")
    assert world.reviewer.signed_post(f"{where(entry)}/decision", fields).status_code == 303
    said = "".join(capfd.readouterr())
    with world.service.database.reading() as session:
        public = "".join(str(leaf) for leaf in leaves(session))
    for secret in (f"n{world.count}.example", f"n{world.count}[.]example", "Quillfeather", "Ada"):
        assert secret not in said
        assert secret not in public
