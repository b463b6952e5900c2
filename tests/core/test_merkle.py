"""Heads and proofs against RFC 6962's definition, written out plainly, and a published tree."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofError,
    ReadNode,
    bundle,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tile_path,
    tiles_between,
    tree_root,
    unbundle,
    verify_consistency,
    verify_inclusion,
)

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


def reader(hashes: list[bytes]) -> ReadNode:
    def read(level: int, index: int) -> bytes:
        start, end = index << level, (index + 1) << level
        assert end <= len(hashes)
        return Frontier().extend(hashes[start:end]).root()

    return read


def equal_leaves(level: int, _index: int) -> bytes:
    """Complete subtrees of a tree whose leaves are all the same: trees of any size without storing them."""
    node = leaf_hash(b"same")
    for _ in range(level):
        node = node_hash(node, node)
    return node


def plain_path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*plain_path(index, leaves[:split]), plain_root(leaves[split:])]
    return [*plain_path(index - split, leaves[split:]), plain_root(leaves[:split])]


def plain_consistency(old: int, leaves: list[bytes], is_whole: bool = True) -> list[bytes]:
    if old == len(leaves):
        return [] if is_whole else [plain_root(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= split:
        return [*plain_consistency(old, leaves[:split], is_whole), plain_root(leaves[split:])]
    return [*plain_consistency(old - split, leaves[split:], False), plain_root(leaves[:split])]


LEAVES_OF_70 = [bytes([number]) for number in range(70)]
HASHES_OF_70 = [leaf_hash(leaf) for leaf in LEAVES_OF_70]


@given(st.integers(1, 70), st.data())
def test_proofs_are_the_plain_definition_and_verify(size: int, data: st.DataObject) -> None:
    leaves, hashes = LEAVES_OF_70[:size], HASHES_OF_70[:size]
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root, old_root = plain_root(leaves), plain_root(leaves[:old])
    assert tree_root(size, reader(hashes)) == root
    path = inclusion_proof(index, size, reader(hashes))
    assert path == plain_path(index, leaves)
    verify_inclusion(hashes[index], index, size, path, root)
    proof = consistency_proof(old, size, reader(hashes))
    assert proof == plain_consistency(old, leaves)
    verify_consistency(old, old_root, size, root, proof)


@given(st.integers(1, 40), st.data())
def test_no_other_proof_verifies(size: int, data: st.DataObject) -> None:
    hashes = HASHES_OF_70[:size]
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root, old_root = tree_root(size, reader(hashes)), tree_root(old, reader(hashes))
    path = inclusion_proof(index, size, reader(hashes))
    wrong = [(leaf_hash(b"x"), index, size, path, root), (hashes[index], index, size, [*path, root], root)]
    wrong += [(hashes[index], index, size, path, b"x" * 32), (hashes[index], size, size, path, root)]
    if path:
        wrong.append((hashes[index], index, size, path[:-1], root))
        wrong.append((hashes[index], index ^ 1, size, path, root))
        flipped = bytes([path[0][0] ^ 1]) + path[0][1:]
        wrong.append((hashes[index], index, size, [flipped, *path[1:]], root))
    for case in wrong:
        with pytest.raises(ProofError):
            verify_inclusion(*case)
    proof = consistency_proof(old, size, reader(hashes))
    bad = [(old, old_root, size, root, [*proof, root]), (old, b"x" * 32, size, root, proof)]
    bad += [
        (old, old_root, size, b"x" * 32, proof),
        (size + 1, old_root, size, root, proof),
        (0, old_root, size, root, []),
    ]
    if proof:
        bad.append((old, old_root, size, root, proof[:-1]))
        bad.append((old, old_root, size, root, [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]]))
    for other in bad:
        with pytest.raises(ProofError):
            verify_consistency(*other)


@given(st.integers(1, 2**40), st.data())
def test_sizes_past_two_to_the_32(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = tree_root(size, equal_leaves)
    verify_inclusion(leaf_hash(b"same"), index, size, inclusion_proof(index, size, equal_leaves), root)
    proof = consistency_proof(old, size, equal_leaves)
    verify_consistency(old, tree_root(old, equal_leaves), size, root, proof)


def test_size_zero() -> None:
    assert tree_root(0, equal_leaves) == EMPTY_ROOT
    with pytest.raises(ValueError, match="tree"):
        inclusion_proof(0, 0, equal_leaves)
    with pytest.raises(ValueError, match="sizes"):
        consistency_proof(0, 3, equal_leaves)


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (1, 5, 112, "tile/1/005.p/112"),
        ("entries", 1000, 1, "tile/entries/x001/000.p/1"),
    ],
)
def test_tile_paths(level: int | str, index: int, width: int, path: str) -> None:
    assert tile_path(level, index, width) == path


@given(st.lists(st.integers(0, 200_000), min_size=2, max_size=4).map(sorted))
def test_growing_in_steps_writes_every_hash(sizes: list[int]) -> None:
    written: dict[tuple[int, int], int] = {}
    for old, new in pairwise([0, *sizes]):
        for level, index, width in tiles_between(old, new):
            assert width >= written.get((level, index), 0)
            written[level, index] = width
    size, level = sizes[-1], 0
    while size >> (8 * level):
        assert sum(width for (at, _), width in written.items() if at == level) == size >> (8 * level)
        level += 1


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_round_trip(entries: list[bytes]) -> None:
    assert unbundle(bundle(entries)) == entries
    if any(entries):
        with pytest.raises(ValueError, match="cut short"):
            unbundle(bundle(entries)[:-1] if entries[-1] else bundle([*entries, b"xx"])[:-1])


def test_an_entry_too_long_for_a_bundle() -> None:
    with pytest.raises(ValueError, match="65,535"):
        bundle([b"x" * 65536])
