"""Text files of plain lists compressed once, beside themselves: `<file>.zst` and `<file>.gz`.

They are no TUF targets: a web server hands them out to who accepts the encoding. Sealed files and hashes do
not get smaller. The same file gives the same bytes again. Small files are compressed as they are written, so
that whoever fetches them at the announcement gets little; larger ones after it, for nobody shall wait.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

import zstandard

from app.platform.files import write_atomically

SMALLEST, SMALL, LARGEST = 1 << 10, 1 << 20, 32 << 20
"""In bytes: what is not worth it, what is compressed at once, and what would keep the publisher too long."""
SUFFIXES = (".zst", ".gz")
_CHUNK = 1 << 18


def compress(path: Path, most: int = LARGEST) -> None:
    """Make what is missing beside a file of at most that many bytes. Raises OSError."""
    if not SMALLEST < path.stat().st_size <= most:
        return
    for suffix, encoded in zip(SUFFIXES, (_zstd, _gzip), strict=True):
        beside = path.with_name(path.name + suffix)
        if not beside.exists():
            write_atomically(beside, encoded(path), mode=0o640)


def _zstd(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from zstandard.ZstdCompressor(level=3).read_to_iter(file)


def _gzip(path: Path) -> Iterator[bytes]:
    level = 6 if path.stat().st_size <= SMALL else 1
    compressor = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield compressor.compress(chunk)
    yield compressor.flush()
