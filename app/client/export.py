"""Verifying an export on every core: the tree beside the history, and reviewers' signatures in batches.

What is verified and how is core/audit's; here is only who does it. A deviation found anywhere is held back
until everything before it is known, so that the first leaf at fault is named, the tree's word first.
"""

import gc
import multiprocessing
import os
import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import zstandard

from app.core import audit
from app.core.audit import Member, Report, Wanted
from app.core.replay import Deviation, check_signature

LARGEST = 64 * 1024 * 1024
"""Bytes of one member that are taken in."""
SMALL = 4 * 1024 * 1024
"""Bytes of an export below which a second process costs more than it saves."""
BATCH = 500
"""Signatures that travel to another process at once."""
_Signature = tuple[int, str, str, dict[str, str]]
_Fault = tuple[int, str, str | None]
Open = Callable[[], Iterator[Member]]
"""Reads the export's members from the start; picklable."""


def members(file: Path) -> Iterator[Member]:
    """The members of a `.tar.zst`. Raises Deviation for an odd one, OSError, TarError or ZstdError."""
    with (
        file.open("rb") as raw,
        zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as unpacked,
        tarfile.open(fileobj=unpacked, mode="r|") as archive,
    ):
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or member.size > LARGEST:
                raise Deviation(
                    0, f"expected plain members of at most {LARGEST} bytes, found {member.name!r}"
                )
            yield member.name, content.read()


def verify(opened: Open, wanted: Wanted) -> Report:
    """In this process alone. Raises Deviation, and what `opened` raises."""
    return audit.verify_history(opened(), wanted, audit.verify_tree(opened(), wanted))


def verify_on_every_core(opened: Open, wanted: Wanted) -> Report:
    """The same with as many processes as the machine has cores. Raises as `verify` does."""
    others = max(1, (os.cpu_count() or 1) - 1)
    with ProcessPoolExecutor(others, multiprocessing.get_context("fork")) as pool:
        tree = pool.submit(_tree, opened, Wanted(wanted.log_key, wanted.witnesses, wanted.quorum))
        signatures = _Signatures(pool, waiting=4 * others)
        history = _history(opened, wanted, signatures)
        of_tree = tree.result()
    if isinstance(of_tree, tuple):
        raise Deviation(*of_tree)
    if isinstance(history, Deviation):
        raise history
    names = ("origin", "log_key", "size", "root", "witnesses")
    return replace(history, **{name: getattr(of_tree, name) for name in names})


def _history(opened: Open, wanted: Wanted, signatures: "_Signatures") -> Report | Deviation:
    """The report, or the first thing wrong: a signature's fault may lie before what stopped the replay."""
    deviation: Deviation | None = None
    try:
        report = audit.verify_history(opened(), wanted, Report("", "", 0, "", []), signatures.check)
    except Deviation as found:
        deviation = found
    fault = signatures.first_fault()
    if fault and (deviation is None or fault[0] <= deviation.index):
        return Deviation(*fault)
    return deviation or report


class _Signatures:
    """Collects signatures into batches for the pool; with `waiting` batches out it checks one itself."""

    def __init__(self, pool: Executor, waiting: int) -> None:
        self._pool, self._most = pool, waiting
        self._batch: list[_Signature] = []
        self._out: deque[Future[_Fault | None]] = deque()
        self._faults: list[_Fault] = []

    def check(self, index: int, entry: str, token: str, jwk: dict[str, str]) -> None:
        """Take in one signature. Raises Deviation once any is known not to hold."""
        self._batch.append((index, entry, token, jwk))
        if len(self._batch) == BATCH:
            self._send()
            if self._faults:
                raise Deviation(*min(self._faults))

    def first_fault(self) -> _Fault | None:
        """Wait for every batch; the lowest leaf whose signature does not hold."""
        self._send()
        self._collect(len(self._out))
        return min(self._faults, default=None)

    def _send(self) -> None:
        batch, self._batch = self._batch, []
        while self._out and self._out[0].done():
            self._collect(1)
        if len(self._out) < self._most:
            self._out.append(self._pool.submit(_first_fault, batch))
        elif fault := _first_fault(batch):
            self._faults.append(fault)

    def _collect(self, count: int) -> None:
        found = (self._out.popleft().result() for _ in range(count))
        self._faults += [fault for fault in found if fault]


def _first_fault(batch: list[_Signature]) -> _Fault | None:
    for one in batch:
        try:
            check_signature(*one)
        except Deviation as found:
            return found.index, found.expected, found.entry
    return None


def _tree(opened: Open, wanted: Wanted) -> Report | _Fault:
    """In a process of its own; a deviation comes back as its parts."""
    gc.disable()
    try:
        return audit.verify_tree(opened(), wanted)
    except Deviation as found:
        return found.index, found.expected, found.entry
