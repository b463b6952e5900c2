"""What bench/log.py runs in processes of their own: hashing alone, and verifying an export."""

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from app.core import audit, merkle
from app.core.audit import Member
from app.core.merkle import TILE, Frontier
from app.core.note import Checkpoint


def hashing(folder: str) -> dict[str, float]:
    """Every leaf's hash and the tree over them, leaves already in memory. Seconds."""
    leaves = [leaf for bundle in _bundles(Path(folder)) for leaf in merkle.unbundle(bundle)]
    started = time.monotonic()
    Frontier().extend(merkle.leaf_hash(leaf) for leaf in leaves).root()
    return {"seconds": time.monotonic() - started}


def verifying(folder: str) -> dict[str, float]:
    """The whole verification of an export's members, read from the log's own files. Seconds, peak MB."""
    gc.disable()
    started = time.monotonic()
    with ProcessPoolExecutor(1) as pool:
        tree = pool.submit(_tree, folder)
        report = audit.verify_history(_members(Path(folder)), audit.Wanted(), audit.Report("", "", 0, "", []))
        peak = tree.result()
    seconds = time.monotonic() - started
    assert report.entries > 0
    peak += _peak()
    return {"seconds": seconds, "peak": peak}


def _tree(folder: str) -> float:
    """As `wardlist audit verify` does it: in a process beside the history. Its peak of memory in MB."""
    report = audit.verify_tree(_members(Path(folder)), audit.Wanted())
    assert report.size == _size(Path(folder))
    return _peak()


def _peak() -> float:
    """This process's peak of memory in MB; getrusage would count that of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


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


def _bundles(folder: Path) -> Iterator[bytes]:
    size = _size(folder)
    for index in range((size + TILE - 1) // TILE):
        width = min(TILE, size - index * TILE)
        yield (folder / merkle.tile_path("entries", index, width)).read_bytes()


def _size(folder: Path) -> int:
    return Checkpoint.parse((folder / "checkpoint").read_bytes().split(b"\n\n")[0] + b"\n").size
