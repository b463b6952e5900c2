"""Following the public log: what was seen once can never be taken back unseen.

`folder/head.json` keeps the newest head that verified; leaves are fetched anew and replayed. Sources: C2SP
tlog-tiles, tlog-checkpoint; design section 3.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from app.core import merkle, note
from app.core.merkle import TILE, Frontier
from app.core.replay import Deviation, Replay

Fetch = Callable[[str], bytes]
"""Gets the bytes at a path of the service, `/log/checkpoint` for instance. Raises LogError."""


class LogError(Exception):
    """The log is not as it must be. The text says what, and names the leaf and entry where there is one."""


class FollowedLog:
    """A log by its verifier key, and the last head seen of it in a file (None: no memory)."""

    def __init__(self, fetch: Fetch, verifier: note.Verifier, state: Path | None) -> None:
        self._fetch, self._verifier, self._state = fetch, verifier, state

    def replay(self) -> "Replayed":
        """Fetch, verify and replay the whole log, and remember its head. Raises LogError."""
        checkpoint = self._checkpoint()
        seen = self._seen()
        if seen and checkpoint.size < seen.size:
            raise LogError(f"the log was rolled back: {checkpoint.size} leaves, {seen.size} were seen")
        replayed = Replayed(checkpoint)
        try:
            for leaf in self._leaves(checkpoint.size):
                replayed.feed(leaf)
                if seen and replayed.frontier.size == seen.size and replayed.frontier.root() != seen.root:
                    raise LogError(
                        f"the log was forked: its first {seen.size} leaves are others than were seen"
                    )
        except Deviation as deviation:
            raise LogError(str(deviation)) from None
        if replayed.frontier.root() != checkpoint.root:
            raise LogError("the leaves do not lead to the checkpoint's root")
        self._remember(checkpoint)
        return replayed

    def _checkpoint(self) -> note.Checkpoint:
        try:
            text, _ = note.read(self._fetch("/log/checkpoint"), [self._verifier])
            checkpoint = note.Checkpoint.parse(text)
        except note.Malformed as fault:
            raise LogError(f"the checkpoint is not the log's: {fault}") from None
        if checkpoint.origin != self._verifier.name:
            raise LogError("the checkpoint is another log's")
        return checkpoint

    def _leaves(self, size: int) -> Iterator[bytes]:
        for index in range((size + TILE - 1) // TILE):
            width = min(TILE, size - index * TILE)
            try:
                leaves = merkle.unbundle(self._fetch(f"/log/{merkle.tile_path('entries', index, width)}"))
            except ValueError as fault:
                raise LogError(f"bundle {index}: {fault}") from None
            if len(leaves) != width:
                raise LogError(f"bundle {index} has {len(leaves)} leaves, expected {width}")
            yield from leaves

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
        self._state.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._state.with_name(f".{self._state.name}")
        with temporary.open("w") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self._state)


class Replayed:
    """A replayed log: its checkpoint, what replay found, and the root at any position asked for before."""

    def __init__(self, checkpoint: note.Checkpoint) -> None:
        self.checkpoint, self.frontier, self.replay = checkpoint, Frontier(), Replay()
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
