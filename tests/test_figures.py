"""The service's figures for Prometheus: right, cheap however much there is, there without a database too."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import event, text

from app import monitoring
from app.client.session import Connection
from app.core import note
from app.core.terms import Kind
from app.log.metrics import OfCheckpoint
from app.log.tiles import public_log
from app.platform import last_backup
from app.platform.clock import instant
from app.tables import metadata
from tests.appeals.people import file
from tests.programs import plans
from tests.programs.databases import IS_POSTGRESQL
from tests.programs.service import LIST, Service, approve, new_entry, running
from tests.programs.witness import witness

SMALL = {
    *("block_list", "list_policy", "brake", "legal_hold", "peer_message", "log_head", "publisher_term"),
    *("pending_leaf", "subscription", "organisation", "client", "alembic_version", "entry_key"),
}
"""Tables that hold little: they may be read whole."""
OPEN_ALONE = ("appeal_undecided", "notice_due", "peer_message_due")
"""Indexes of what is open alone: they may be read whole too."""


def figures(service: Service) -> dict[str, float]:
    """As a scraper has them now, each as name{label}: nothing is kept from before."""
    return read(monitoring.figures(service.settings, service.database, service.clock))


def read(registry: CollectorRegistry) -> dict[str, float]:
    return {
        f"{sample.name}{{{','.join(sample.labels.values())}}}" if sample.labels else sample.name: sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def submit(hotline: Connection, number: int = 1) -> dict[str, Any]:
    entry: dict[str, Any] = hotline.request(
        "POST", "/v1/entries", json=new_entry(f"https://a.example.test/{number}")
    ).json()
    return entry


def test_the_queue_tells_how_many_wait_on_each_list_and_for_how_long(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    service.add_list("national-host")
    first = submit(hotline, 1)
    service.clock.ahead += timedelta(hours=30)
    submit(hotline, 2)
    found = figures(service)
    assert found[f"wardlist_review_queue_entries{{{LIST}}}"] == 2
    assert found[f"wardlist_review_queue_old_entries{{{LIST}}}"] == 1
    assert 30 * 3600 <= found[f"wardlist_review_queue_oldest_seconds{{{LIST}}}"] < 31 * 3600
    assert found["wardlist_review_queue_entries{national-host}"] == 0
    assert found["wardlist_review_queue_oldest_seconds{national-host}"] == 0
    approve(reviewer, first)
    assert figures(service)[f"wardlist_review_queue_old_entries{{{LIST}}}"] == 0


def test_a_decision_is_counted_once_it_is_committed_with_the_time_it_took(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    def decisions() -> tuple[float, float]:
        said = httpx.get(f"{service.address}/metrics", timeout=30).text.splitlines()
        wanted = [line for line in said if line.startswith("wardlist_decision_seconds_") and LIST in line]
        counts = [float(line.split()[-1]) for line in wanted if "_count" in line and "approve" in line]
        slow = [float(line.split()[-1]) for line in wanted if 'le="86400.0"' in line and "approve" in line]
        return sum(counts), sum(slow)

    before = decisions()
    entry = submit(hotline)
    service.clock.ahead += timedelta(hours=30)
    approve(reviewer, entry)
    count, in_a_day = decisions()
    assert (count - before[0], in_a_day - before[1]) == (1, 0)


def test_versions_brakes_and_the_log_tell_how_they_stand(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    approve(reviewer, submit(hotline))
    assert figures(service)["wardlist_log_leaves_waiting"] > 0
    service.publish()
    service.clock.ahead += timedelta(minutes=20)
    found = figures(service)
    assert found["wardlist_log_leaves_waiting"] == 0
    assert found["wardlist_log_leaves"] == found["wardlist_log_checkpoint_leaves"] > 0
    assert 1200 <= found["wardlist_log_checkpoint_age_seconds"] < 2400
    assert 1200 <= found["wardlist_tuf_timestamp_age_seconds"] < 2400
    assert 1200 < found["wardlist_tuf_expires_seconds{timestamp}"] <= 2400
    assert found[f"wardlist_list_version{{{LIST}}}"] == found[f"wardlist_list_entries{{{LIST}}}"] == 1
    assert 1200 <= found[f"wardlist_list_version_age_seconds{{{LIST}}}"] < 2400
    assert found[f"wardlist_brake_engaged{{{LIST}}}"] == 0
    assert found["wardlist_publisher_term"] >= 1
    assert 0 < found["wardlist_key_due_seconds{token}"] <= 90 * 86400


def test_a_held_version_is_told_with_its_age(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    with service.connect(Kind.OPERATOR) as operator:
        seen = operator.request("GET", f"/v1/lists/{LIST}/policy").json()
        change = {**seen["policy"], "brake_changes": 1, "brake_free": 1, "base_version": 1}
        operator.request("PUT", f"/v1/lists/{LIST}/policy", json=change)
    for number in range(3):
        approve(reviewer, submit(hotline, number))
    service.publish()
    service.clock.ahead += timedelta(hours=5)
    found = figures(service)
    assert found[f"wardlist_brake_engaged{{{LIST}}}"] == 1
    assert 5 * 3600 <= found[f"wardlist_brake_engaged_seconds{{{LIST}}}"] < 6 * 3600


def test_erasures_are_late_two_days_after_their_day_unless_on_hold(
    service: Service, hotline: Connection
) -> None:
    entries = [submit(hotline, number) for number in range(3)]
    for entry in entries[:2]:
        hotline.request("POST", f"/v1/entries/{entry['id']}/withdrawal")
    service.clock.ahead += timedelta(days=181)
    assert figures(service)["wardlist_erasures_overdue"] == 0
    service.clock.ahead += timedelta(days=2)
    assert figures(service)["wardlist_erasures_overdue"] == 2
    with service.connect(Kind.LAW_ENFORCEMENT) as police:
        until = instant(service.clock() + timedelta(days=30))
        body = {"reason": "investigation", "until": until}
        police.request("POST", f"/v1/entries/{entries[0]['id']}/legal-hold", json=body)
    found = figures(service)
    assert (found["wardlist_legal_holds"], found["wardlist_erasures_overdue"]) == (1, 1)


def test_appeals_tell_how_many_are_open_and_late(service: Service) -> None:
    assert figures(service)["wardlist_appeals_oldest_seconds"] == 0
    file(service)
    service.clock.ahead += timedelta(days=1)
    found = figures(service)
    assert (found["wardlist_appeals_open"], found["wardlist_appeals_overdue"]) == (1, 0)
    assert 86400 <= found["wardlist_appeals_oldest_seconds"] < 90000
    service.clock.ahead += timedelta(days=60)
    assert figures(service)["wardlist_appeals_overdue"] == 1


def test_outboxes_tell_what_waits_and_what_was_given_up(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection
) -> None:
    provider.request("POST", "/v1/webhooks", json={"url": "https://isp.example/hook"})
    approve(reviewer, submit(hotline))
    service.publish()
    service.clock.ahead += timedelta(hours=1)
    found = figures(service)
    assert found["wardlist_outbox_messages{webhooks}"] == 1
    assert 3600 <= found["wardlist_outbox_oldest_seconds{webhooks}"] < 7200
    assert found["wardlist_outbox_messages{notices}"] == found["wardlist_outbox_oldest_seconds{notices}"] == 0
    service.clock.ahead += timedelta(hours=30)
    service.deliverer.round()
    service.deliverer.wait()
    found = figures(service)
    assert found["wardlist_outbox_messages{webhooks}"] == 0
    assert found["wardlist_outbox_failed_messages{webhooks}"] == 1


def test_a_witness_that_does_not_cosign_is_named(tmp_path: Path) -> None:
    with running(Service(tmp_path / "home")) as up:
        own = public_log(up.settings, up.keyring).verifier
        with witness(tmp_path / "w.db", own) as (address, signer):
            silent = note.Signer.generate("silent.example", note.COSIGNATURE)
            named = f"{signer.verifier} {address}, {silent.verifier} http://127.0.0.1:9"
            settings = up.settings.model_copy(update={"witnesses": named})
            log = public_log(settings, up.keyring)
            with up.database.reading() as session:
                log.publish(session, up.clock())
        both = OfCheckpoint(settings.log, [signer.verifier, silent.verifier], 1)
        collected = {
            (sample.name, *sample.labels.values()): sample.value
            for family in both(up.clock())
            for sample in family.samples
        }
        assert collected["wardlist_log_cosignature_missing", "witness.example"] == 0
        assert collected["wardlist_log_cosignature_missing", "silent.example"] == 1
        assert collected["wardlist_log_cosignatures_lacking",] == 0
        assert collected["wardlist_log_witnessed_age_seconds",] < 60
        lacking = OfCheckpoint(settings.log, [signer.verifier, silent.verifier], 2)
        (wanted,) = [one for one in lacking(up.clock()) if one.name == "wardlist_log_cosignatures_lacking"]
        assert wanted.samples[0].value == 1


def test_the_last_backup_is_told_once_there_is_one(service: Service) -> None:
    assert "wardlist_backup_age_seconds" not in figures(service)
    last_backup.record(service.settings.home, service.clock() - timedelta(hours=3))
    assert 3 * 3600 <= figures(service)["wardlist_backup_age_seconds"] < 4 * 3600


def test_without_a_database_the_files_are_still_told_and_what_is_missing_is_said(service: Service) -> None:
    service.publish()
    with service.database.writing() as session:
        session.execute(text("ALTER TABLE block_list RENAME TO block_list_away"))
    found = figures(service)
    assert found["wardlist_figures_failed{reviews}"] == 1
    assert found["wardlist_figures_failed{checkpoint}"] == 0
    assert found["wardlist_log_checkpoint_leaves"] > 0
    assert not any(name.startswith("wardlist_review_queue") for name in found)


@contextmanager
def asked(service: Service) -> Iterator[list[tuple[str, Any]]]:
    """Each statement and its parameters, as the driver gets them."""
    seen: list[tuple[str, Any]] = []

    def note_it(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            seen.append((statement, parameters))

    event.listen(service.database.engine, "before_cursor_execute", note_it)
    yield seen
    event.remove(service.database.engine, "before_cursor_execute", note_it)


_TABLES = tuple(f"{word} {name}" for word in ("SCAN", "Seq Scan on") for name in metadata.tables)


def _forget_how_little_there_is(service: Service) -> None:
    """SQLite has counted a few rows, and would rather read those than an index."""
    if not IS_POSTGRESQL:
        with service.database.writing() as session:
            session.execute(text("DELETE FROM sqlite_stat1"))
        service.database.engine.dispose()


def test_no_figure_reads_a_large_table_whole(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection
) -> None:
    """Every statement that a scrape sends, by its plan. Times are for the bench to say."""
    approve(reviewer, submit(hotline))
    service.publish()
    assert provider.send("GET", f"/v1/lists/{LIST}/snapshots/latest").status_code == 200
    with asked(service) as seen:
        figures(service)
    assert len(seen) > 15
    _forget_how_little_there_is(service)
    with service.database.reading() as session:
        walks = [
            step
            for statement, parameters in seen
            for step in plans.steps(session.connection(), statement, parameters)
            if plans.is_walk(step) and not step.endswith(OPEN_ALONE)
        ]
    large = [step for step in walks if step.startswith(_TABLES) and not SMALL & set(step.split())]
    assert large == [], "on PostgreSQL" if IS_POSTGRESQL else "on SQLite"


def test_what_was_read_is_kept_for_fifteen_seconds(service: Service, hotline: Connection) -> None:
    registry = monitoring.figures(service.settings, service.database, service.clock)
    service.clock.still_at = service.clock()
    read(registry)
    submit(hotline)
    with asked(service) as seen:
        assert read(registry)[f"wardlist_review_queue_entries{{{LIST}}}"] == 0
    assert seen == []
    service.clock.ahead += timedelta(seconds=15)
    assert read(registry)[f"wardlist_review_queue_entries{{{LIST}}}"] == 1
    service.clock.ahead -= timedelta(hours=1)
    assert read(registry)[f"wardlist_review_queue_entries{{{LIST}}}"] == 1


@pytest.mark.parametrize("address", ["/metrics", "/healthz", "/readyz"])
def test_what_says_how_it_is_needs_no_account(service: Service, address: str) -> None:
    assert httpx.get(f"{service.address}{address}", timeout=30).status_code == 200
