"""What a version holds, in memory, and whether it is what its manifest says.

Canonical lines and commitments are both kept sorted, so that the next version costs its changes. Source:
design section 7.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import orjson

from app.core import commitment
from app.core.commitment import LINE_ENTRY
from app.core.manifest import Manifest


class Damaged(Exception):
    """A list is not what its manifest says, or what is installed is not whole."""


class Line(NamedTuple):
    """A canonical line opened: the entry's id, its commitment (32 bytes) and its scope."""

    entry: bytes
    commitment: bytes
    scope: str


@dataclass(frozen=True)
class Content:
    """`lines` are canonical and without newline; `commitments` are 32 bytes each. Both are sorted."""

    lines: list[bytes]
    commitments: list[bytes]

    def __repr__(self) -> str:
        return f"Content({len(self.lines)} entries)"

    @property
    def entries(self) -> set[bytes]:
        """Ids of all entries."""
        return {line[LINE_ENTRY] for line in self.lines}

    def changed(self, added: Iterable[bytes], removed: set[bytes]) -> "Content":
        """Another content, without the entries of these ids and with these lines. Raises Damaged.

        Sorting what is almost sorted is a merge.
        """
        gone = [line for line in self.lines if line[LINE_ENTRY] in removed]
        kept = self.lines
        commitments = self.commitments
        if gone:
            kept = [line for line in kept if line[LINE_ENTRY] not in removed]
            opened = {open_line(line).commitment for line in gone}
            commitments = [one for one in commitments if one not in opened]
        new = list(added)
        return Content(
            sorted([*kept, *new]), sorted([*commitments, *(open_line(line).commitment for line in new)])
        )

    def check(self, manifest: Manifest) -> None:
        """Count and both digests agree with the manifest. Raises Damaged."""
        _check_lines(self.lines, manifest)
        if len(self.commitments) != len(self.lines):
            raise Damaged("an entry is there twice")
        if commitment.sorted_commitments_sha256(self.commitments) != manifest.commitments_sha256:
            raise Damaged("the entries are not those the log commits to")


def whole(lines: list[bytes], manifest: Manifest) -> Content:
    """The content that a reference form holds, as its manifest says. Raises Damaged."""
    _check_lines(lines, manifest)
    if any(one >= following for one, following in pairwise(lines)):
        raise Damaged("the content is not what the manifest says")
    opened = [open_line(line) for line in lines]
    if len({one.entry for one in opened}) != len(lines):
        raise Damaged("an entry is there twice")
    content = Content(lines, sorted(one.commitment for one in opened))
    content.check(manifest)
    return content


def open_line(line: bytes) -> Line:
    """What a canonical line says. Raises Damaged."""
    try:
        value = orjson.loads(line)
        key, entry, scope, address = (value[name] for name in ("commitment_key", "entry", "scope", "url"))
        raw = bytes.fromhex(key)
        again = commitment.list_line(raw, entry=entry, scope=scope, url=address)
        if again != line or len(raw) != 32 or line[LINE_ENTRY] != entry.encode():
            raise Damaged("a line is not in canonical form")
        stated = commitment.commitment(raw, entry=entry, scope=scope, url=address)
        return Line(line[LINE_ENTRY], bytes.fromhex(stated), scope)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Damaged("a line is not an entry") from None


def _check_lines(lines: list[bytes], manifest: Manifest) -> None:
    if len(lines) != manifest.entry_count:
        raise Damaged(f"{len(lines)} entries came, the manifest says {manifest.entry_count}")
    if commitment.content_sha256(lines) != manifest.content_sha256:
        raise Damaged("the content is not what the manifest says")
