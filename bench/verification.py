"""What bench/log.py runs in processes of their own: hashing alone, and verifying an export."""

import gc
import io
import os
import resource
import tarfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import zstandard
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from app.client import export
from app.core import audit, merkle
from app.core.audit import Member
from app.core.merkle import Frontier
from app.core.note import Checkpoint


def hashing(file: str) -> dict[str, float]:
    """Every leaf's hash and the tree over them: alone, and with reading them from the export. Seconds."""
    started = time.monotonic()
    bundles = (content for name, content in export.members(Path(file)) if name.startswith("tile/entries/"))
    leaves = [leaf for bundle in bundles for leaf in merkle.unbundle(bundle)]
    read = time.monotonic()
    Frontier().extend(merkle.leaf_hash(leaf) for leaf in leaves).root()
    ended = time.monotonic()
    return {"seconds": ended - read, "whole": ended - started}


def signing(_file: str) -> dict[str, float]:
    """One ES256 verification by OpenSSL through `cryptography`, nothing else. Seconds, mean of 20,000."""
    private, message = ec.generate_private_key(ec.SECP256R1()), b"m" * 500
    public, algorithm = private.public_key(), ec.ECDSA(hashes.SHA256())
    signature, count = private.sign(message, algorithm), 20_000
    started = time.monotonic()
    for _ in range(count):
        public.verify(signature, message, algorithm)
    return {"seconds": (time.monotonic() - started) / count}


def verifying(file: str) -> dict[str, float]:
    """As `wardlist audit verify` does it. Seconds, and peak MB of all processes together."""
    gc.disable()
    started = time.monotonic()
    report = export.verify_on_every_core(partial(export.members, Path(file)), audit.Wanted())
    seconds = time.monotonic() - started
    assert report.entries > 0
    return {"seconds": seconds, "peak": _peak() + _children_peak()}


def pack(folder: Path, out: Path) -> None:
    """An export of the log in this folder, as the service makes them."""
    with (
        out.open("wb") as raw,
        zstandard.ZstdCompressor().stream_writer(raw) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        for name, content in _members(folder):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _peak() -> float:
    """This process's peak of memory in MB; getrusage would count that of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def _children_peak() -> float:
    """Peak MB of the processes that were started, counted as if each had the largest one's."""
    others = max(1, (os.cpu_count() or 1) - 1)
    return others * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _members(folder: Path) -> Iterator[Member]:
    size = _size(folder)
    yield "export.json", b"{}"
    yield "keys.json", (folder / "keys.json").read_bytes()
    yield "checkpoint", (folder / "checkpoint").read_bytes()
    for level, index, width in merkle.tiles_between(0, size):
        if level == 0:
            path = merkle.tile_path("entries", index, width)
            yield path, (folder / path).read_bytes()
        path = merkle.tile_path(level, index, width)
        yield path, (folder / path).read_bytes()


def _size(folder: Path) -> int:
    return Checkpoint.parse((folder / "checkpoint").read_bytes().split(b"\n\n")[0] + b"\n").size
