"""Whatever happened after a backup, the step forward takes it up, and publishing goes on from it."""

import json
import os
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis.stateful import invariant
from sqlalchemy import text

from app.backup import agreement, making, restoring
from app.backup.restoring import Wanted
from app.core import age
from app.lists.publisher import Publisher
from app.main import DUTIES
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.settings import Settings
from tests.attacks.sequences import Machine, World, run
from tests.attacks.takedowns import TakedownWorld, Told
from tests.attacks.test_sequences_with_brake import Braked
from tests.attacks.test_sequences_with_takedown import ToldAndBraked
from tests.backup.drill import Rebuilt
from tests.programs.service import LIST, Service

SEQUENCES, STEPS, EARLIEST = int(os.environ.get("WARDLIST_HISTORIES", "5")), 15, 3
BRAKED: dict[str, Any] = {"brake_changes": 1, "brake_free": 1, "brake_percent": 100}
IDENTITY, RECIPIENT = age.generate()


class BackedUp(Machine):
    """In the middle of it a backup is made."""

    backup: ClassVar[Path]

    @invariant()
    def back_up(self) -> None:
        """Once: in the third sequence, some steps after it began."""
        service = self.world.service
        if self.world.rounds >= EARLIEST and self.steps >= STEPS // 3 and not self.backup.exists():
            making.make(service.settings, service.database, self.backup, [RECIPIENT], service.clock())


@pytest.mark.parametrize(
    ("machine", "kind", "knobs"),
    [
        (Told, TakedownWorld, {"notice_first": True}),
        (ToldAndBraked, TakedownWorld, {"notice_first": True, **BRAKED}),
        (Braked, World, BRAKED),
    ],
)
def test_any_history(
    tmp_path: Path, rebuilt: Rebuilt, machine: type[Machine], kind: type[World], knobs: dict[str, Any]
) -> None:
    world, backup = kind(tmp_path, **knobs), tmp_path / "backup"
    service = world.service
    run(type("Backed", (BackedUp, machine), {"backup": backup}), world, SEQUENCES, STEPS)
    place = {"home": rebuilt.home, "database_url": rebuilt.database_url}
    settings = service.settings.model_copy(update=place)
    reports = _reports(service.database, tmp_path / "reports.json")
    wanted = Wanted(backup, [IDENTITY], [str(service.settings.home)], is_stepping=True, reports=(reports,))
    done = restoring.restore(settings, wanted, service.clock)
    assert done.stepped
    assert done.stepped.leaves > 0
    last = _newest(service.database)
    with closing(Database(settings.database)) as database:
        publish(settings, database, service)
        with database.reading() as session:
            replay = agreement.check(session)
            assert not session.execute(text("SELECT count(*) FROM pending_leaf")).scalar()
        assert replay.size >= done.log_size
        assert _newest(database) >= last


def publish(settings: Settings, database: Database, service: Service) -> None:
    """Rounds of a publisher that starts on the restored installation."""
    clock = service.clock
    publisher = Publisher(settings, database, Keyring.load(settings.keys), clock, DUTIES)
    for _ in range(3):
        clock.ahead += timedelta(seconds=2)
        publisher.round()


def _reports(database: Database, file: Path) -> Path:
    """Every closed month's report, as somebody kept them."""
    with database.reading() as session:
        kept = session.execute(text("SELECT jws FROM transparency_report")).scalars().all()
    file.write_text(json.dumps(list(kept)))
    return file


def _newest(database: Database) -> int:
    with database.reading() as session:
        query = text("SELECT max(version) FROM snapshot WHERE list = :name AND is_served")
        return int(session.execute(query, {"name": LIST}).scalar() or 0)
