"""Appeals that ended after the backup: the step forward has them end too, and their texts are destroyed."""

from contextlib import closing
from datetime import datetime, timedelta

import httpx
from sqlalchemy import text

from app.appeals import duties
from app.core.terms import Kind
from app.platform.database import Database
from tests.appeals.people import URL, decide, file, read
from tests.backup.drill import Drill, Rebuilt
from tests.programs.service import LIST


def _ended(rebuilt: Rebuilt, now: datetime) -> dict[str, tuple[str | None, bool]]:
    """Of each appeal its outcome, and whether its texts are there, after a round of the worker."""
    texts = text("SELECT appeal_id FROM appeal_cipher")
    with closing(Database(rebuilt.database)) as database, database.writing() as session:
        duties.destroy_due(session, now)
        kept = set(session.execute(texts).scalars())
        found = session.execute(text("SELECT id, outcome FROM appeal"))
        return {row.id: (row.outcome, row.id in kept) for row in found}


def test_what_was_decided_or_lapsed_after_the_backup_has_ended(drill: Drill, rebuilt: Rebuilt) -> None:
    service = drill.service
    service.add_list("brief", retention_days=1)
    decided, waiting = (file(service, f"{URL}/{which}", list=LIST) for which in ("decided", "waiting"))
    lapsed = file(service, f"{URL}/lapsed", list="brief")
    service.publish()
    backup = drill.backup()
    with service.connect(Kind.REVIEW_BODY) as judge:
        assert decide(service, judge, decided, "denied").status_code == 201
    service.clock.ahead += timedelta(days=17)
    service.publish()
    file(service, f"{URL}/later")
    service.publish()
    assert read(service, lapsed).json()["state"] == "lapsed"
    reports = drill.folder / "reports.json"
    reports.write_bytes(httpx.get(f"{service.address}/v1/transparency/report").content)
    words = ("--published", str(service.settings.home), "--step-forward", "--report", str(reports))
    said = drill.restore(backup, rebuilt, *words)
    assert any("filed after the backup are lost" in note for note in said["notes"])
    assert _ended(rebuilt, service.clock() + timedelta(days=1)) == {
        decided["reference"]: ("denied", False),
        lapsed["reference"]: ("lapsed", False),
        waiting["reference"]: (None, True),
    }
    checked = drill.run("restore", "--check", "--json", **rebuilt.environment)
    assert checked.exit_code == 0, checked.output
