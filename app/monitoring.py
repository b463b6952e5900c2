"""What every process of an installation says of itself and of the service: wiring only.

The figures are the same wherever they are asked; readiness is the process's own.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from prometheus_client import CollectorRegistry, Metric
from sqlalchemy import func, select
from sqlalchemy.pool import QueuePool
from sqlmodel import Session
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Timestamp

from app import migrations
from app.appeals.metrics import of_appeals
from app.core import note
from app.core.terms import DeliveryOutcome, NoticeOutcome
from app.distribution import outbox as webhooks
from app.distribution.metrics import OfCoverage
from app.entries.metrics import of_erasures, of_holds
from app.lists.metrics import OfRepository, of_brakes, of_keys, of_publisher, of_versions
from app.lists.repository import Repository
from app.log import service as log
from app.log.metrics import OfCheckpoint
from app.log.metrics import of_database as of_log
from app.log.published import published
from app.platform import last_backup, telemetry
from app.platform.clock import Clock, system_clock
from app.platform.database import Database
from app.platform.gauges import SLOW, Gauges, Group, Read, gauge, of_database, seconds_since
from app.platform.queue_metrics import OfOutboxes
from app.platform.readiness import Check, NotReady
from app.platform.settings import Settings
from app.reviews.metrics import of_queue
from app.takedown import outbox as notices
from app.takedown.metrics import of_takedowns
from app.takedown.peers import outbox as exchange

_APART_SECONDS = 5
_FAILED = (NoticeOutcome.FAILED, NoticeOutcome.BOUNCED)


def figures(settings: Settings, database: Database, clock: Clock) -> CollectorRegistry:
    """The gauges of an installation, from its database and its published files."""
    outboxes = OfOutboxes(
        {
            "webhooks": (webhooks.queue, (DeliveryOutcome.GIVEN_UP,)),
            "notices": (notices.queue, _FAILED),
            "exchange": (exchange.queue, _FAILED),
        }
    )
    repository = OfRepository(Repository(settings.public, settings.keys))
    witnesses = [key for key, _ in settings.witnesses_configured]
    quorum = len(witnesses) if settings.witness_quorum is None else settings.witness_quorum
    checkpoint = OfCheckpoint(settings.log, witnesses, quorum)
    of_rows: dict[str, Read] = {
        "log": of_log,
        "reviews": of_queue,
        "versions": of_versions,
        "brakes": of_brakes,
        "publisher": of_publisher,
        "holds": of_holds,
        "takedowns": of_takedowns,
        "appeals": of_appeals,
        "outboxes": outboxes.waiting,
        "coverage": OfCoverage(),
    }
    seldom: dict[str, Read] = {"erasures": of_erasures, "failed": outboxes.failed}
    groups = [
        Group("repository", repository),
        Group("checkpoint", checkpoint),
        Group("keys", partial(of_keys, settings), SLOW),
        Group("backup", lambda now: _of_backup(settings, now)),
        *(of_database(name, database, read) for name, read in of_rows.items()),
        *(of_database(name, database, read, SLOW) for name, read in seldom.items()),
    ]
    made = CollectorRegistry()
    made.register(Gauges(groups, clock))
    return made


def _of_backup(settings: Settings, now: datetime) -> Iterable[Metric]:
    made_at = last_backup.read(settings.home)
    if made_at:
        age = seconds_since(made_at, now)
        yield gauge(
            "wardlist_backup_age_seconds", "Seconds since the last backup was finished", (), [((), age)]
        )


def count_connections(database: Database) -> None:
    """Have this process say how many connections of its pool are in use."""

    def count() -> None:
        pool = database.engine.pool
        if isinstance(pool, QueuePool):
            telemetry.CONNECTIONS.set(pool.checkedout())

    telemetry.before_scrape("connections", count)


def _require_same_time(session: Session) -> None:
    """Processes go by their own clocks: PostgreSQL's server is what those of several machines share."""
    if session.get_bind().dialect.name != "postgresql":
        return
    theirs = session.execute(select(func.clock_timestamp())).scalar_one()
    ahead = (system_clock() - theirs).total_seconds()
    if abs(ahead) > _APART_SECONDS:
        way = "ahead of" if ahead > 0 else "behind"
        raise NotReady(f"this machine's clock is {abs(ahead):.0f} s {way} the server's; look at NTP on both")


def checks(settings: Settings, database: Database, clock: Clock) -> dict[str, Check]:
    """What a process needs to do its work: the database, the repository of the lists, the log."""

    def of_rows() -> str:
        with database.reading() as session:
            size = log.size(session)
            _require_same_time(session)
        if not migrations.is_current(database.engine):
            raise NotReady("its schema is not this release's; run `wardlist init`")
        return f"it answers, the log has {size} leaves"

    def of_repository() -> str:
        try:
            found = Metadata[Timestamp].from_file(str(settings.public / "metadata" / "timestamp.json"))
        except FileNotFoundError:
            raise NotReady("it is missing; run `wardlist init`") from None
        except (RepositoryError, ValueError):
            raise NotReady("its timestamp cannot be read") from None
        left = (found.signed.expires - clock()).total_seconds()
        if left <= 0:
            raise NotReady(f"its timestamp expired {-left:.0f} s ago; is a publisher at work?")
        return f"its timestamp holds for {left:.0f} s"

    def of_log() -> str:
        with database.reading() as session:
            size = log.size(session)
        try:
            found = published(settings.log, ())
        except (note.Malformed, ValueError):
            raise NotReady("its checkpoint cannot be read") from None
        if found is None and size:
            raise NotReady("its checkpoint is missing; is a publisher at work?")
        ahead = found.size - size if found else 0
        if ahead > 0:
            raise NotReady(f"its checkpoint is {ahead} leaves ahead of the database: a restored backup?")
        return f"its checkpoint has {found.size if found else 0} leaves"

    return {"database": of_rows, "repository": of_repository, "log": of_log}
