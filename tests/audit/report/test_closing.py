"""Months are closed once, in order, in one transaction, with the totals that the log shows."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import rfc8785
from sqlalchemy import event, text

from app.audit.report import closing, counting
from app.core import jose
from app.core.lifecycle import Event
from app.core.terms import Kind
from app.entries import service as entries
from app.takedown.models import Takedown
from tests.audit.report.months import BEGIN, begun, fetched, go_to, reported, submit, two_months, withdraw
from tests.programs.service import LIST, Service, approve, leaves, replay


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Two months and what came of them."""
    with begun(tmp_path_factory.mktemp("report") / "home") as service:
        two_months(service)
        yield service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with begun(tmp_path / "home") as up:
        yield up


def document(service: Service, period: str) -> dict[str, Any]:
    found: dict[str, Any] = fetched(service, **{"from": period, "to": period})["reports"][0]["document"]
    return found


def test_each_month_is_closed_once_in_order_and_the_log_still_replays(world: Service) -> None:
    assert [leaf["period"] for leaf in reported(world)] == ["2026-03", "2026-04"]
    replayed = replay(world)
    assert [one.period for one in replayed.reports] == ["2026-03", "2026-04"]
    assert replayed.tally.open == "2026-05"


def test_the_leaf_and_the_document_hold_what_the_leaves_of_the_month_add_up_to(world: Service) -> None:
    with world.database.reading() as session:
        march = [leaf for leaf in leaves(session) if leaf["at"].startswith("2026-03")]
    kinds = Counter(leaf["type"] for leaf in march)
    stated = reported(world)[0]["counts"]
    assert stated == {
        "appeals": {"filed": 2, "upheld": 1},
        "lists": {
            LIST: {
                "submitted": kinds["entry.submitted"],
                "approved": kinds["entry.approved"],
                "rejected": kinds["entry.rejected"],
                "listed": kinds["entry.listed"],
                "votes": {"approve": 7, "reject": 1},
                "delisted": {"appeal_upheld": 1, "withdrawn": 1},
            }
        },
    }
    assert (kinds["entry.submitted"], kinds["entry.approved"], kinds["entry.listed"]) == (9, 7, 7)
    told = document(world, "2026-03")
    every = told["every"]["counts"]
    assert (every["submitted"], every["approved"], every["rejected"], every["listed"]) == (9, 7, 1, 7)
    assert every == told["lists"][LIST]["counts"]
    assert every["votes"] == {"approve": 7, "reject": 1}
    assert (every["delisted"]["withdrawn"], every["delisted"]["appeal_upheld"]) == (1, 1)
    assert told["lists"]["second"]["counts"]["submitted"] == 0
    assert told["appeals"]["complaints_submitted"] == 2
    assert (told["appeals"]["decisions_reversed"], told["appeals"]["overturn_rate"]) == (1, None)
    assert reported(world)[1]["counts"] == {"appeals": {}, "lists": {"second": {"submitted": 1}}}


def test_times_run_from_submission_to_decision_and_none_is_told_of_few_cases(world: Service) -> None:
    times = document(world, "2026-03")["every"]["times"]
    assert times["decision"] == {"cases": 8, "median_seconds": 3600, "p90_seconds": 3600}
    assert times["unblock"] == {"cases": "<5", "median_seconds": None, "p90_seconds": None}
    assert times["removal"]["cases"] == 0


def test_the_size_of_a_day_is_that_of_its_last_version(world: Service) -> None:
    days = {day["date"]: day["entries"] for day in document(world, "2026-03")["every"]["live_entries"]}
    assert len(days) == 31
    # Version 1 held seven; the withdrawn one left by the next round of the day, the other on the 20th.
    assert (days["2026-03-09"], days["2026-03-10"], days["2026-03-19"]) == (0, 7, 7)
    assert (days["2026-03-20"], days["2026-03-31"]) == (5, 5)
    assert document(world, "2026-04")["every"]["live_entries"][0] == {"date": "2026-04-01", "entries": 5}


def test_small_counts_are_hidden_and_so_is_what_gives_them_away(world: Service) -> None:
    told = document(world, "2026-03")
    submitted = told["by_hosting_country"]["submitted"]
    assert submitted == {"total": 9, "cells": {"NL": "<5", "US": "withheld"}}
    grounds = told["by_legal_ground"]["submitted"]["cells"]
    assert (grounds["lanzarote-20-1-b"], grounds["lanzarote-20-1-c"]) == ("withheld", "<5")
    assert grounds["lanzarote-20-1-a"] == 0
    assert told["by_hosting_country"]["rejected"] == {"total": 1, "cells": None}


def test_the_document_is_signed_logged_and_names_nobody(world: Service) -> None:
    keys = httpx.get(f"{world.address}/.well-known/jwks.json").json()["keys"]
    with world.database.reading() as session:
        known = leaves(session)
    organisations = {leaf["organisation"] for leaf in known if leaf["type"] == "organisation.added"}
    for one in fetched(world)["reports"]:
        header = jose.header(one["jws"])
        assert header["typ"] == closing.TYPE
        signed = jose.verify(one["jws"], next(key for key in keys if key["kid"] == header["kid"]))
        assert signed == rfc8785.dumps(one["document"])
        assert hashlib.sha256(signed).hexdigest() == one["sha256"]
        leaf = known[one["leaf_index"]]
        assert (leaf["type"], leaf["period"], leaf["sha256"]) == (
            "report.published",
            one["period"],
            one["sha256"],
        )
        assert b"example.test" not in signed
        assert not any(organisation.encode() in signed for organisation in organisations)


