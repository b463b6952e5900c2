"""Whose file leaked: canary entries found again in a file of any format.

A file that shows names is searched for the names of every provider's canary entries; a file of hashes for
their hashes, under the match keys that are still kept. Sources: design section 7; docs/hashes.md.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import zstandard
from sqlmodel import Session, col, select

from app.core import age
from app.identity import service as identity
from app.lists import service as lists
from app.lists.canary_entries import CanaryEntries
from app.lists.formats import hashes
from app.lists.models import MatchKey
from app.platform.keyring import Keyring

_CHUNK = 1024 * 1024
_LARGEST_HASHES = 1 << 28
"""Bytes, of some fifteen million entries; a file that unpacks to more is not whole, and refused."""
_OVERLAP = 1024
"""Bytes read again with the next chunk; no name is longer, not even with a backslash before each dot."""
_GZIP, _ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Untraceable(ValueError):
    """A file that cannot be searched as it is. The text says why, and what to do."""


class Source(NamedTuple):
    """A provider whose file of a list it was: organisation id, its name, the list's name."""

    organisation: str
    name: str
    list: str


def trace(session: Session, keyring: Keyring, entries: CanaryEntries, path: Path) -> list[Source]:
    """Every provider, past ones too, whose canary entries are in the file. Raises Untraceable or OSError."""
    names = identity.providers(session)
    every = [(name, organisation) for name in lists.policies(session) for organisation in names]
    with _opened(path) as file:
        start = file.read(_CHUNK)
        if start.startswith(hashes.MAGIC):
            data = start + file.read(_LARGEST_HASHES)
            found = _in_hashes(session, keyring, entries, data, every)
        elif start.startswith(age.MAGIC):
            raise Untraceable("this file is sealed, and so nobody's in particular; trace what it opens to")
        else:
            found = _in_text(entries, start, file, every)
    return [Source(organisation, names[organisation], name) for name, organisation in sorted(found)]


def _in_text(
    entries: CanaryEntries, start: bytes, file: BinaryIO, every: list[tuple[str, str]]
) -> set[tuple[str, str]]:
    owners = {host: pair for pair in every for host in entries.names(*pair)}
    found: set[tuple[str, str]] = set()
    text = start
    while text:
        found |= {owners[host] for host in entries.labels_in(text.decode("latin-1")) & owners.keys()}
        following = file.read(_CHUNK)
        text = text[-_OVERLAP:] + following if following else b""
    return found


def _in_hashes(
    session: Session, keyring: Keyring, entries: CanaryEntries, data: bytes, every: list[tuple[str, str]]
) -> set[tuple[str, str]]:
    try:
        read = hashes.Hashes.read(data)
    except hashes.Malformed as wrong:
        raise Untraceable(str(wrong)) from None
    fitting = {name: key for name, key in _match_keys(session, keyring) if hashes.key_id(key) == read.key_id}
    if not fitting:
        raise Untraceable("the hashes have a match key that is destroyed by now, or of another installation")
    return {
        (name, organisation)
        for name, organisation in every
        if name in fitting
        and any(one in read for one in hashes.of_lines(fitting[name], entries.every_line(name, organisation)))
    }


def _match_keys(session: Session, keyring: Keyring) -> Iterator[tuple[str, bytes]]:
    for one in session.exec(select(MatchKey).order_by(col(MatchKey.list), col(MatchKey.number))):
        files = keyring.match_keys(one.list)
        if files.has(one.number):
            yield one.list, files.key(one.number)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file's content, also when it was compressed as the service sends it."""
    with path.open("rb") as raw:
        start = raw.read(4)
        raw.seek(0)
        try:
            if start.startswith(_GZIP):
                yield cast(BinaryIO, gzip.GzipFile(fileobj=raw))
            elif start == _ZSTANDARD:
                yield cast(BinaryIO, zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True))
            else:
                yield raw
        except (EOFError, zlib.error, zstandard.ZstdError, gzip.BadGzipFile):
            raise Untraceable("the file is compressed and damaged") from None
