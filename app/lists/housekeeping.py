"""What must go: secrets and files of erased entries, and once a day the key of the epoch before.

Each step is harmless when repeated. The order is what counts: an entry's leaf is public before its key goes,
and its files go before the row that says they are still to go.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlmodel import Session

from app.entries import erasure, secrets
from app.entries.erasure import Waiting
from app.entries.models import Epoch
from app.lists import snapshots
from app.lists.targets import TargetFolder
from app.log import service as log
from app.platform import journal as erasures
from app.platform.clock import Clock
from app.platform.database import Database
from app.platform.epochs import Epochs

EPOCH = timedelta(days=1)


def finish_erasures(database: Database, targets: TargetFolder, public_size: int, journal: Path) -> int:
    """Destroy what erased entries hid, where their leaf is below `public_size`; returns how many.

    First the journal says so: a backup that holds them still is held to it.
    """
    with database.reading() as session:
        ready = [one for one in erasure.waiting(session) if _is_ready(session, one, public_size)]
    if ready:
        erasures.append(journal, [one.entry for one in ready])
    for one in ready:
        forget_files(targets, one)
    if ready:
        with database.writing() as session:
            for one in ready:
                erasure.destroy(session, one.entry)
        database.truncate()
    return len(ready)


def forget_files(targets: TargetFolder, one: Waiting) -> None:
    """Delete the files of every version that held an erased entry."""
    if one.listed_in and one.delisted_in:
        targets.forget(one.list, one.listed_in, one.delisted_in)
    for listed_in, delisted_in in one.earlier:
        targets.forget(one.list, listed_in, delisted_in)


def is_epoch_over(session: Session, now: datetime) -> bool:
    """Whether the daily work is due."""
    opened = session.get_one(Epoch, 1, populate_existing=True).opened_at
    return opened is None or now - opened >= EPOCH


def begin_epoch(
    database: Database,
    epochs: Epochs,
    clock: Clock,
    rewrap: Callable[[Session, Epochs, int], object],
) -> int:
    """Wrap surviving keys under a new epoch's key and destroy the old ones; returns its number.

    Many keys take long, so each transaction takes a part and others write between them. Stopped halfway, the
    next run begins another epoch and takes up what is left. `rewrap` does the same, in the last transaction,
    for keys that are not of entries.
    """
    with database.writing() as session:
        number = secrets.open_epoch(session, epochs)
    after: str | None = ""
    while after is not None:
        with database.writing() as session:
            after = secrets.rewrap(session, epochs, number, after)
    with database.writing() as session:
        rewrap(session, epochs, number)
        session.execute(sa.update(Epoch).values(opened_at=clock()))
    epochs.destroy_before(number)
    database.truncate()
    return number


def _is_ready(session: Session, one: Waiting, public_size: int) -> bool:
    ends = [end for _, end in one.earlier] + ([one.delisted_in] if one.listed_in else [])
    is_off = all(end is not None and snapshots.is_served(session, one.list, end) for end in ends)
    return is_off and log.is_within(session, one.entry, public_size)
