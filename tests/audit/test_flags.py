"""Hotlines that are wrong too often: flagged once, on the record, never suspended, cleared by an operator."""

from datetime import timedelta
from typing import Any

import pytest
import rfc8785
from sqlalchemy import event

from app.audit import flags
from app.client.session import Connection
from app.core.lifecycle import DelistReason
from app.core.replay import Deviation, Replay
from app.entries import figures as figures_of_entries
from app.platform.problems import Problem
from tests.audit.test_quality import end, figures, submit
from tests.programs import plans
from tests.programs.service import Service, approve, leaves

STRICT = "strict"


def listed(service: Service, hotline: Connection, reviewer: Connection, count: int, first: int = 0) -> Any:
    made = submit(hotline, count, STRICT, first)
    for entry in made:
        approve(reviewer, entry)
    service.publish()
    return made


@pytest.fixture
def strict(service: Service) -> Service:
    """A list on which more than a quarter overturned, of four at least, raises a flag."""
    service.add_list(STRICT, overturn_percent=25, overturn_after=4)
    return service


def on_record(service: Service) -> list[str]:
    with service.database.reading() as session:
        return [leaf["type"] for leaf in leaves(session) if "flagged" in leaf["type"]]


def test_a_hotline_over_the_rate_is_flagged_once_and_not_suspended(
    strict: Service, hotline: Connection, reviewer: Connection
) -> None:
    made = listed(strict, hotline, reviewer, 4)
    end(strict, made[:1], DelistReason.APPEAL_UPHELD)
    strict.publish()
    assert on_record(strict) == []
    end(strict, made[1:2], DelistReason.APPEAL_UPHELD)
    strict.publish()
    strict.publish()
    assert on_record(strict) == ["organisation.flagged"]
    with strict.database.reading() as session:
        (leaf,) = (one for one in leaves(session) if one["type"] == "organisation.flagged")
    assert leaf.keys() == {"at", "list", "organisation", "type"}
    (told,) = figures(strict)["hotlines"]
    assert (told["organisation"], told["flagged"], told["flagged_on"]) == (
        leaf["organisation"],
        True,
        [STRICT],
    )
    assert figures(strict, "?list=national-url")["hotlines"] == []
    assert hotline.send("GET", "/v1/entries").status_code == 200


def test_few_listings_raise_no_flag_until_there_are_enough(
    strict: Service, hotline: Connection, reviewer: Connection
) -> None:
    made = listed(strict, hotline, reviewer, 3)
    end(strict, made[:2], DelistReason.APPEAL_UPHELD)
    strict.publish()
    assert on_record(strict) == []
    listed(strict, hotline, reviewer, 1, first=10)
    strict.publish()
    assert on_record(strict) == []
    strict.clock.ahead += timedelta(hours=1)
    strict.publish()
    assert on_record(strict) == ["organisation.flagged"]


def test_other_reasons_to_leave_raise_no_flag(
    strict: Service, hotline: Connection, reviewer: Connection
) -> None:
    made = listed(strict, hotline, reviewer, 4)
    end(strict, made[:2], DelistReason.REMOVED_AT_SOURCE)
    end(strict, made[2:], DelistReason.NOT_REAFFIRMED)
    strict.publish()
    assert on_record(strict) == []


def test_a_cleared_flag_comes_back_only_with_another_upheld_appeal(
    strict: Service, hotline: Connection, reviewer: Connection
) -> None:
    made = listed(strict, hotline, reviewer, 4)
    end(strict, made[:2], DelistReason.APPEAL_UPHELD)
    strict.publish()
    organisation = made[0]["submitted_by"]
    with strict.database.writing() as session:
        flags.clear(session, organisation, STRICT, strict.clock())
    strict.clock.ahead += timedelta(hours=2)
    strict.publish()
    assert on_record(strict) == ["organisation.flagged", "organisation.unflagged"]
    assert figures(strict)["hotlines"][0]["flagged"] is False
    end(strict, made[2:3], DelistReason.APPEAL_UPHELD)
    strict.publish()
    assert on_record(strict) == ["organisation.flagged", "organisation.unflagged", "organisation.flagged"]
    with pytest.raises(Problem), strict.database.writing() as session:
        flags.clear(session, organisation, "national-url", strict.clock())


def test_a_round_without_upheld_appeals_reads_little_and_writes_nothing(
    strict: Service, hotline: Connection, reviewer: Connection
) -> None:
    made = listed(strict, hotline, reviewer, 4)
    end(strict, made[:1], DelistReason.APPEAL_UPHELD)
    strict.publish()
    before = strict.state()
    assert flags.look(strict.database, strict.clock) == 0
    assert strict.state() == before


def test_looking_for_upheld_appeals_takes_no_walk_through_all_entries(strict: Service) -> None:
    asked: list[tuple[str, Any]] = []

    def seen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(strict.database.engine, "before_cursor_execute", seen)
    with strict.database.reading() as session:
        figures_of_entries.overturned(session)
    event.remove(strict.database.engine, "before_cursor_execute", seen)
    with strict.database.reading() as session:
        (read,) = plans.reads(plans.steps(session.connection(), *asked[-1]))
    assert " entry_overturned" in read


AT = {"at": "2026-01-01T00:00:00Z"}
ADDED = {**AT, "type": "organisation.added", "organisation": "h", "kind": "hotline", "country": "NL"}
BODY = {**ADDED, "organisation": "r", "kind": "review_body"}
CREATED = {**AT, "type": "list.created", "list": "l", "scopes": ["url"], "confidentiality": "plain"}
FLAGGED = {**AT, "type": "organisation.flagged", "organisation": "h", "list": "l"}
UNFLAGGED = {**FLAGGED, "type": "organisation.unflagged"}


def replayed(*some: dict[str, Any]) -> Replay:
    replay = Replay()
    for leaf in some:
        replay.feed(rfc8785.dumps(leaf))
    return replay


def test_a_verifier_accepts_a_flag_cleared_and_raised_again() -> None:
    replay = replayed(ADDED, CREATED, FLAGGED, UNFLAGGED, FLAGGED)
    assert replay.flags == {("h", "l")}


@pytest.mark.parametrize(
    "wrong",
    [
        [ADDED, CREATED, FLAGGED, FLAGGED],
        [ADDED, CREATED, UNFLAGGED],
        [ADDED, FLAGGED],
        [CREATED, FLAGGED],
        [BODY, CREATED, {**FLAGGED, "organisation": "r"}],
    ],
    ids=["twice", "cleared-before-raised", "unknown-list", "unknown-hotline", "a-review-body"],
)
def test_a_verifier_refuses_a_flag_that_cannot_be(wrong: list[dict[str, Any]]) -> None:
    with pytest.raises(Deviation) as refused:
        replayed(*wrong)
    assert refused.value.index == len(wrong) - 1
