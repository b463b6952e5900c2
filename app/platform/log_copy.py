"""The public log's files brought from the object store, checked against a checkpoint before they stay."""

from pathlib import Path

import obstore
from obstore.store import ObjectStore

from app.core import merkle, note, tiles
from app.core.merkle import TILE, ProofError
from app.core.tiles import Place
from app.platform import tile_files
from app.platform.files import write_once
from app.platform.pointers import Differs

_HASH = 32
_LARGEST_BUNDLE = TILE * (2 + 0xFFFF)


class LogCopy:
    """Of the folder `log` under `home`."""

    def __init__(self, store: ObjectStore, home: Path) -> None:
        self._store, self._folder = store, home / "log"

    def bring(self, old: int, checkpoint: note.Checkpoint) -> None:
        """What the log grew by since `old` leaves. Raises Differs, obstore's BaseError, OSError."""
        places = list(merkle.tiles_between(old, checkpoint.size))
        found: dict[Place, list[bytes]] = {}
        for level, index, width in places:
            data = self._get(merkle.tile_path(level, index, width), width * _HASH)
            found[level, index] = [data[at : at + _HASH] for at in range(0, len(data), _HASH)]
            if len(data) != width * _HASH:
                raise Differs(f"tile {level}/{index} has another length")
        try:
            tiles.verify(found, checkpoint.size, checkpoint.root, self._here)
        except ProofError as wrong:
            raise Differs(str(wrong)) from None
        for level, index, width in places:
            if level == 0:
                self._bring_bundle(index, width, found[level, index])
            write_once(self._folder / merkle.tile_path(level, index, width), b"".join(found[level, index]))

    def _bring_bundle(self, index: int, width: int, hashes: list[bytes]) -> None:
        path = merkle.tile_path("entries", index, width)
        data = self._get(path, _LARGEST_BUNDLE)
        try:
            leaves = merkle.unbundle(data)
        except ValueError as wrong:
            raise Differs(str(wrong)) from None
        if [merkle.leaf_hash(leaf) for leaf in leaves] != hashes:
            raise Differs(f"bundle {index} has other leaves than its tile")
        write_once(self._folder / path, data)

    def _get(self, path: str, most: int) -> bytes:
        got = obstore.get(self._store, f"log/{path}")
        if got.meta["size"] > most:
            raise Differs(f"{path} is too large")
        return bytes(got.bytes())

    def _here(self, level: int, index: int) -> list[bytes]:
        return tile_files.widest(self._folder, level, index)
