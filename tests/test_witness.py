"""The witness as any log meets it: each answer of C2SP tlog-witness, and what it must never sign."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import merkle, note, witness
from app.core.merkle import Frontier
from app.core.note import Checkpoint, Signer
from tests.programs import witness as programs

ORIGIN = "log.example/test"
LOG = Signer.generate(ORIGIN, note.ED25519)
LEAVES = [merkle.leaf_hash(str(number).encode()) for number in range(400)]
OTHERS = [merkle.leaf_hash(b"other") for _ in range(400)]


def read(leaves: list[bytes]) -> merkle.ReadNode:
    return lambda level, index: Frontier().extend(leaves[index << level : (index + 1) << level]).root()


def checkpoint(size: int, leaves: list[bytes] = LEAVES, signer: Signer = LOG) -> bytes:
    root = Frontier().extend(leaves[:size]).root()
    return note.sign(Checkpoint(signer.name, size, root).text(), signer)


def proof(old: int, new: int, leaves: list[bytes] = LEAVES) -> list[bytes]:
    return merkle.consistency_proof(old, new, read(leaves)) if 0 < old < new else []


def body(old: int, new: int, leaves: list[bytes] = LEAVES) -> bytes:
    return witness.request(old, proof(old, new, leaves), checkpoint(new, leaves))


@pytest.fixture
def up(tmp_path: Path) -> Iterator[tuple[str, Signer]]:
    with programs.witness(tmp_path / "witness.db", LOG.verifier) as found:
        yield found


def test_it_cosigns_what_extends_what_it_saw(up: tuple[str, Signer]) -> None:
    address, signer = up
    for old, new in ((0, 0), (0, 1), (1, 7), (7, 7), (7, 256), (256, 399)):
        answer = programs.add(address, body(old, new))
        assert answer.status_code == 200, answer.text
        whole = checkpoint(new) + answer.content
        assert note.cosigners(whole, [signer.verifier]) == {"witness.example"}
        _, [signature] = note.read(whole, [signer.verifier])
        assert signature.moment


def test_any_other_old_size_is_answered_with_the_one_it_saw(up: tuple[str, Signer]) -> None:
    address, _ = up
    programs.add(address, body(0, 100))
    for old, new in ((0, 100), (50, 200), (101, 200), (0, 50)):
        answer = programs.add(address, body(old, new))
        assert (answer.status_code, answer.text) == (409, "100\n")
        assert answer.headers["content-type"].startswith("text/x.tlog.size")


def test_a_fork_is_never_signed(up: tuple[str, Signer]) -> None:
    address, _ = up
    programs.add(address, body(0, 100))
    assert programs.add(address, body(100, 200, OTHERS)).status_code == 422
    assert programs.add(address, body(100, 100, OTHERS)).status_code == 409
    wrong = witness.request(100, proof(99, 200), checkpoint(200))
    assert programs.add(address, wrong).status_code == 422
    assert programs.add(address, witness.request(100, [], checkpoint(200))).status_code == 422
    assert programs.add(address, witness.request(100, proof(99, 200), checkpoint(100))).status_code == 422
    assert programs.add(address, body(100, 200)).status_code == 200


def test_a_rolled_back_log_is_never_signed(up: tuple[str, Signer]) -> None:
    address, _ = up
    programs.add(address, body(0, 100))
    assert programs.add(address, witness.request(100, [], checkpoint(50))).status_code == 400
    assert programs.add(address, body(50, 50)).status_code == 409


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 400),
        (b"old 0\n\n", 404),
        (b"old x\n\n" + checkpoint(1), 400),
        (b"old 01\n\n" + checkpoint(1), 400),
        (b"new 0\n\n" + checkpoint(1), 400),
        (b"old 0\nAAAA\n\n" + checkpoint(1), 400),
        (b"old 0\n!\n\n" + checkpoint(1), 400),
        (b"old 0\n" + b"A" * 43 + b"=\n\n" + checkpoint(1), 422),
        (b"old 0\n\n\xff", 400),
        (b"old 0\n\n" + checkpoint(1, signer=Signer.generate("other.example/log", note.ED25519)), 404),
        (b"old 0\n\n" + checkpoint(1, signer=Signer.generate(ORIGIN, note.ED25519)), 403),
        (b"old 0\n\n" + note.sign(f"{ORIGIN}\n".encode(), LOG), 400),
        (b"x" * 100_000, 413),
    ],
)
def test_what_is_no_request(up: tuple[str, Signer], sent: bytes, status: int) -> None:
    assert programs.add(up[0], sent).status_code == status


def test_it_remembers_across_restarts(tmp_path: Path) -> None:
    with programs.witness(tmp_path / "w.db", LOG.verifier) as (address, _):
        programs.add(address, body(0, 100))
    with programs.witness(tmp_path / "w.db", LOG.verifier) as (address, _):
        assert programs.add(address, body(0, 120)).text == "100\n"
        assert programs.add(address, body(100, 120)).status_code == 200


def test_two_heads_at_once_get_one_signature(up: tuple[str, Signer]) -> None:
    """Racing requests from the same size: whichever tree wins, the other is refused."""
    address, signer = up
    programs.add(address, body(0, 10))
    mixed = LEAVES[:10] + OTHERS[10:]
    signed: list[bytes] = []

    def ask(leaves: list[bytes], new: int) -> None:
        answer = programs.add(address, body(10, new, leaves))
        if answer.status_code == 200:
            signed.append(checkpoint(new, leaves) + answer.content)

    sizes = random.sample(range(11, 200), 6)
    racers = [threading.Thread(target=ask, args=(tree, size)) for size in sizes for tree in (LEAVES, mixed)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(signed) == 1
    assert note.cosigners(signed[0], [signer.verifier])
