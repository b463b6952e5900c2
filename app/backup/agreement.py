"""Whether the rows of a database say what its log says: shown by replaying it, before they are relied on.

Rules: the leaves lead to the head's root; their replay has no deviation; entries, lists and participants
stand where the replay has them; and each list's newest version holds just what the replay says it lists.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core import merkle
from app.core.commitment import sorted_commitments_sha256
from app.core.lifecycle import Takedown
from app.core.replay import Deviation, Replay
from app.core.replay.state import List, Removal
from app.entries import listing
from app.entries.models import Entry
from app.identity.models import Client, ClientKey, Organisation
from app.lists.models import BlockList, ListPolicy, Snapshot
from app.log import service as log
from app.log.models import Leaf, PendingLeaf, SequencedLeaf

_AT_ONCE = 5000


class Disagreement(ValueError):
    """Rows and log differ, or the log is not as it must be. The text says where."""


def replayed(session: Session) -> Replay:
    """Every leaf, with or without a place, replayed, and the head's root shown. Raises Disagreement."""
    replay, frontier = Replay(), merkle.Frontier()
    try:
        for leaf_hash, body in _placed(session):
            if leaf_hash != merkle.leaf_hash(body):
                raise Disagreement(f"leaf {replay.size} has another hash than its place says")
            frontier = frontier.extend((leaf_hash,))
            replay.feed(body)
        head = log.head(session)
        if (frontier.size, frontier.root()) != (head.size, head.root):
            raise Disagreement(f"the {frontier.size} leaves do not lead to the head's root")
        for body in _pending(session):
            replay.feed(body)
    except Deviation as deviation:
        raise Disagreement(f"the log's replay fails: {deviation}") from None
    return replay


def check(session: Session) -> Replay:
    """The replay, once rows and log were seen to agree. Raises Disagreement."""
    replay = replayed(session)
    compare(session, replay)
    return replay


def compare(session: Session, replay: Replay) -> None:
    """Raises Disagreement at the first difference."""
    for differences in (_entries(session, replay), _lists(session, replay), _participants(session, replay)):
        found = next(differences, None)
        if found:
            raise Disagreement(f"rows and log differ: {found}")


def _placed(session: Session) -> Iterator[tuple[bytes, bytes]]:
    """(hash, leaf) in the order of the log."""
    query = (
        sa.select(col(SequencedLeaf.leaf_hash), col(Leaf.body))
        .join(Leaf, col(SequencedLeaf.leaf_id) == col(Leaf.id))
        .order_by(col(SequencedLeaf.leaf_index))
    )
    for row in session.execute(query, execution_options={"yield_per": _AT_ONCE}):
        yield row.leaf_hash, row.body


def _pending(session: Session) -> Iterator[bytes]:
    query = sa.select(col(Leaf.body)).join(PendingLeaf, col(PendingLeaf.leaf_id) == col(Leaf.id))
    yield from session.execute(query.order_by(col(Leaf.id))).scalars()


def _entries(session: Session, replay: Replay) -> Iterator[str]:
    columns = (Entry.id, Entry.list, Entry.status, Entry.commitment, Entry.takedown)
    query, seen, nothing = sa.select(*map(col, columns)), 0, Removal()
    for entry, name, status, stated, takedown in session.execute(
        query, execution_options={"yield_per": _AT_ONCE}
    ):
        seen += 1
        logged = replay.entries.get(entry)
        if logged is None or (logged.list.name, logged.commitment) != (name, stated):
            yield f"entry {entry} is not the one that was submitted"
        elif logged.status is not status:
            yield f"entry {entry} is {status.value}, and {logged.status.value} in the log"
        elif Takedown(takedown) is not replay.removals.get(entry, nothing).state:
            yield f"the takedown of entry {entry} stands elsewhere in the log"
    if seen != len(replay.entries):
        yield f"{seen} entries, and {len(replay.entries)} in the log"


def _lists(session: Session, replay: Replay) -> Iterator[str]:
    names = set(session.exec(select(BlockList.name)))
    if names != replay.lists.keys():
        yield "there are other lists in the log"
        return
    for name in sorted(names):
        yield from _list(session, replay.lists[name])


def _list(session: Session, logged: List) -> Iterator[str]:
    name = logged.name
    policies = set(session.exec(select(ListPolicy.version).where(ListPolicy.list == name)))
    if policies != set(range(1, len(logged.policies) + 1)):
        yield f"list {name} has other policies in the log"
    query = sa.select(col(Snapshot.version), col(Snapshot.commitments_sha256), col(Snapshot.content_sha256))
    found = session.execute(query.where(col(Snapshot.list) == name, col(Snapshot.manifest).is_not(None)))
    versions = {version: (stated, content) for version, stated, content in found}
    if versions != {one: (logged.versions[one], logged.contents[one]) for one in logged.versions}:
        yield f"list {name} has other versions in the log"
    elif versions:
        newest = max(versions)
        held = sorted(bytes.fromhex(one) for one in listing.commitments_at(session, name, newest))
        if sorted_commitments_sha256(held) != logged.versions[newest]:
            yield f"version {newest} of list {name} holds other entries in the log"


def _participants(session: Session, replay: Replay) -> Iterator[str]:
    suspended = {
        one: at is not None
        for one, at in session.exec(select(Organisation.id, Organisation.suspended_at)).all()
    }
    if suspended != {one.id: one.is_suspended for one in replay.organisations.values()}:
        yield "there are other organisations in the log, or suspended ones"
    revoked = {one: at is not None for one, at in session.exec(select(Client.id, Client.revoked_at)).all()}
    if revoked != {one: one in replay.revoked_clients for one in replay.clients}:
        yield "there are other clients in the log, or revoked ones"
    keys = set(session.exec(select(ClientKey.kid).where(col(ClientKey.revoked_at).is_(None))))
    if keys != replay.keys.keys():
        yield "other keys of clients are in force in the log"
