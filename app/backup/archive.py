"""The file of a backup: members of a tar archive, compressed, sealed with age; read and written as a stream.

Neither way holds more than a member's chunk, and nothing of a backup lies opened on a disk. What is read
before the end is no more than promised: age shows at each chunk that it is whole and in its place, and only
at the end that none is missing. Sources: POSIX pax, RFC 8878 (zstd), C2SP age.md.
"""

import os
import re
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Self

import zstandard

from app.core import age
from app.files import PRIVATE, sync_folder

_READ = 1 << 18
_BLOCK = tarfile.BLOCKSIZE
_LONGEST_HEADER = 1 << 16
NAME = re.compile(r"(?:keys|tuf|log)(?:/(?!\.)[A-Za-z0-9._-]{1,200}){1,8}")
"""Files of an installation; rows and what a backup says of itself have other names."""


class Unreadable(ValueError):
    """No backup, one that is damaged, or one that these identities do not open. The text says which."""


_OTHER = "this is no backup: there is something other than files in it"


class Member(NamedTuple):
    """A file of the archive: its name, its length in bytes, its bytes in parts."""

    name: str
    length: int
    parts: Iterable[bytes]


def member(name: str, content: bytes) -> Member:
    """One that is in memory whole."""
    return Member(name, len(content), (content,))


def write(path: Path, members: Iterable[Member], recipients: list[str]) -> int:
    """Write a backup that appears whole or not at all, mode 0600; how many bytes it has.

    Raises age.Invalid for a recipient, OSError, and what `members` raise.
    """
    for one in recipients:
        age.check_recipient(one)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.writing-")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), PRIVATE)
            age.seal(_compressed(_packed(members)), file, recipients)
            file.flush()
            os.fsync(file.fileno())
            length = file.tell()
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return length


def _packed(members: Iterable[Member]) -> Iterator[bytes]:
    for one in members:
        info = tarfile.TarInfo(one.name)
        info.size, info.mode = one.length, PRIVATE
        yield info.tobuf(tarfile.PAX_FORMAT)
        written = 0
        for part in one.parts:
            written += len(part)
            yield part
        if written != one.length:
            raise OSError("a file changed while it was read")
        yield bytes(-written % _BLOCK)
    yield bytes(2 * _BLOCK)


def _compressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    packer = zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()
    for chunk in chunks:
        packed = packer.compress(chunk)
        if packed:
            yield packed
    yield packer.flush()


@contextmanager
def opened(path: Path, identities: list[str]) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """(name, content) of each member in order; each is to be read before the next is asked for.

    Leaving the block, having read to the end, shows that nothing was missing. Raises Unreadable, age.Invalid
    and OSError.
    """
    reading, writing = os.pipe()
    failures: list[BaseException] = []
    feeder = threading.Thread(target=_feed, args=(path, identities, writing, failures), daemon=True)
    feeder.start()
    try:
        with os.fdopen(reading, "rb") as pipe:
            try:
                yield _members(pipe)
                while pipe.read(_READ):
                    pass
            except (tarfile.TarError, zstandard.ZstdError, EOFError):
                raise _first(failures) or Unreadable("this is no backup, or it is damaged") from None
    finally:
        feeder.join()
    failure = _first(failures)
    if failure:
        raise failure


class _Header(tarfile.TarInfo):
    """What is read before anything is made of it: a file, or a short header of one.

    tarfile holds a header of whatever length in memory, and fills up a sparse file to whatever length.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Raises Unreadable."""
        found = super().frombuf(buf, encoding, errors)
        is_header = found.type == tarfile.XHDTYPE and found.size <= _LONGEST_HEADER
        if found.size < 0 or not (is_header or found.type == tarfile.REGTYPE):
            raise Unreadable(_OTHER)
        return found


def _members(pipe: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    unpacked = zstandard.ZstdDecompressor().stream_reader(pipe, closefd=False)
    with tarfile.open(fileobj=unpacked, mode="r|", tarinfo=_Header) as archive:
        for info in archive:
            content = None if info.issparse() else archive.extractfile(info)
            if content is None:
                raise Unreadable(_OTHER)
            yield info.name, content
    while unpacked.read(_READ):
        pass


def _feed(path: Path, identities: list[str], pipe: int, failures: list[BaseException]) -> None:
    """Open the seal into the pipe; a reader that went away is no failure of its own."""
    try:
        with os.fdopen(pipe, "wb") as writer, path.open("rb") as file:
            age.unseal(iter(lambda: file.read(_READ), b""), writer, identities)
    except BrokenPipeError:
        pass
    except BaseException as failure:
        failures.append(failure)


def _first(failures: list[BaseException]) -> BaseException | None:
    if failures and isinstance(failures[0], age.Unopened):
        return Unreadable("none of these identities opens it, or it is damaged")
    return failures[0] if failures else None
