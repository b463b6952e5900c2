"""The log's Merkle tree, as far as its head: RFC 6962 section 2.1 hashing and an append-only frontier."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()
_WIDTH = 32


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
