"""The frontier against RFC 6962's definition, written out plainly, and a published tree."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.merkle import EMPTY_ROOT, Frontier, leaf_hash

# The eight leaves and the roots of each prefix, as in the reference tests of RFC 6962's
# implementations (google/certificate-transparency, transparency-dev/merkle).
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOT_OF_8 = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def plain_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + plain_root(leaves[:split]) + plain_root(leaves[split:])).digest()


def test_published_root() -> None:
    hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
    assert Frontier().extend(hashes).root().hex() == ROOT_OF_8


@given(st.lists(st.binary(max_size=4), max_size=70), st.integers(0, 70))
def test_root_is_the_plain_definition(leaves: list[bytes], cut: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in leaves]
    first = Frontier().extend(hashes[:cut])
    stored = Frontier.from_bytes(first.size, first.to_bytes())
    assert stored.extend(hashes[cut:]).root() == plain_root(leaves)


def test_empty_tree_and_damaged_frontier() -> None:
    assert Frontier().root() == EMPTY_ROOT
    for size, data in [(1, b""), (-1, b""), (3, b"x" * 32), (0, b"x")]:
        with pytest.raises(ValueError, match="frontier"):
            Frontier.from_bytes(size, data)
