"""Statements of reasons: every decision has one, nobody reads more of it than they may, no URL is in it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.client.session import Connection
from app.core.lifecycle import DelistReason
from app.core.reasons import Statement, without_addresses
from app.core.terms import Kind
from app.entries import service as entries
from tests.programs.service import LIST, STATEMENT, Service, approve, new_entry, signed_review

PATH = "/v1/entries/{}/statement-of-reasons"


def submit(hotline: Connection, url: str = "https://a.example.test/1", **changes: Any) -> dict[str, Any]:
    view: dict[str, Any] = hotline.request("POST", "/v1/entries", json=new_entry(url, **changes)).json()
    return view


def ask(reader: Connection, entry: dict[str, Any]) -> httpx.Response:
    return reader.send("GET", PATH.format(entry["id"]))


def reasons(reader: Connection, entry: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = reader.request("GET", PATH.format(entry["id"])).json()
    return found


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rsplit(":", 1)[1]


def test_a_listing_is_explained_field_by_field(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    service.add_list("dutch", jurisdiction="NL", block_in_jurisdiction=True, recheck_days=30, appeal_days=10)
    entry = submit(hotline, list="dutch")
    approve(reviewer, entry)
    service.publish()
    found = reasons(hotline, entry)
    today, until = service.clock().date(), (service.clock() + timedelta(days=30)).date()
    assert {name: found[name] for name in Statement.model_fields if found[name] is not None} == {
        "decision_visibility": [
            "DECISION_VISIBILITY_CONTENT_REMOVED",
            "DECISION_VISIBILITY_CONTENT_DISABLED",
        ],
        "end_date_visibility_restriction": str(until),
        "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
        "illegal_content_legal_ground": (
            "Lanzarote Convention (CETS 201), art. 20(1)(b): offering it or making it available; art. 20(2): "
            "visual depiction of a child in real sexually explicit conduct; "
            "Budapest Convention (CETS 185), art. 9(1)(b)"
        ),
        "illegal_content_explanation": (
            "What was assessed is a visual depiction of a child in real sexually explicit conduct. "
            "The conduct that the ground names is offering it or making it available. "
            "1 independent review body answered every criterion with yes: "
            "depicts child, sexually explicit, url in scope, narrowest scope, removal pursued."
        ),
        "category": "STATEMENT_CATEGORY_PROTECTION_OF_MINORS",
        "category_specification": ["KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL"],
        "content_type": ["CONTENT_TYPE_OTHER"],
        "content_type_other": "visual depiction of a child in real sexually explicit conduct",
        "territorial_scope": ["NL"],
        "application_date": str(today),
        "decision_facts": STATEMENT,
        "source_type": "SOURCE_TYPE_OTHER_NOTIFICATION",
        "automated_detection": "No",
        "automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED",
        "puid": entry["id"],
    }
    beside = ("list", "status", "decision", "bodies", "quorum", "unmet_criteria", "scope", "measures")
    assert [found[name] for name in beside] == [
        *("dutch", "listed", "approve", 1, 1, [], "url", ["takedown", "blocking"])
    ]
    assert found["redress"]["appeal"] == "/v1/appeals"
    assert found["redress"]["decided_within_days"] == 10
    assert "court" in found["redress"]["judicial"]
    assert reasons(reviewer, entry) == found


def test_no_territory_is_named_by_a_list_without_jurisdiction(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    entry = submit(hotline, measures=["takedown"])
    approve(reviewer, entry)
    found = reasons(hotline, entry)
    assert found["territorial_scope"] == []
    assert found["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_REMOVED"]


def test_a_wide_entry_says_why_a_narrower_one_fails_and_how_many_agreed(
    service: Service, hotline: Connection
) -> None:
    entry = submit(hotline, scope="host")
    for _ in range(2):
        with service.connect(Kind.REVIEW_BODY) as reviewer:
            approve(reviewer, entry)
    found = reasons(hotline, entry)
    assert (found["status"], found["scope"], found["bodies"], found["quorum"]) == ("approved", "host", 2, 2)
    assert found["scope_reason"] == new_entry(scope="host")["scope_reason"]
    assert "2 independent review bodies" in found["illegal_content_explanation"]


def test_a_rejection_restricts_nothing_and_names_what_was_not_met(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    entry = submit(hotline)
    body = signed_review(
        entry, reviewer.credentials.private_jwk, decision="reject", criteria={"narrowest_scope": False}
    )
    reviewer.request("POST", f"/v1/entries/{entry['id']}/reviews", json=body)
    found = reasons(hotline, entry)
    assert (found["decision"], found["unmet_criteria"]) == ("reject", ["narrowest_scope"])
    assert found["decision_visibility"] == []
    for name in ("decision_ground", "illegal_content_legal_ground", "end_date_visibility_restriction"):
        assert found[name] is None


def test_what_was_delisted_says_why_and_since_when(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    entry = submit(hotline)
    approve(reviewer, entry)
    service.publish()
    service.clock.ahead += timedelta(days=2)
    with service.database.writing() as session:
        found = entries.get(session, entry["id"])
        assert found is not None
        entries.end(session, found, DelistReason.REMOVED_AT_SOURCE, service.clock())
    told = reasons(reviewer, entry)
    assert (told["status"], told["delist_reason"]) == ("delisted", "removed_at_source")
    assert told["end_date_visibility_restriction"] == str(service.clock().date())
    assert told["application_date"] == str((service.clock() - timedelta(days=2)).date())


@pytest.mark.parametrize("withdrawn", [False, True])
def test_what_nobody_decided_has_no_reasons(
    service: Service, hotline: Connection, reviewer: Connection, withdrawn: bool
) -> None:
    entry = submit(hotline)
    if withdrawn:
        hotline.request("POST", f"/v1/entries/{entry['id']}/withdrawal")
    for reader in (hotline, reviewer):
        assert refused(ask(reader, entry)) == (409, "state-conflict")


def test_a_foreign_hotline_does_not_learn_of_the_entry(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    entry = submit(hotline)
    approve(reviewer, entry)
    with service.connect(Kind.HOTLINE) as foreign:
        answer = ask(foreign, entry)
        unknown = foreign.send("GET", PATH.format("nothing"))
    assert refused(answer) == refused(unknown) == (404, "not-found")
    assert answer.json() == unknown.json()


def test_who_only_corroborated_gets_the_statement_without_the_facts(
    service: Service, hotline: Connection
) -> None:
    entry = submit(hotline, scope="host")
    with service.connect(Kind.HOTLINE) as other:
        submit(other, "https://a.example.test/2", scope="host", statement="Another text of twenty letters.")
        for _ in range(2):
            with service.connect(Kind.REVIEW_BODY) as reviewer:
                approve(reviewer, entry)
        found = reasons(other, entry)
    assert (found["decision_facts"], found["scope_reason"]) == (None, None)
    assert found["illegal_content_legal_ground"] == reasons(hotline, entry)["illegal_content_legal_ground"]


def test_a_body_asked_for_a_second_opinion_sees_no_decision(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    service.add_list("blind", second_opinion_percent=100)
    entry, undecided = submit(hotline, list="blind"), submit(hotline, "https://b.example.test/", list="blind")
    approve(reviewer, entry)
    with service.connect(Kind.REVIEW_BODY) as second:
        assert refused(ask(second, entry)) == (409, "state-conflict")
        assert ask(second, entry).json() == ask(second, undecided).json()
        assert reasons(hotline, entry)["decision"] == "approve"
        approve(second, entry)
        assert reasons(second, entry)["bodies"] == 1


def test_the_policy_of_the_decision_counts_not_a_later_one(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    entry = submit(hotline)
    approve(reviewer, entry)
    service.clock.ahead += timedelta(seconds=2)
    with service.connect(Kind.OPERATOR) as operator:
        policy = operator.request("GET", f"/v1/lists/{LIST}/policy").json()["policy"]
        changed = policy | {"base_version": 1, "quorum": {"url": 3}, "jurisdiction": "NL"}
        operator.request("PUT", f"/v1/lists/{LIST}/policy", json=changed)
    found = reasons(hotline, entry)
    assert (found["quorum"], found["territorial_scope"]) == (1, [])


def test_no_url_stands_in_the_document(service: Service, hotline: Connection) -> None:
    told = "Seen at https://a.example.test/gallery and on A.example.test, mirrored at b.example.test/x."
    entry = submit(hotline, scope="host", statement=told, scope_reason=f"Every page has it. {told}")
    for _ in range(2):
        with service.connect(Kind.REVIEW_BODY) as reviewer:
            approve(reviewer, entry)
    text = ask(hotline, entry).text
    assert "example.test" not in text.lower()
    assert "://" not in text
    assert reasons(hotline, entry)["decision_facts"] == (
        "Seen at [address] and on [address] mirrored at [address]"
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "No address here, e.g. none. See page 3.5 of it.",
            "No address here, e.g. none. See page 3.5 of it.",
        ),
        ("hxxps[:]//other[.]example/x is the mirror", "[address] is the mirror"),
        ("(www.other.example) was checked", "[address] was checked"),
        ("other.example:8080/1?x=y shows it", "[address] shows it"),
        ("user@a.example.test wrote", "[address] wrote"),
    ],
)
def test_addresses_are_taken_out_of_free_text(text: str, left: str) -> None:
    assert without_addresses(text, "a.example.test") == left
