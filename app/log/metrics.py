"""The public log as gauges: how far it is, what waits, how old its checkpoint is, and who cosigned it."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from prometheus_client import Metric
from sqlmodel import Session, col, func

from app.core.note import Verifier
from app.log import service
from app.log.models import PendingLeaf
from app.log.published import Published, published
from app.log.tiles import RENEW
from app.platform.gauges import gauge, seconds_since


def of_database(session: Session, _now: datetime) -> Iterable[Metric]:
    """How many leaves have a place, and how many wait for one: few, so they are counted."""
    waiting = session.execute(sa.select(func.count(col(PendingLeaf.leaf_id)))).scalar_one()
    yield gauge(
        "wardlist_log_leaves", "Leaves that have a place in the log", (), [((), service.size(session))]
    )
    yield gauge("wardlist_log_leaves_waiting", "Leaves that wait for their place", (), [((), waiting)])


class OfCheckpoint:
    """Of the files, for one thread at a time. `quorum` is how many cosignatures a checkpoint needs."""

    def __init__(self, folder: Path, witnesses: Sequence[Verifier], quorum: int) -> None:
        self._folder, self._witnesses, self._quorum = folder, list(witnesses), quorum
        self._witnessed_at: datetime | None = None

    def __call__(self, now: datetime) -> Iterable[Metric]:
        """Nothing before the first checkpoint."""
        found = published(self._folder, self._witnesses)
        if found is None:
            return
        age = seconds_since(found.written_at, now)
        yield gauge("wardlist_log_checkpoint_leaves", "Leaves under the checkpoint", (), [((), found.size)])
        yield gauge(
            "wardlist_log_checkpoint_age_seconds",
            f"Seconds since the checkpoint was signed; it is signed anew each {_minutes(RENEW)} minutes",
            (),
            [((), age)],
        )
        yield from self._of_witnesses(found, now)

    def _of_witnesses(self, found: Published, now: datetime) -> Iterable[Metric]:
        missing = [(one.name, float(one.name not in found.cosigned)) for one in self._witnesses]
        lacking = max(0, self._quorum - len(found.cosigned))
        if self._quorum and not lacking:
            self._witnessed_at = sorted(found.cosigned.values(), reverse=True)[self._quorum - 1]
        yield gauge(
            "wardlist_log_cosignature_missing",
            "1 where a witness has not cosigned the checkpoint",
            ["witness"],
            [((name,), is_missing) for name, is_missing in missing],
        )
        yield gauge(
            "wardlist_log_cosignatures_lacking",
            "Cosignatures that the checkpoint lacks to its quorum",
            (),
            [((), lacking)],
        )
        if self._witnessed_at:
            yield gauge(
                "wardlist_log_witnessed_age_seconds",
                "Seconds since the quorum of witnesses cosigned the newest checkpoint that has it",
                (),
                [((), seconds_since(self._witnessed_at, now))],
            )


def _minutes(span: timedelta) -> int:
    return int(span / timedelta(minutes=1))