def test_a_month_is_closed_at_its_end_and_not_before(service: Service) -> None:
    go_to(service, 3, 31, 23, 59, 59)
    assert reported(service) == []
    go_to(service, 4, 1)
    assert [leaf["period"] for leaf in reported(service)] == ["2026-03"]
    go_to(service, 4, 1, 0, 0, 1)
    assert len(reported(service)) == 1


def test_a_month_in_which_nothing_happened_is_reported_too(service: Service) -> None:
    go_to(service, 7, 2)
    assert [leaf["period"] for leaf in reported(service)] == ["2026-03", "2026-04", "2026-05", "2026-06"]
    assert document(service, "2026-05")["every"]["counts"]["submitted"] == 0
    replay(service)


def test_what_comes_after_its_months_report_counts_in_the_next(service: Service) -> None:
    with service.connect(Kind.HOTLINE) as hotline:
        (entry,) = submit(hotline, 1, "late", "US")
        go_to(service, 4, 2)
        with service.database.writing() as session:
            found = entries.existing(session, entry["id"])
            late = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
            entries.transition(session, found, Event.WITHDRAW, late)
    go_to(service, 5, 1)
    march, april = (leaf["counts"]["lists"] for leaf in reported(service))
    assert (march[LIST], april[LIST]) == ({"submitted": 1}, {"withdrawn": 1})
    replay(service)


def test_a_closing_that_fails_leaves_nothing_and_the_next_round_does_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(jose, "sign", killed)
        with pytest.raises(KeyboardInterrupt):
            go_to(service, 4, 1)
    assert (reported(service), fetched(service)["reports"]) == ([], [])
    go_to(service, 4, 1)
    assert len(reported(service)) == len(fetched(service)["reports"]) == 1
    replay(service)


def test_nothing_due_costs_one_look(service: Service) -> None:
    go_to(service, 3, 10, 13)
    statements: list[str] = []
    event.listen(service.database.engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    writes = service.database.writes
    closing.each_round(service.database, service.keyring, service.clock)
    assert service.database.writes == writes
    assert len([one for one in statements if one.startswith("SELECT")]) == 2


def test_the_log_is_counted_once_a_minute(service: Service) -> None:
    with service.connect(Kind.HOTLINE) as hotline:
        go_to(service, 3, 10, 13)
        submit(hotline, 7, "u", "US")
        go_to(service, 3, 10, 13, 0, 59)
        assert fetched(service)["preliminary"][0]["every"]["submitted"] == 0
        go_to(service, 3, 10, 13, 1)
        assert fetched(service)["preliminary"][0]["every"]["submitted"] == 7


def test_a_long_log_takes_several_rounds_and_is_closed_when_it_is_counted(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service.connect(Kind.HOTLINE) as hotline:
        submit(hotline, 7, "u", "US")
    monkeypatch.setattr(counting, "AT_ONCE", 5)
    monkeypatch.setattr(closing, "STEPS", 1)
    go_to(service, 4, 1)
    assert reported(service) == []
    for second in range(1, 10):
        go_to(service, 4, 1, 0, 0, second)
    assert [leaf["counts"]["lists"] for leaf in reported(service)] == [{LIST: {"submitted": 7}}]
    replay(service)


def test_removals_run_from_the_first_notice(service: Service) -> None:
    with service.connect(Kind.HOTLINE) as hotline:
        some = submit(hotline, 7, "u", "US", measures=["takedown"])
    told = BEGIN + timedelta(hours=1)
    with service.database.writing() as session:
        for hours, entry in enumerate(some):
            clock = Takedown(
                entry_id=entry["id"],
                organisation_id=entry["submitted_by"],
                list=LIST,
                country="US",
                opened_at=BEGIN,
                first_notice_at=told if hours else None,
            )
            clock.removed_at, clock.ended_at = told + timedelta(hours=hours), told + timedelta(hours=hours)
            session.add(clock)
    go_to(service, 4, 1)
    removal = document(service, "2026-03")["every"]["times"]["removal"]
    assert removal == {"cases": 6, "median_seconds": 3 * 3600, "p90_seconds": 6 * 3600}


def test_what_was_counted_of_a_closed_month_goes(world: Service) -> None:
    with world.database.reading() as session:
        for table in ("report_count", "report_decision"):
            kept = text(f"SELECT count(*) FROM {table} WHERE period < '2026-05'")
            assert session.execute(kept).scalar_one() == 0


def test_an_erased_entry_still_counts(service: Service) -> None:
    with (
        service.connect(Kind.HOTLINE) as hotline,
        service.connect(Kind.REVIEW_BODY) as reviewer,
        service.connect(Kind.OPERATOR) as operator,
    ):
        some = submit(hotline, 5, "u", "US")
        for entry in some:
            approve(reviewer, entry)
        go_to(service, 3, 11)
        withdraw(hotline, some[0])
        for entry in some:
            erasure = {"reason": "court_order"}
            operator.request("POST", f"/v1/entries/{entry['id']}/erasure", json=erasure)
        go_to(service, 3, 12)
    go_to(service, 4, 1)
    told = document(service, "2026-03")
    assert told["every"]["counts"]["erased"] == 5
    assert told["by_hosting_country"]["delisted"] == {"total": 5, "cells": {"US": 5}}
    assert told["every"]["times"]["unblock_not_available"] == 5
    assert told["every"]["times"]["unblock"]["cases"] == 0
