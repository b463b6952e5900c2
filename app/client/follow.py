"""Following the public log: what was seen once can never be taken back unseen.

`head.json` keeps the newest head that verified, and full bundles stay on the disk, so that only new ones are
fetched; every leaf is replayed. Sources: C2SP tlog-tiles, tlog-checkpoint, tlog-cosignature; design section
3.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.client.files import private_folder
from app.core import merkle, note
from app.core.merkle import TILE, Frontier
from app.core.replay import Deviation, Replay
from app.files import PRIVATE, write_durably

Fetch = Callable[[str], bytes]
"""Gets the bytes at a path of the service, `/log/checkpoint` for instance. Raises LogError."""
_UNVERIFIED = ".unverified"


@dataclass(frozen=True)
class Witnesses:
    """Keys of witnesses, and how many of them must have cosigned."""

    verifiers: tuple[note.Verifier, ...]
    quorum: int

    @classmethod
    def parse(cls, keys: Iterable[str], quorum: int | None) -> "Witnesses":
        """From verifier keys; all must have cosigned unless `quorum` says fewer. Raises note.Malformed."""
        verifiers = tuple(note.Verifier.parse_witness(key) for key in keys)
        if len({one.public for one in verifiers}) != len(verifiers):
            raise note.Malformed("a witness is named twice")
        needed = len(verifiers) if quorum is None else quorum
        if needed > len(verifiers):
            raise note.Malformed(f"the quorum is {needed}, there are {len(verifiers)} witnesses")
        return cls(verifiers, needed)


NO_WITNESSES = Witnesses((), 0)


class LogError(Exception):
    """The log is not as it must be. The text says what, and names the leaf and entry where there is one."""


class FollowedLog:
    """A log by its verifier key, and the last head seen of it in a file (None: no memory).

    A checkpoint needs cosignatures of `quorum` of the `witnesses`. `cache` is a folder for full bundles.
    """

    def __init__(
        self,
        fetch: Fetch,
        verifier: note.Verifier,
        state: Path | None,
        witnesses: Witnesses = NO_WITNESSES,
        cache: Path | None = None,
    ) -> None:
        self._fetch, self._verifier, self._state = fetch, verifier, state
        self._witnesses, self._cache = witnesses, cache

    def replay(self, step: Callable[[int, int], None] = lambda _done, _all: None) -> "Replayed":
        """Fetch, verify and replay the whole log, and remember its head; `step` hears of progress.

        Raises LogError.
        """
        checkpoint, cosigners = self._checkpoint()
        seen = self._seen()
        if seen and checkpoint.size < seen.size:
            raise LogError(f"the log was rolled back: {checkpoint.size} leaves, {seen.size} were seen")
        replayed = Replayed(checkpoint, cosigners)
        try:
            for leaf in self._leaves(checkpoint.size):
                replayed.feed(leaf)
                if replayed.frontier.size % TILE == 0:
                    step(replayed.frontier.size, checkpoint.size)
                if seen and replayed.frontier.size == seen.size and replayed.frontier.root() != seen.root:
                    raise LogError(
                        f"the log was forked: its first {seen.size} leaves are others than were seen"
                    )
        except Deviation as deviation:
            raise LogError(str(deviation)) from None
        if replayed.frontier.root() != checkpoint.root:
            raise LogError("the leaves do not lead to the checkpoint's root")
        self._keep_bundles()
        self._remember(checkpoint)
        return replayed

    def _checkpoint(self) -> tuple[note.Checkpoint, set[str]]:
        try:
            signed = self._fetch("/log/checkpoint")
            text, _ = note.read(signed, [self._verifier])
            checkpoint = note.Checkpoint.parse(text)
            found = note.cosigners(signed, self._witnesses.verifiers)
        except note.UnknownKey as fault:
            hint = "where the log's key was changed, get the new one from the operator by another way"
            raise LogError(f"the checkpoint is not the log's: {fault}; {hint}") from None
        except note.Malformed as fault:
            raise LogError(f"the checkpoint is not the log's: {fault}") from None
        if checkpoint.origin != self._verifier.name:
            raise LogError("the checkpoint is another log's")
        if len(found) < self._witnesses.quorum:
            raise LogError(f"{self._witnesses.quorum} witnesses must cosign the checkpoint, {len(found)} did")
        return checkpoint, found

    def _leaves(self, size: int) -> Iterator[bytes]:
        for index in range((size + TILE - 1) // TILE):
            width = min(TILE, size - index * TILE)
            try:
                leaves = merkle.unbundle(self._bundle(merkle.tile_path("entries", index, width), width))
            except ValueError as fault:
                raise LogError(f"bundle {index}: {fault}") from None
            if len(leaves) != width:
                raise LogError(f"bundle {index} has {len(leaves)} leaves, expected {width}")
            yield from leaves

    def _bundle(self, path: str, width: int) -> bytes:
        if self._cache is None or width < TILE:
            return self._fetch(f"/log/{path}")
        kept = self._cache / path
        if kept.is_file():
            return kept.read_bytes()
        body = self._fetch(f"/log/{path}")
        for folder in reversed(kept.relative_to(self._cache).parents):
            private_folder(self._cache / folder)
        unverified = kept.with_name(f"{kept.name}{_UNVERIFIED}")
        unverified.touch(PRIVATE)
        unverified.write_bytes(body)
        return body

    def _keep_bundles(self) -> None:
        """Only now that the root is the checkpoint's are the fetched bundles worth keeping."""
        for path in self._cache.rglob(f"*{_UNVERIFIED}") if self._cache else ():
            path.rename(path.with_name(path.name.removesuffix(_UNVERIFIED)))

    def _seen(self) -> note.Checkpoint | None:
        if self._state is None or not self._state.exists():
            return None
        try:
            found = json.loads(self._state.read_text())
            return note.Checkpoint(found["origin"], found["size"], base64.b64decode(found["root"]))
        except (ValueError, KeyError, TypeError):
            raise LogError("the remembered head cannot be read; delete it only if you know why") from None

    def _remember(self, checkpoint: note.Checkpoint) -> None:
        if self._state is None:
            return
        root = base64.b64encode(checkpoint.root).decode()
        body = json.dumps({"origin": checkpoint.origin, "size": checkpoint.size, "root": root})
        private_folder(self._state.parent)
        write_durably(self._state, body.encode())


class Replayed:
    """A replayed log: its checkpoint, who cosigned it, what replay found, and the root at any position."""

    def __init__(self, checkpoint: note.Checkpoint, witnesses: set[str]) -> None:
        self.checkpoint, self.witnesses = checkpoint, witnesses
        self.frontier, self.replay = Frontier(), Replay()
        self._hashes: list[bytes] = []

    def feed(self, leaf: bytes) -> None:
        """The next leaf. Raises Deviation."""
        hashed = merkle.leaf_hash(leaf)
        self._hashes.append(hashed)
        self.frontier = self.frontier.extend((hashed,))
        self.replay.feed(leaf)

    def root_at(self, size: int) -> bytes:
        """The root over the first `size` leaves."""
        return Frontier().extend(self._hashes[:size]).root()
