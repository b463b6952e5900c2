"""What the newest version of each list holds, in the publisher's memory, so that a version costs its changes.

A version is its predecessor with the changes the database states; without the predecessor it is read whole.
Nothing of this is on a disk: a listed address may not outlive its entry there.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import orjson
import rfc8785
from sqlmodel import Session

from app.core import commitment
from app.core.commitment import LINE_ENTRY
from app.entries import listing as entries
from app.entries.listing import Line
from app.lists.formats.hashes import Hashed
from app.lists.models import Snapshot
from app.platform.epochs import Epochs


@dataclass
class Content:
    """`lines` and `commitments` (32 bytes each) are sorted; `added` and `removed` make the delta."""

    version: int
    lines: list[bytes]
    commitments: list[bytes]
    added: list[Line] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    hashed: Hashed | None = None
    """What `hashes` made, carried from version to version once it was asked for."""

    def __repr__(self) -> str:
        return f"Content({self.version}, {len(self.lines)} entries)"

    @property
    def commitments_sha256(self) -> str:
        """The digest that replay of the public log reaches too."""
        return commitment.sorted_commitments_sha256(self.commitments)

    def hashes(self, match_key: bytes) -> list[bytes]:
        """The hashes of all lines, sorted."""
        if self.hashed is None or self.hashed.key != match_key:
            self.hashed = Hashed(match_key, self.lines)
        return self.hashed.values

    def delta(self) -> Iterator[bytes]:
        """RFC 8785 lines, each ended by a newline: `add` with the whole entry, `remove` as a tombstone."""
        for one in self.added:
            yield orjson.dumps({**orjson.loads(one.line), "op": "add"}, None, orjson.OPT_SORT_KEYS) + b"\n"
        for entry in self.removed:
            yield rfc8785.dumps({"entry": entry, "op": "remove"}) + b"\n"


class Contents:
    """By list. One publisher uses it; a failure while it reads forgets the list, so that it is read again."""

    def __init__(self) -> None:
        self._known: dict[str, Content] = {}

    def of(self, session: Session, epochs: Epochs, snapshot: Snapshot) -> Content:
        """What a version holds. It must be the newest of its list. Raises LookupError when that is not so."""
        before = self._known.pop(snapshot.list, None)
        if before and before.version == snapshot.version:
            content = before
        else:
            added = list(entries.added_in(session, epochs, snapshot.list, snapshot.version))
            removed = entries.removed_in(session, snapshot.list, snapshot.version)
            if before and before.version == snapshot.version - 1:
                content = _next(before, added, removed)
            else:
                content = _whole(entries.listed_at(session, epochs, snapshot.list, snapshot.version))
            content.version = snapshot.version
            content.added, content.removed = added, [entry for entry, _ in removed]
        if len(content.lines) != snapshot.entry_count or len(content.commitments) != snapshot.entry_count:
            raise LookupError("a version's entries are not those that its number says")
        self._known[snapshot.list] = content
        return content


def _whole(found: Iterable[Line]) -> Content:
    content = Content(0, [], [])
    for one in found:
        content.lines.append(one.line)
        content.commitments.append(one.commitment)
    content.lines.sort()
    content.commitments.sort()
    return content


def _next(before: Content, added: list[Line], removed: list[tuple[str, bytes]]) -> Content:
    """Sorting what is almost sorted is a merge."""
    lines, commitments, hashed = before.lines, before.commitments, before.hashed
    lost: list[bytes] = []
    if removed:
        gone = {entry.encode() for entry, _ in removed}
        lost = [line for line in lines if line[LINE_ENTRY] in gone]
        lines = [line for line in lines if line[LINE_ENTRY] not in gone]
        opened = {stated for _, stated in removed}
        commitments = [one for one in commitments if one not in opened]
    lines.extend(one.line for one in added)
    commitments.extend(one.commitment for one in added)
    lines.sort()
    commitments.sort()
    if hashed:
        hashed.change((one.line for one in added), lost)
    return Content(before.version, lines, commitments, hashed=hashed)
