"""Hashes from tiles, and whether tiles that somebody else keeps are those of a checkpoint.

Sources: C2SP tlog-tiles; RFC 6962.
"""

from collections.abc import Callable, Mapping

from app.core import merkle
from app.core.merkle import TILE, ProofError

Place = tuple[int, int]
"""(level, index) of a tile."""
ReadTile = Callable[[int, int], list[bytes]]
"""(level, index) -> the hashes of the widest tile there that is trusted already."""


def verify(new: Mapping[Place, list[bytes]], size: int, root: bytes, trusted: ReadTile) -> None:
    """Check every new tile: it leads to the root by those above it. Raises ProofError, and as `trusted` does.

    `new` are all tiles that growing to `size` fills or changes (core/merkle), each in its full width.
    """

    def hashes(level: int, index: int) -> list[bytes]:
        return new[level, index] if (level, index) in new else trusted(level, index)

    if merkle.tree_root(size, lambda level, index: node(level, index, hashes)) != root:
        raise ProofError("the tiles do not lead to the checkpoint's root")
    for (level, index), found in new.items():
        if len(found) == TILE and fold(found) != _above(hashes, level, index):
            raise ProofError(f"tile {level}/{index} is not the one that the checkpoint's root covers")


def node(level: int, index: int, read: ReadTile) -> bytes:
    """The hash of a complete subtree. Raises ProofError for a tile that is too short, and as `read` does."""
    tile_level, inside = divmod(level, 8)
    first = index << inside
    at = first % TILE
    return fold(read(tile_level, first // TILE)[at : at + (1 << inside)])


def fold(hashes: list[bytes]) -> bytes:
    """The root over a power of two of hashes. Raises ProofError for none."""
    while len(hashes) > 1:
        hashes = [merkle.node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes) - 1, 2)]
    if not hashes:
        raise ProofError("a tile is too short")
    return hashes[0]


def _above(hashes: ReadTile, level: int, index: int) -> bytes | None:
    above = hashes(level + 1, index // TILE)
    return above[index % TILE] if index % TILE < len(above) else None
