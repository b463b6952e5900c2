"""Keyed hashes of what entries stand for, for filters that match URLs and need not show them.

An expression's hash is HMAC-SHA-256 under the list's match key, cut to 128 bits; the file is a fixed header
and the hashes in ascending order, each once, Golomb-Rice coded (`app.core.rice`). docs/hashes.md says it to
the bit. Who has the match key can test guesses; who has the file alone cannot.
"""

import hashlib
import hmac
import struct
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Self

from app.core import rice, url
from app.lists.formats.sheet import Sheet, opened

SIZE = 16
"""Bytes of a hash."""
_HEADER = struct.Struct(">8sBBHQQ8s")
MAGIC, _VERSION, _WIDTH = b"wardhash", 1, 8 * SIZE


class Malformed(ValueError):
    """A file that is not whole, or not one of these. The text says what is wrong with it."""


class WrongKey(ValueError):
    """The hashes were made with another match key."""


def value(key: bytes, scope: str, expression: str) -> bytes:
    """The hash of one expression: 16 bytes. `key` is a match key of 32 bytes."""
    return _hash(key, scope.encode(), expression.encode())


def of_lines(key: bytes, lines: Iterable[bytes]) -> list[bytes]:
    """The hashes of canonical lines, in their order; http and https entries may share one."""
    return [_hash(key, *opened(line)) for line in lines]


def key_id(key: bytes) -> bytes:
    """What a file names its match key by: 8 bytes."""
    return hashlib.sha256(b"wardlist/match-key/v1\n" + key).digest()[:8]


def render(sheet: Sheet) -> Iterator[bytes]:
    """The header, then the coded hashes."""
    every = sorted(of_lines(sheet.match_key, sheet.lines)) if sheet.hashes is None else sheet.hashes
    values = [int.from_bytes(one) for one, _ in groupby(every)]
    count = len(values)
    parameter = rice.parameter(count, _WIDTH)
    yield _HEADER.pack(MAGIC, _VERSION, parameter, _WIDTH, count, sheet.version, key_id(sheet.match_key))
    yield from rice.encode(values, count, _WIDTH)


class Hashes:
    """A file that was read. `version` is the list's; `parameter` that of the coding."""

    def __init__(self, values: list[int], version: int, parameter: int, key_id: bytes) -> None:
        self.version, self.parameter, self.key_id = version, parameter, key_id
        self._values = frozenset(values)

    @classmethod
    def read(cls, data: bytes) -> Self:
        """A whole file. Raises Malformed."""
        if len(data) < _HEADER.size:
            raise Malformed("the header is not whole")
        magic, form, parameter, width, count, version, named = _HEADER.unpack_from(data)
        if magic != MAGIC:
            raise Malformed("this is no file of hashes")
        if (form, width) != (_VERSION, _WIDTH):
            raise Malformed("this release reads version 1 with 128 bits only")
        if parameter != rice.parameter(count, width):
            raise Malformed("the parameter is not that of so many hashes")
        try:
            return cls(rice.decode(data[_HEADER.size :], count, width), version, parameter, named)
        except rice.Malformed as failure:
            raise Malformed(str(failure)) from None

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, hashed: bytes) -> bool:
        return len(hashed) == SIZE and int.from_bytes(hashed) in self._values

    def covers(self, key: bytes, canonical: str) -> bool:
        """Whether an entry covers a canonical URL. Raises WrongKey."""
        if key_id(key) != self.key_id:
            raise WrongKey("the hashes were made with another match key")
        return any(value(key, *one) in self for one in url.covering(canonical))


class Hashed:
    """The sorted hashes of a list's lines under one match key, kept while versions change it.

    A hash is there once for each line that has it.
    """

    def __init__(self, key: bytes, lines: Iterable[bytes]) -> None:
        self.key, self.values = key, sorted(of_lines(key, lines))

    def __repr__(self) -> str:
        return f"Hashed({len(self.values)} lines)"

    def change(self, added: Iterable[bytes], removed: Iterable[bytes]) -> None:
        """Take in lines and let others go. Sorting what is almost sorted is a merge."""
        gone = Counter(of_lines(self.key, removed))
        left = {one: self._count(one) - count for one, count in gone.items()}
        if gone:
            self.values = [one for one in self.values if one not in gone]
        self.values.extend(one for one, count in left.items() for _ in range(count))
        self.values.extend(of_lines(self.key, added))
        self.values.sort()

    def _count(self, hashed: bytes) -> int:
        return bisect_right(self.values, hashed) - bisect_left(self.values, hashed)


def _hash(key: bytes, scope: bytes, expression: bytes) -> bytes:
    return hmac.digest(key, b"wardlist/match/v1\n%s\n%s" % (scope, expression), "sha256")[:SIZE]
