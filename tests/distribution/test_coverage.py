"""Coverage: what the receipts of all providers say of a list together."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.client.session import Connection, Credentials
from app.core.terms import Kind
from app.distribution import coverage
from app.identity import service as identity
from app.identity.permissions import Scope
from app.lists import service as lists
from tests.distribution.place import People, Place
from tests.programs.service import Service, running

FIGURES = ("wardlist_provider_", "wardlist_unblocked", "wardlist_seconds_to_unblock")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Of a service whose time passes only where a test lets it."""
    with running(Service(tmp_path_factory.mktemp("coverage") / "home")) as up:
        up.clock.still_at = up.clock().replace(microsecond=0)
        found = People(up)
        yield found
        found.close()


@pytest.fixture
def place(people: People) -> Place:
    return Place(people)


def passes(place: Place, seconds: int) -> None:
    place.service.clock.ahead += timedelta(seconds=seconds)


def covered(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = place.people.operator.request("GET", f"/v1/lists/{place.name}/coverage").json()
    return found


def of(place: Place, client: Connection) -> dict[str, Any]:
    """One provider's row."""
    own = place.organisation_of(client)
    (row,) = [one for one in covered(place)["providers"] if one["organisation"] == own]
    found: dict[str, Any] = row
    return found


def name_of(place: Place, client: Connection) -> str:
    with place.service.database.reading() as session:
        return identity.organisation(session, place.organisation_of(client)).name


def unblocked(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = covered(place)["seconds_to_unblock"]
    return found


def published_at(place: Place, version: int) -> datetime:
    manifest = place.isp.request("GET", f"/v1/lists/{place.name}/snapshots/{version}").json()
    return datetime.fromisoformat(manifest["published_at"])


def test_each_provider_s_place_is_shown(place: Place) -> None:
    slow = place.provider()
    for _ in range(3):
        place.publish_one()
    place.say(place.isp, 3)
    said_at = place.say(slow, 1)
    place.say(slow, 2, "held")
    passes(place, 100)
    found = covered(place)
    assert (found["list"], found["newest_version"], found["applied_by_percent"]) == (place.name, 3, 50.0)
    assert datetime.fromisoformat(found["published_at"]) == published_at(place, 3)
    current, behind = of(place, place.isp), of(place, slow)
    assert (current["applied_version"], current["versions_behind"], current["seconds_behind"]) == (3, 0, 0)
    assert (current["outcome"], current["last_held_or_failed"]) == ("applied", None)
    assert (behind["applied_version"], behind["versions_behind"], behind["outcome"]) == (1, 2, "held")
    assert behind["applied_at"] == said_at
    lacking = (place.service.clock() - published_at(place, 2)).total_seconds()
    assert behind["seconds_behind"] == lacking == 101
    assert behind["last_held_or_failed"] == {"version": 2, "outcome": "held", "applied_at": said_at}


def test_without_a_version_nobody_is_behind_and_before_a_subscription_neither(place: Place) -> None:
    empty = covered(place)
    assert (empty["newest_version"], empty["published_at"], empty["applied_by_percent"]) == (None, None, None)
    assert [one["seconds_behind"] for one in empty["providers"]] == [0]
    assert empty["seconds_to_unblock"] == {"count": 0, "median": None, "p90": None}
    place.publish_one()
    passes(place, 3600)
    new = place.provider()
    passes(place, 60)
    assert of(place, new) == {
        "organisation": place.organisation_of(new),
        "name": name_of(place, new),
        "applied_version": None,
        "applied_at": None,
        "outcome": None,
        "versions_behind": 1,
        "seconds_behind": 60,
        "last_held_or_failed": None,
    }
    assert of(place, place.isp)["seconds_behind"] == 3660


def test_what_failed_after_it_was_applied_is_not_applied(place: Place) -> None:
    for version in (1, 2):
        place.publish_one()
        place.say(place.isp, version)
    place.say(place.isp, 2, "failed")
    found = of(place, place.isp)
    assert (found["applied_version"], found["versions_behind"], found["outcome"]) == (1, 1, "failed")
    passes(place, 1)
    place.say(place.isp, 2)
    found = of(place, place.isp)
    assert (found["applied_version"], found["versions_behind"], found["outcome"]) == (2, 0, "applied")
    assert found["last_held_or_failed"]["outcome"] == "failed"


def test_who_was_suspended_or_taken_off_is_not_counted(place: Place) -> None:
    suspended, taken_off = place.provider(), place.provider()
    place.publish_one()
    place.say(place.isp, 1)
    place.suspend(suspended)
    with place.service.database.writing() as session:
        lists.unsubscribe(session, place.name, place.organisation_of(taken_off), place.service.clock())
    found = covered(place)
    assert (len(found["providers"]), found["applied_by_percent"]) == (1, 100.0)


def test_an_unknown_list_has_no_coverage(place: Place) -> None:
    assert place.people.operator.send("GET", "/v1/lists/no-such-list/coverage").status_code == 404


def test_time_to_unblock_runs_from_the_decision_to_the_first_receipt_without_the_entry(place: Place) -> None:
    slow = place.provider()
    entry = place.publish_one()
    for client in (place.isp, slow):
        place.say(client, 1)
    place.withdraw(entry)
    passes(place, 29)
    place.say(place.isp, 2, "held")
    place.say(place.isp, 2)
    assert unblocked(place) == {"count": 1, "median": 30, "p90": 30}
    place.publish_one()
    passes(place, 59)
    place.say(slow, 3)
    place.say(place.isp, 3)
    assert unblocked(place) == {"count": 2, "median": 30, "p90": 90}


def test_who_never_had_an_entry_has_nothing_to_unblock(place: Place) -> None:
    late, idle = place.provider(), place.provider()
    place.publish_one()
    place.say(idle, 1)
    place.withdraw(place.publish_one())
    for client in (late, idle):
        place.say(client, 3)
    assert unblocked(place) == {"count": 0, "median": None, "p90": None}


def test_an_erased_entry_counts_from_its_version_and_an_old_one_no_longer(place: Place) -> None:
    entry = place.publish_one()
    place.say(place.isp, 1)
    place.people.operator.request("POST", f"/v1/entries/{entry}/erasure", json={"reason": "victim_request"})
    place.service.publish()
    passes(place, 10)
    place.say(place.isp, 2)
    assert unblocked(place) == {"count": 1, "median": 10, "p90": 10}
    with place.service.database.reading() as session:
        much_later = place.service.clock() + timedelta(days=31)
        assert coverage.of_list(session, place.name, much_later).seconds_to_unblock.count == 0


def test_more_providers_cost_no_more_questions(place: Place) -> None:
    place.publish_one()
    place.say(place.isp, 1)
    place.withdraw(place.publish_one())
    place.say(place.isp, 2)
    place.say(place.isp, 3)
    few = _questions(place)
    for _ in range(5):
        client = place.provider()
        for version in (2, 3):
            place.say(client, version)
    assert _questions(place) == few


def _questions(place: Place) -> int:
    """How often the database is asked for a list's coverage."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    engine = place.service.database.engine
    event.listen(engine, "before_cursor_execute", note)
    with place.service.database.reading() as session:
        assert coverage.of_list(session, place.name, place.service.clock()).seconds_to_unblock.count
    event.remove(engine, "before_cursor_execute", note)
    return len(asked)


def test_metrics_tell_each_provider_s_lag_and_do_not_ask_the_database_each_time(place: Place) -> None:
    entry = place.publish_one()
    place.say(place.isp, 1)
    place.withdraw(entry)
    own = (("list", place.name), ("organisation", place.organisation_of(place.isp)))
    found = _metrics(place)
    assert found["wardlist_provider_versions_behind", own] == 1
    assert found["wardlist_provider_seconds_behind", own] == 0
    passes(place, 14)
    place.say(place.isp, 2)
    assert _metrics(place) == found
    passes(place, 1)
    assert _metrics(place)["wardlist_provider_versions_behind", own] == 0
    passes(place, 300)
    found = _metrics(place)
    assert found["wardlist_unblocked", (("list", place.name),)] == 1
    assert found["wardlist_seconds_to_unblock", (("list", place.name), ("quantile", "0.5"))] == 15
    assert "example" not in httpx.get(f"{place.service.address}/metrics").text


def _metrics(place: Place) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    page = httpx.get(f"{place.service.address}/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name.startswith(FIGURES) and sample.labels["list"] == place.name
    }


def test_an_auditor_reads_it_as_a_table_or_json(service: Service, tmp_path: Path) -> None:
    people = People(service)
    place = Place(people)
    place.publish_one()
    service.clock.ahead = timedelta()
    place.say(place.isp, 1)
    auditor = service.credentials(service.organisation(Kind.AUDITOR), {Scope.AUDIT_READ})
    words = ["list", "coverage", place.name, "--credentials", str(written(auditor, tmp_path))]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0
    assert f"{place.name}: version 1, applied by 100.0 % of 1" in shown.stdout
    answer = json.loads(_last_line(CliRunner().invoke(app, [*words, "--json"])))
    assert answer["providers"][0]["organisation"] == place.organisation_of(place.isp)
    people.close()


def test_a_provider_manages_its_webhooks_by_command(
    service: Service, provider: Connection, tmp_path: Path
) -> None:
    file = written(provider.credentials, tmp_path)

    def run(*words: str) -> dict[str, Any]:
        command = ["isp", "webhook", *words, "--credentials", str(file), "--json"]
        found: dict[str, Any] = json.loads(_last_line(CliRunner().invoke(app, command)))
        return found

    added = run("add", "https://isp.example/hook")
    assert added["secret"].startswith("whsec_")
    (shown,) = run("list")["webhooks"]
    assert (shown["id"], shown["url"]) == (added["id"], "https://isp.example/hook")
    assert run("end", added["id"])["ended"] is True
    assert run("list") == {"webhooks": []}
    assert "error" in run("end", added["id"])
    assert "error" in run("add", "http://isp.example/hook")


def written(found: Credentials, folder: Path) -> Path:
    """A credential file."""
    names = ("issuer", "token_endpoint", "client_id", "private_jwk")
    file = folder / "client.json"
    file.write_text(json.dumps({name: getattr(found, name) for name in names}))
    return file


def _last_line(done: Result) -> str:
    """The service runs in this process: lines of its log stand before."""
    return done.stdout.splitlines()[-1]
