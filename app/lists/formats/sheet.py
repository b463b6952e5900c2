"""What a file of any format is made from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from app.core import url
from app.core.terms import EntryScope

_SCOPE, _URL = 141, b'","url":"'
"""A canonical line holds two texts of one length before the scope, and the URL after it, last."""


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

    `match_key` (32 bytes) keys the hashes; `hashes` are those of every line, sorted, where they are at hand.
    `walled_garden` is a name that answers lead to, or None.
    """

    list: str
    version: int
    lines: Sequence[bytes]
    match_key: bytes = bytes(32)
    walled_garden: str | None = None
    hashes: Sequence[bytes] | None = None

    def __repr__(self) -> str:
        return f"Sheet({self.list!r}, {self.version})"

    def entries(self) -> Iterator[Listed]:
        """Every entry, in the order of the reference form."""
        for line in self.lines:
            yield Listed(**orjson.loads(line))

    def count(self, *scopes: EntryScope) -> int:
        """How many entries are of these scopes."""
        starts = _starts(scopes)
        return sum(line.startswith(starts, _SCOPE) for line in self.lines)

    def expressions(self, *scopes: EntryScope) -> set[str]:
        """What the entries of these scopes stand for, without scheme, each once."""
        starts = _starts(scopes)
        return {opened(line)[1].decode() for line in self.lines if line.startswith(starts, _SCOPE)}


def opened(line: bytes) -> tuple[bytes, bytes]:
    """(scope, expression) of a canonical line; the expression is that of `app.core.url.expression`.

    As fast as can be, for a list has many lines.
    """
    end = line.index(b'"', _SCOPE)
    scope, address = line[_SCOPE:end], line[end + len(_URL) : -2]
    if b"\\" in address:
        address = orjson.loads(b'"%s"' % address).encode()
    whole = address[address.index(b"://") + 3 :]
    if scope == b"url":
        return scope, whole
    return scope, whole.split(b"?", 1)[0] if scope == b"path" else whole.split(b"/", 1)[0]


def _starts(scopes: Iterable[EntryScope]) -> tuple[bytes, ...]:
    return tuple(f'{one.value}"'.encode() for one in scopes)
