"""What a restored installation is held to besides its log: secrets, TUF metadata, erasures."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.backup import tuf
from app.core import commitment, sealing
from app.core.lifecycle import Status
from app.core.terms import EntryScope
from app.entries import secrets
from app.entries.models import Entry
from app.entries.secrets import Opened
from app.platform.keyring import Keyring

_AT_ONCE = 500


class Refused(ValueError):
    """A restore would put something wrong in place. `behind` says what was published after the backup."""

    def __init__(self, why: str, behind: list[str] | None = None) -> None:
        super().__init__(why)
        self.behind = behind or []


def secrets_open(session: Session, keyring: Keyring) -> int:
    """Open every secret, and hold it to its entry's commitment; how many there are. Raises Refused."""
    count, found = 0, secrets.opened(session, keyring.epochs, sa.true())
    try:
        while some := list(islice(found, _AT_ONCE)):
            _hold(session, some)
            count += len(some)
    except (FileNotFoundError, sealing.Unreadable):
        raise Refused("the keys in the backup do not open the secrets in it") from None
    return count


def _hold(session: Session, some: list[tuple[str, Opened]]) -> None:
    query = select(Entry.id, Entry.scope, Entry.commitment)
    rows = session.exec(query.where(col(Entry.id).in_([entry for entry, _ in some])))
    stated = {entry: (scope, commits) for entry, scope, commits in rows}
    for entry, opened in some:
        scope, commits = stated[entry]
        key, url = opened.commitment_key, opened.canonical_url
        if commitment.commitment(key, entry=entry, scope=EntryScope(scope).value, url=url) != commits:
            raise Refused(f"the secret of entry {entry} is not the one that the log commits to")


def not_erased(session: Session, ids: Iterable[str]) -> bool:
    """Whether one of these entries is there and not erased."""
    found = sorted(ids)
    for start in range(0, len(found), _AT_ONCE):
        some = col(Entry.id).in_(found[start : start + _AT_ONCE])
        if session.exec(select(Entry.seq).where(some, Entry.status != Status.ERASED).limit(1)).first():
            return True
    return False


def roots_of(folder: Path) -> dict[str, bytes]:
    """TUF's roots in a metadata folder, by name."""
    return {path.name: path.read_bytes() for path in folder.glob("*.root.json")}


def tuf_of(folder: Path) -> tuf.Published:
    """The metadata of a folder of our own. Raises tuf.Untrusted."""

    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.is_file() else None

    roots = roots_of(folder)
    found = tuf.published(read, roots) if roots else None
    if found is None:
        raise tuf.Untrusted("there is no TUF repository")
    return found
