"""Asking witnesses to cosign a checkpoint. Sources: C2SP tlog-witness, tlog-cosignature.

A witness that is down or busy costs its cosignature, nothing else. One that has seen more than this log has,
or something else, means that the log was forked or rolled back: nothing is signed after that.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import httpx
import structlog

from app.core import note, witness
from app.core.note import Checkpoint, Verifier

TIMEOUT = 3.0
_TRIES = 3
_BUSY = timedelta(seconds=30)
_LONGEST_WAIT = 3600
_logger = structlog.get_logger("witness")
Prove = Callable[[int, int], list[bytes]]
"""(old size, new size) -> consistency proof."""


class Forked(Exception):
    """The log does not extend what was signed before: nothing is signed. The text says what."""


@dataclass
class Witness:
    """A witness by key and address, and what is known of it."""

    verifier: Verifier
    address: str
    size: int = 0
    wait_until: datetime | None = None


class Witnesses:
    """All configured witnesses; `quorum` is how many cosignatures a checkpoint needs."""

    def __init__(self, configured: Sequence[tuple[Verifier, str]], quorum: int | None) -> None:
        self._all = [Witness(verifier, address.rstrip("/")) for verifier, address in configured]
        self.quorum = len(self._all) if quorum is None else quorum

    @cached_property
    def _http(self) -> httpx.Client:
        """Made when one is asked: it reads all authorities of the machine, and readers of a log ask none."""
        return httpx.Client(timeout=TIMEOUT, follow_redirects=False)

    @property
    def verifiers(self) -> list[Verifier]:
        """The witnesses' keys."""
        return [one.verifier for one in self._all]

    def largest_seen(self, empty: bytes) -> int:
        """The largest size any reachable witness has seen; `empty` is a signed checkpoint of size 0."""
        for one in self._all:
            answer = self._ask(one, 0, [], empty)
            if answer is not None and answer.status_code == 409:
                one.size = _size(answer)
        return max((one.size for one in self._all), default=0)

    def cosign(self, checkpoint: Checkpoint, signed: bytes, prove: Prove, now: datetime) -> list[str]:
        """Cosignature lines of whoever answers in time. Raises Forked."""
        if not self._all:
            return []
        with ThreadPoolExecutor(len(self._all)) as pool:
            lines = pool.map(lambda one: self._cosign(one, checkpoint, signed, prove, now), self._all)
            return [line for line in lines if line]

    def _cosign(
        self, one: Witness, checkpoint: Checkpoint, signed: bytes, prove: Prove, now: datetime
    ) -> str | None:
        if one.wait_until and now < one.wait_until:
            return None
        for _ in range(_TRIES):
            proof = prove(one.size, checkpoint.size) if 0 < one.size < checkpoint.size else []
            answer = self._ask(one, one.size, proof, signed)
            if answer is None:
                return None
            if answer.status_code == 409:
                self._learn(one, answer, checkpoint)
                continue
            return self._take(one, answer, checkpoint, now)
        return None

    def _learn(self, one: Witness, answer: httpx.Response, checkpoint: Checkpoint) -> None:
        size = _size(answer)
        if size > checkpoint.size:
            raise Forked(
                f"a witness has seen {size} leaves, this log has {checkpoint.size}: a restored backup?"
            )
        if size == one.size:
            raise Forked(f"a witness has seen {size} other leaves than this log's")
        one.size = size

    def _take(
        self, one: Witness, answer: httpx.Response, checkpoint: Checkpoint, now: datetime
    ) -> str | None:
        if answer.status_code == 422:
            raise Forked(f"a witness finds this log inconsistent with the {one.size} leaves it has seen")
        if answer.status_code == 429:
            stated = answer.headers.get("retry-after", "")
            wait = timedelta(seconds=min(int(stated), _LONGEST_WAIT)) if stated.isdigit() else _BUSY
            one.wait_until = now + wait
        if answer.status_code != 200:
            _logger.warning("no cosignature", witness=one.verifier.name, status=answer.status_code)
            return None
        line = _own_line(one.verifier, checkpoint, answer.content)
        if line is None:
            _logger.warning("no cosignature", witness=one.verifier.name, status="invalid signature")
            return None
        one.size = checkpoint.size
        return line

    def _ask(self, one: Witness, old: int, proof: list[bytes], signed: bytes) -> httpx.Response | None:
        try:
            body = witness.request(old, proof, signed)
            return self._http.post(one.address + witness.ADD_CHECKPOINT, content=body)
        except httpx.HTTPError as failure:
            _logger.warning("no cosignature", witness=one.verifier.name, status=type(failure).__name__)
            return None


def _size(answer: httpx.Response) -> int:
    text = answer.text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _own_line(verifier: Verifier, checkpoint: Checkpoint, answer: bytes) -> str | None:
    """The witness's line among those it answered, once it verifies."""
    for line in answer[:10_000].decode(errors="replace").splitlines(keepends=True):
        try:
            note.read(checkpoint.text() + b"\n" + line.encode(), [verifier])
        except note.Malformed:
            continue
        return line
    return None
