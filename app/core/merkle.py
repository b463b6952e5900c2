"""The log's Merkle tree: hashing, heads, proofs and their verification, and tiles of height 8.

Sources: RFC 6962 section 2.1 (hashing, audit paths, consistency proofs), RFC 9162 sections 2.1.3 and 2.1.4
(verification), C2SP tlog-tiles (tiles and entry bundles). Sizes are plain integers, without limit.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()
TILE = 256
"""Hashes in a full tile, and entries in a full bundle."""
_WIDTH = 32

ReadNode = Callable[[int, int], bytes]
"""(level, index) -> hash of the complete subtree of 2**level leaves that starts at leaf index * 2**level."""


class ProofError(ValueError):
    """A proof does not prove what it should. The text says which check failed."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Frontier:
    """The complete subtrees that make up a tree of `size` leaves, largest first: all that appending needs."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def extend(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """The frontier after these leaves were appended, in order."""
        size, stack = self.size, list(self.hashes)
        for current in leaf_hashes:
            node, carry = current, size
            while carry & 1:
                node = node_hash(stack.pop(), node)
                carry >>= 1
            stack.append(node)
            size += 1
        return Frontier(size, tuple(stack))

    def root(self) -> bytes:
        """The RFC 6962 root."""
        if not self.hashes:
            return EMPTY_ROOT
        *rest, root = self.hashes
        for left in reversed(rest):
            root = node_hash(left, root)
        return root

    def to_bytes(self) -> bytes:
        """The hashes, concatenated."""
        return b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """Read `to_bytes` back. Raises ValueError when the length does not fit the size."""
        if size < 0 or len(data) != _WIDTH * size.bit_count():
            raise ValueError("the frontier does not fit the size")
        return cls(size, tuple(data[at : at + _WIDTH] for at in range(0, len(data), _WIDTH)))


def _ranges(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees (level, index) that cover leaves start..end, in order, largest possible."""
    while start < end:
        level = (start & -start).bit_length() - 1 if start else (end - start).bit_length() - 1
        while start + (1 << level) > end:
            level -= 1
        yield level, start >> level
        start += 1 << level


def _subtree(start: int, end: int, read: ReadNode) -> bytes:
    """The root over leaves start..end, where start is a multiple of the split before it."""
    *rest, root = [read(level, index) for level, index in _ranges(start, end)]
    for left in reversed(rest):
        root = node_hash(left, root)
    return root


def tree_root(size: int, read: ReadNode) -> bytes:
    """The root of the first `size` leaves."""
    return _subtree(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: ReadNode) -> list[bytes]:
    """RFC 6962 section 2.1.1: the audit path of a leaf, from the leaf upwards. Raises ValueError."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        if index < split:
            path.append(_subtree(split, end, read))
            end = split
        else:
            path.append(_subtree(start, split, read))
            start = split
    return path[::-1]


def consistency_proof(old: int, new: int, read: ReadNode) -> list[bytes]:
    """RFC 6962 section 2.1.2: that the tree of `new` leaves begins with that of `old`. Raises ValueError.

    Size 0 has no proof here: every tree extends the empty one.
    """
    if not 0 < old <= new:
        raise ValueError("sizes must be 0 < old <= new")
    path: list[bytes] = []
    start, end, is_whole = 0, new, True
    while old < end:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        if old <= split:
            path.append(_subtree(split, end, read))
            end = split
        else:
            path.append(_subtree(start, split, read))
            start, is_whole = split, False
    if not is_whole:
        path.append(_subtree(start, end, read))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2, on a leaf hash. Raises ProofError."""
    if not 0 <= index < size:
        raise ProofError("the leaf is not in the tree")
    node, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if node & 1 or node == last:
            current = node_hash(sibling, current)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        node, last = node >> 1, last >> 1
    if last or current != root:
        raise ProofError("the proof does not lead to the root")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> None:
    """RFC 9162 section 2.1.4.2. Raises ProofError, also for size 0, which proves nothing."""
    if not 0 < old <= new:
        raise ProofError("sizes must be 0 < old <= new")
    if old == new:
        if proof or old_root != new_root:
            raise ProofError("equal sizes need equal roots and no proof")
        return
    steps = proof if old & (old - 1) else [old_root, *proof]
    if not steps:
        raise ProofError("the proof is too short")
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if node & 1 or node == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, step)
        node, last = node >> 1, last >> 1
    if last or before != old_root or after != new_root:
        raise ProofError("the proof does not lead to both roots")


def tile_path(level: int | str, index: int, width: int = TILE) -> str:
    """The path of a tile, or with level `entries` of a bundle, e.g. `tile/0/x001/067.p/5`."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    partial = "" if width == TILE else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups[::-1])}{partial}"


def tiles_between(old: int, new: int) -> Iterator[tuple[int, int, int]]:
    """(level, index, width) of every tile that growing from `old` to `new` leaves fills or changes."""
    level = 0
    while new >> (8 * level):
        before, after = old >> (8 * level), new >> (8 * level)
        if after > before:
            for index in range(before // TILE, (after - 1) // TILE + 1):
                yield level, index, min(TILE, after - index * TILE)
        level += 1


def bundle(entries: Iterable[bytes]) -> bytes:
    """An entry bundle: each entry after its length, two bytes big-endian. Raises ValueError."""
    parts = []
    for entry in entries:
        if len(entry) > 0xFFFF:
            raise ValueError("an entry is longer than 65,535 bytes")
        parts.append(len(entry).to_bytes(2, "big") + entry)
    return b"".join(parts)


def unbundle(data: bytes) -> list[bytes]:
    """The entries of a bundle. Raises ValueError when it is cut short."""
    entries, at, whole = [], 0, len(data)
    while at < whole:
        if at + 2 > whole:
            raise ValueError("the entry bundle is cut short")
        start = at + 2
        at = start + (data[at] << 8 | data[at + 1])
        if at > whole:
            raise ValueError("the entry bundle is cut short")
        entries.append(data[start:at])
    return entries
