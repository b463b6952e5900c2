"""The public log on disk: tiles, entry bundles and the signed checkpoint.

Order of writing: bundles and tiles, then the high-water mark, then the checkpoint, which never goes back. A
tile is written once and never changes; a partial one never takes a full one's path, and goes once that is
public. After a crash everything is repeated with the same bytes. Sources: C2SP tlog-tiles, tlog-checkpoint.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from sqlmodel import Session

from app.core import merkle, note, tiles
from app.core.merkle import TILE
from app.log import mark, service
from app.log.keys import LogKeys
from app.log.witnesses import Forked, Witnesses
from app.platform import tile_files
from app.platform.files import Taken, locked, replace_older, write_once
from app.platform.keyring import Keyring
from app.platform.pointers import CHECKPOINT, is_newer
from app.platform.settings import Settings

RENEW, ASK_AGAIN = timedelta(minutes=50), timedelta(seconds=15)


class PublicLog:
    """Writes under `folder`; `mark` lies outside the database and its backups."""

    def __init__(
        self,
        folder: Path,
        mark: Path,
        keys: LogKeys,
        witnesses: Witnesses,
        on_gone: Callable[[], object] = lambda: None,
    ) -> None:
        self.folder, self._mark, self._keys, self._witnesses = folder, mark, keys, witnesses
        self._on_gone = on_gone
        self._is_checked = False
        self._asked_at: datetime | None = None
        self._witnessed = 0

    @property
    def verifier(self) -> note.Verifier:
        """The key that a reader of the log is given."""
        return self._keys.verifiers[0]

    @property
    def verifiers(self) -> list[note.Verifier]:
        """That key, and every other one that signs or ever signed."""
        return self._keys.verifiers

    def checkpoint(self) -> note.Checkpoint | None:
        """The published head, None before the first. Raises note.Malformed when it is not ours."""
        try:
            signed = (self.folder / "checkpoint").read_bytes()
        except FileNotFoundError:
            return None
        return self._keys.read(signed)

    def witnessed_size(self) -> int:
        """Leaves under the newest checkpoint that the quorum of witnesses cosigned."""
        published = self.checkpoint()
        if published and self._cosignatures() >= self._witnesses.quorum:
            self._witnessed = max(self._witnessed, published.size)
        return self._witnessed

    def publish(
        self, session: Session, now: datetime, claim: Callable[[service.Head], object] = lambda _head: None
    ) -> bool:
        """Bring the files up to the database's head. True when the checkpoint moved. Raises Forked.

        `claim` is asked whether this head may be signed, and raises what it will.
        """
        head = service.head(session)
        if not self._is_checked:
            self._refuse_behind_witnesses(head)
        published = self.checkpoint()
        old = published.size if published else 0
        marked = mark.read(self._mark)
        is_new = published is None or (published.size, published.root) != (head.size, head.root)
        if marked and not (self._is_checked and marked == head):
            self._refuse_fork(session, head, marked)
        self._is_checked = True
        if published and not is_new:
            self._ask_again(published, marked, now)
            return False
        if old > head.size:
            raise Forked(f"the checkpoint has {old} leaves, the database {head.size}")
        claim(head)
        self._write_tiles(session, old, head.size)
        if merkle.tree_root(head.size, self.nodes()) != head.root:
            raise Forked("the tiles on disk do not lead to the database's root")
        self._move_mark(marked, head)
        self._sign(note.Checkpoint(self._keys.origin, head.size, head.root), now)
        if tile_files.forget_partial(self.folder, old, head.size):
            self._on_gone()
        return True

    def _sign(self, checkpoint: note.Checkpoint, now: datetime) -> None:
        signed = self._keys.sign(checkpoint)
        lines = self._witnesses.cosign(checkpoint, signed, self._prove, now)
        self._asked_at = now
        body = signed + "".join(lines).encode()
        replace_older(self.folder / "checkpoint", body, lambda found: is_newer(CHECKPOINT, found, body))

    def _ask_again(self, published: note.Checkpoint, marked: service.Head | None, now: datetime) -> None:
        """Cosignatures that are missing are asked for again soon, all of them once an hour.

        A key that signs from now on signs at once.
        """
        is_whole = self._cosignatures() >= len(self._witnesses.verifiers)
        is_signed = self._keys.all_signed((self.folder / "checkpoint").read_bytes())
        if (
            not is_signed
            or self._asked_at is None
            or now - self._asked_at >= (RENEW if is_whole else ASK_AGAIN)
        ):
            self._move_mark(marked, service.Head(published.size, published.root))
            self._sign(published, now)

    def _cosignatures(self) -> int:
        signed = (self.folder / "checkpoint").read_bytes()
        return len(note.cosigners(signed, self._witnesses.verifiers))

    def _prove(self, old: int, new: int) -> list[bytes]:
        return merkle.consistency_proof(old, new, self.nodes())

    def _refuse_behind_witnesses(self, head: service.Head) -> None:
        empty = self._keys.sign(note.Checkpoint(self._keys.origin, 0, merkle.EMPTY_ROOT))
        seen = self._witnesses.largest_seen(empty)
        if seen > head.size:
            raise Forked(
                f"a witness has seen {seen} leaves, the database has {head.size}: a restored backup?"
            )

    def nodes(self) -> merkle.ReadNode:
        """Reads hashes of complete subtrees, each tile once. Raises OSError; ProofError for a short one."""
        read = cache(self._tile)
        return lambda level, index: tiles.node(level, index, read)

    def _tile(self, level: int, index: int) -> list[bytes]:
        return tile_files.widest(self.folder, level, index)

    def _write_tiles(self, session: Session, old: int, new: int) -> None:
        for level, index, width in merkle.tiles_between(old, new):
            start, end = index * TILE, index * TILE + width
            leaves = [] if level else service.leaves(session, start, end)
            if level:
                hashes = [tiles.fold(self._tile(level - 1, child)) for child in range(start, end)]
            else:
                hashes = [merkle.leaf_hash(body) for body in leaves]
            data = b"".join(hashes)
            self._refuse_other_prefix(level, index, (old >> (8 * level)) - index * TILE, data)
            if not level:
                self._write(merkle.tile_path("entries", index, width), merkle.bundle(leaves))
            self._write(merkle.tile_path(level, index, width), data)

    def _refuse_other_prefix(self, level: int, index: int, old_width: int, data: bytes) -> None:
        """What a partial tile said stays said: with this, the new root extends the old one."""
        if 0 < old_width < TILE:
            partial = tile_files.read(self.folder, merkle.tile_path(level, index, old_width))
            if not data.startswith(partial):
                raise Forked(f"tile {level}/{index} was published with other hashes")

    def _write(self, path: str, data: bytes) -> None:
        """Raises Forked rather than give a written tile other bytes."""
        try:
            write_once(self.folder / path, data)
        except Taken:
            raise Forked(f"{path} was published with other bytes") from None

    def _refuse_fork(self, session: Session, head: service.Head, marked: service.Head) -> None:
        """The first time from the database's leaves; later the tiles, which never change, are enough."""
        if marked.size > head.size:
            raise Forked(
                f"{marked.size} leaves were signed, the database has {head.size}: a restored backup?"
            )
        if self._is_checked and (self.folder / "checkpoint").exists():
            root = merkle.tree_root(marked.size, self.nodes())
        else:
            root = service.root_at(session, marked.size)
        if root != marked.root:
            raise Forked(f"the database's first {marked.size} leaves are not those that were signed")

    def _move_mark(self, expected: service.Head | None, head: service.Head) -> None:
        """Compare and swap: of two processes that sign, the later one finds the mark moved. Raises Forked."""
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._mark.parent):
            if mark.read(self._mark) != expected:
                raise Forked("another process signs this log; only one may")
            mark.write(self._mark, head)


def public_log(
    settings: Settings, keyring: Keyring, on_gone: Callable[[], object] = lambda: None
) -> PublicLog:
    """The installation's log. `on_gone` is told when files went."""
    witnesses = Witnesses(settings.witnesses_configured, settings.witness_quorum)
    return PublicLog(settings.log, settings.mark, LogKeys.of(settings, keyring), witnesses, on_gone)
