"""Holding an installation that is in place to its log and to what was published, whoever put it there.

For databases that came back by other ways: PostgreSQL's own backups, a copy of a disk, a snapshot. Nothing is
written.
"""

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from app.backup import agreement, checks, seen
from app.backup.checks import Refused
from app.backup.places import places
from app.backup.seen import Own
from app.entries import erasure
from app.log.keys import LogKeys
from app.platform import journal
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.settings import Settings


def check(settings: Settings, published: list[str], erasures: Path | None, now: datetime) -> dict[str, Any]:
    """`{"leaves","secrets","destroyed_and_there"}`. Raises Refused, and what its parts raise."""
    keyring = Keyring.load(settings.keys)
    keys, folder = LogKeys.of(settings, keyring), settings.public / "metadata"
    named = journal.read(erasures or settings.erasures)
    with closing(Database(settings.database)) as database, database.reading() as session:
        replay = agreement.check(session)
        own = Own(replay.size, checks.tuf_of(folder).versions)
        with places(settings, published) as found:
            sights = [seen.look(one, keys, checks.roots_of(folder), own.size, now) for one in found]
        behind = [what for one in sights for what in seen.ahead(session, own, one)]
        behind += seen.ahead_by_mark(session, settings, own.size)
        behind += seen.ahead_by_witnesses(settings, keys, own.size)
        if behind:
            raise Refused("more was published than is here: do not start it", behind)
        there = sorted(named & {one.entry for one in erasure.waiting(session)})
        if checks.not_erased(session, named):
            raise Refused("the journal names an erasure that this log has not: do not start it")
        opened = checks.secrets_open(session, keyring)
    return {"leaves": replay.size, "secrets": opened, "destroyed_and_there": there}
