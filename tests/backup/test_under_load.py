"""A backup made while hotlines submit, reviewers sign and the publisher publishes is one moment of it."""

from pathlib import Path

from sqlalchemy import text

from app.platform.database import Database
from tests.backup.drill import Drill, Rebuilt
from tests.programs import forked
from tests.programs.conditions import until
from tests.programs.service import Service, wait_until_up
from tests.programs.traffic import Traffic

BACKUPS = 3


def test_a_backup_is_one_moment_of_a_busy_service(tmp_path: Path, rebuilt: Rebuilt) -> None:
    service = Service(tmp_path / "home")
    service.add_list(brake_changes=10_000_000, brake_free=10_000_000)
    process = forked.forked(forked.serve, {**service.environment, "WARDLIST_ISSUER": service.address})
    wait_until_up(service.address)
    drill = Drill(service, tmp_path)
    traffic = Traffic(drill.hotline, drill.reviewer)
    traffic.start()
    acknowledged: list[set[str]] = []
    try:
        for number in range(BACKUPS):
            until(lambda: len(traffic.approved) > 3 * number)  # noqa: B023
            acknowledged.append(set(traffic.submitted))
            backup = drill.backup(f"backup-{number}")
        version = drill.sync()["version"]
    finally:
        traffic.stopping.set()
        traffic.join(timeout=60)
        process.terminate()
        process.join(timeout=60)
    said = drill.restore(backup, rebuilt, "--published", str(service.settings.home), "--step-forward")
    assert said["log_size"] > len(acknowledged[-1]) > 0
    with Database(rebuilt.database).reading() as session:
        rows = set(session.execute(text("SELECT id FROM entry")).scalars())
        held = set(session.execute(text("SELECT entry_id FROM entry_key")).scalars())
    assert acknowledged[-1] <= held
    assert set(traffic.submitted) <= rows
    with rebuilt.serving(service):
        until(lambda: drill.sync()["version"] > version)
    drill.close()
