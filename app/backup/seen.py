"""What clients were shown, as far as it can be seen, against what a restored database has.

Looked at: each place where published files lie, the log's high-water mark, and the witnesses. What is found
is believed only with our own signatures on it. A checkpoint that is no larger must be of the same leaves;
whatever is larger, or has a higher number, was published after the backup.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col

from app.backup import tuf
from app.backup.places import Place
from app.core import merkle, note
from app.log import mark
from app.log.keys import LogKeys
from app.log.models import Leaf
from app.log.witnesses import Witnesses
from app.platform.pointers import CHECKPOINT
from app.platform.settings import Settings

_OTHER_KEY = (
    "either it is another installation's, or the log's key was changed since; in that case take a backup "
    "that was made after the change"
)


class Forked(ValueError):
    """What was published is not what the backup leads to: another installation's, or a fork."""


@dataclass(frozen=True)
class Sight:
    """What a place shows: the log's head and TUF's state, None where it shows none."""

    place: Place
    checkpoint: note.Checkpoint | None
    published: tuf.Published | None


@dataclass(frozen=True)
class Own:
    """What the database and its files have: how many leaves, placed or not, and TUF's versions."""

    size: int
    versions: dict[str, int]


def look(place: Place, keys: LogKeys, roots: dict[str, bytes], size: int, now: datetime) -> Sight:
    """`size`: how many leaves our own database has. Raises Forked, and places.Unreachable."""
    signed = place.read(CHECKPOINT)
    try:
        checkpoint = keys.read(signed) if signed is not None else None
        published = tuf.published(lambda name: place.read(f"tuf/metadata/{name}"), roots)
    except note.UnknownKey:
        raise Forked(f"{place} shows a log signed by no key that is known here: {_OTHER_KEY}") from None
    except (note.Malformed, tuf.Untrusted) as fault:
        raise Forked(f"what {place} shows is not this installation's: {fault}") from None
    if checkpoint and signed and checkpoint.size > size and not keys.is_signed_by_one_in_force(signed, now):
        raise Forked(f"what {place} shows is not this installation's: a key that was ended signed it")
    return Sight(place, checkpoint, published)


def ahead(session: Session, own: Own, sight: Sight) -> list[str]:
    """In what a place is ahead, in words; empty when in nothing. Raises Forked."""
    found = []
    if sight.checkpoint:
        found += ahead_of(session, own.size, sight.checkpoint.size, sight.checkpoint.root, str(sight.place))
    if sight.published:
        found += [
            f"{sight.place} has version {version} of TUF's {role}, here it is {own.versions.get(role, 0)}"
            for role, version in sorted(sight.published.versions.items())
            if version > own.versions.get(role, 0)
        ]
    return found


def ahead_by_mark(session: Session, settings: Settings, size: int) -> list[str]:
    """The same of the mark, where there is one. Raises Forked."""
    try:
        marked = mark.read(settings.mark)
    except mark.Unreadable as fault:
        raise Forked(str(fault)) from None
    if marked is None:
        return []
    return ahead_of(session, size, marked.size, marked.root, f"the mark {settings.mark}")


def ahead_by_witnesses(settings: Settings, keys: LogKeys, size: int) -> list[str]:
    """The same of the witnesses that answer."""
    if not settings.witnesses_configured:
        return []
    witnesses = Witnesses(settings.witnesses_configured, settings.witness_quorum)
    empty = keys.sign(note.Checkpoint(settings.log_origin, 0, merkle.EMPTY_ROOT))
    seen = witnesses.largest_seen(empty)
    return [f"a witness has seen {seen} leaves, here there are {size}"] if seen > size else []


def ahead_of(session: Session, own: int, size: int, root: bytes, who: str) -> list[str]:
    """In words, where a head is of more leaves than our own first ones. Raises Forked when of others."""
    if size > own:
        return [f"{who} has {size} leaves of the log, here there are {own}"]
    if root_of_first(session, size) != root:
        raise Forked(f"{who} has other leaves than the first {size} here")
    return []


def root_of_first(session: Session, size: int) -> bytes:
    """The root over the first leaves, in the order of their commits, which is the log's."""
    return first(session, size).root()


def first(session: Session, size: int) -> merkle.Frontier:
    """The frontier after the first leaves."""
    query = sa.select(col(Leaf.body)).order_by(col(Leaf.id)).limit(size)
    bodies = session.execute(query, execution_options={"yield_per": 5000}).scalars()
    return merkle.Frontier().extend(merkle.leaf_hash(body) for body in bodies)


def root_of(frontier: merkle.Frontier, bodies: Iterable[bytes]) -> bytes:
    """The root once these leaves follow."""
    return frontier.extend(merkle.leaf_hash(body) for body in bodies).root()


def leaves(place: Place, start: int, size: int) -> Iterator[bytes]:
    """The leaves from `start` on of a log of that size, from its bundles. Raises Forked and Unreachable."""
    for index in range(start // merkle.TILE, -(-size // merkle.TILE)):
        width = min(merkle.TILE, size - index * merkle.TILE)
        body = place.read(f"log/{merkle.tile_path('entries', index, width)}")
        if body is None:
            raise Forked(f"{place} shows a log of {size} leaves, and not those of bundle {index}")
        try:
            found = merkle.unbundle(body)
        except ValueError:
            found = []
        if len(found) != width:
            raise Forked(f"bundle {index} at {place} does not hold {width} leaves")
        yield from found[max(0, start - index * merkle.TILE) :]
