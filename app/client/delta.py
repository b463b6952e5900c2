"""A chain of deltas folded into one change. Nothing of it is trusted until the end's digests agree.

A tombstone of an entry that is not there, or an addition of one that is, means that the chain is not of the
installed version. Source: design section 7.
"""

import orjson

from app.client.content import Content, Damaged


class Change:
    """What a chain does to a content. Feed it each version's delta in order, then `apply` it."""

    def __init__(self, before: Content) -> None:
        self._before, self._known = before, before.entries
        self._added: dict[bytes, bytes] = {}
        self._removed: set[bytes] = set()

    def feed(self, delta: bytes) -> None:
        """Take in the opened form of the next version's delta. Raises Damaged."""
        for raw in delta.splitlines():
            try:
                value = orjson.loads(raw)
                act, entry = value.pop("op"), value["entry"].encode()
            except (ValueError, KeyError, TypeError, AttributeError):
                raise Damaged("a line of a delta cannot be read") from None
            if act == "add":
                self._add(entry, orjson.dumps(value, None, orjson.OPT_SORT_KEYS))
            elif act == "remove":
                self._remove(entry)
            else:
                raise Damaged("a delta says neither add nor remove")

    def apply(self) -> Content:
        """A new content; the one before stays as it is. Raises Damaged."""
        return self._before.changed(self._added.values(), self._removed)

    def _add(self, entry: bytes, line: bytes) -> None:
        if self._has(entry):
            raise Damaged("a delta adds an entry that is there")
        self._added[entry] = line

    def _remove(self, entry: bytes) -> None:
        if not self._has(entry):
            raise Damaged("a delta removes an entry that is not there")
        if self._added.pop(entry, None) is None:
            self._removed.add(entry)

    def _has(self, entry: bytes) -> bool:
        return entry in self._added or (entry in self._known and entry not in self._removed)
