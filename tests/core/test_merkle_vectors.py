"""Published proofs verify, and none of the published ways of spoiling them does."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from app.core import merkle
from app.core.merkle import ProofError

FOUND = json.loads((Path(__file__).parent.parent / "data" / "merkle_vectors.json").read_text())


def raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def proofs(one: dict[str, Any]) -> list[bytes]:
    return [raw(node) for node in one["proof"]]


def flip(data: bytes) -> bytes:
    return bytes([data[0], data[1] ^ 16]) + data[2:]


@pytest.mark.parametrize("one", FOUND["consistency"], ids=lambda one: f"{one['size1']}-{one['size2']}")
def test_consistency(one: dict[str, Any]) -> None:
    old, new, first, second = one["size1"], one["size2"], raw(one["root1"]), raw(one["root2"])
    proof = proofs(one)
    merkle.verify_consistency(old, first, new, second, proof)
    spoiled = [
        (old - 1, first, new, second, proof),
        (old + 1, first, new, second, proof),
        (old ^ 2, first, new, second, proof),
        (old, first, new * 2, second, proof),
        (old, first, new // 2, second, proof),
        (old, flip(first), new, second, proof),
        (old, first, new, flip(second), proof),
        (old, first, new, second, [*proof, b""]),
        (old, first, new, second, [*proof, first]),
        (old, first, new, second, [*proof, second]),
        (old, first, new, second, [first, *proof]),
        (old, first, new, second, [second, *proof]),
    ]
    if proof:
        spoiled += [
            (old, first, new, second, []),
            (old, first, new, second, proof[:-1]),
            (old, second, new, first, proof),
            (old, first, new, second, [proof[0], *proof]),
            *(
                (old, first, new, second, [*proof[:n], flip(proof[n]), *proof[n + 1 :]])
                for n in range(len(proof))
            ),
        ]
    for case in spoiled:
        with pytest.raises(ProofError):
            merkle.verify_consistency(*case)


@pytest.mark.parametrize("one", FOUND["inclusion"], ids=lambda one: f"{one['leafIdx']}-{one['treeSize']}")
def test_inclusion(one: dict[str, Any]) -> None:
    index, size, root, leaf = one["leafIdx"], one["treeSize"], raw(one["root"]), raw(one["leafHash"])
    proof = proofs(one)
    merkle.verify_inclusion(leaf, index, size, proof, root)
    spoiled = [
        (leaf, index - 1, size, proof, root),
        (leaf, index + 1, size, proof, root),
        (leaf, index ^ 2, size, proof, root),
        (leaf, index, size * 2, proof, root),
        (leaf, index, size // 2, proof, root),
        (flip(leaf), index, size, proof, root),
        (leaf, index, size, proof, flip(root)),
        (leaf, index, size, [], root),
        (leaf, index, size, proof[:-1], root),
        (leaf, index, size, [*proof, root], root),
        (leaf, index, size, [root, *proof], root),
        *(
            (leaf, index, size, [*proof[:n], flip(proof[n]), *proof[n + 1 :]], root)
            for n in range(len(proof))
        ),
    ]
    for case in spoiled:
        with pytest.raises(ProofError):
            merkle.verify_inclusion(*case)
