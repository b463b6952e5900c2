"""What a file of any format is made from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from app.core import url
from app.core.terms import EntryScope

HOSTS = frozenset({EntryScope.HOST.value, EntryScope.DOMAIN.value})
"""Scopes that a format of host names can hold."""


class Listed(NamedTuple):
    """One entry of a sheet. `url` is canonical."""

    commitment_key: str
    entry: str
    scope: str
    url: str

    @property
    def expression(self) -> str:
        """What the entry stands for, without scheme: a host, or a host with path and query."""
        return url.expression(self.url, self.scope)


@dataclass(frozen=True)
class Sheet:
    """A version's content. `lines` are canonical lines without newline, sorted.

    `match_key` (32 bytes) keys the hashes. `walled_garden` is a name that answers lead to, or None.
    """

    list: str
    version: int
    lines: Sequence[bytes]
    match_key: bytes = bytes(32)
    walled_garden: str | None = None

    def __repr__(self) -> str:
        return f"Sheet({self.list!r}, {self.version})"

    def entries(self) -> Iterator[Listed]:
        """Every entry, in the order of the reference form."""
        for line in self.lines:
            yield Listed(**orjson.loads(line))

    def named(self) -> Iterator[Listed]:
        """Entries that cover whole hosts: all that a format of host names may hold."""
        return (one for one in self.entries() if one.scope in HOSTS)
