"""Signed notes against a published example, and every malformed one refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.note import COSIGNATURE, ED25519, Checkpoint, Malformed, Signer, Verifier, read, sign

# The example of Go's golang.org/x/mod/sumdb/note documentation.
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
LINE = (
    "\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
LOG = Signer("log.example", ED25519, bytes(32))
WITNESS = Signer("witness.example", COSIGNATURE, bytes(range(32)))


def test_published_example() -> None:
    text, signatures = read((TEXT + "\n" + LINE).encode(), [Verifier.parse(KEY)])
    assert text.decode() == TEXT
    assert [one.name for one in signatures] == ["PeterNeumann"]
    assert str(Verifier.parse(KEY)) == KEY


@pytest.mark.parametrize(
    "note",
    [
        TEXT + LINE,
        TEXT + "\n",
        TEXT + "\n" + LINE[:-1],
        TEXT[:-1] + "\n" + LINE,
        TEXT.replace("think", "thunk") + "\n" + LINE,
        TEXT.replace("think", "th\x01nk") + "\n" + LINE,
        TEXT + "\n" + LINE.replace("x08go", "x08gO"),
        TEXT + "\n" + LINE.replace("BwJnAM=", "BwJnAA="),
        TEXT + "\n" + LINE.replace("\u2014", "-"),
        TEXT + "\n" + LINE.replace(" x08", "  x08"),
        TEXT + "\n" + LINE.replace("x08", "!08"),
        TEXT + "\n\u2014 PeterNeumann x08g\n",
        TEXT + "\n" + LINE * 101,
        "",
    ],
)
def test_malformed_or_forged_notes_are_refused(note: str) -> None:
    with pytest.raises(Malformed):
        read(note.encode(), [Verifier.parse(KEY)])


def test_bytes_that_are_no_text_are_refused() -> None:
    for note in (b"\xff\n\n" + LINE.encode(), TEXT.encode() + b"\n\xff\n"):
        with pytest.raises(Malformed):
            read(note, [Verifier.parse(KEY)])


@pytest.mark.parametrize(
    "key",
    ["", "a", "a+b", "a+b+c", KEY[:-4], KEY.replace("c74f", "c74e"), KEY.replace("+AR", "+BR"), " " + KEY],
)
def test_malformed_keys_are_refused(key: str) -> None:
    with pytest.raises(Malformed):
        Verifier.parse(key)


def test_unknown_keys_are_passed_over_and_a_key_counts_once() -> None:
    note = sign(TEXT.encode(), LOG) + LINE.encode() + LOG.line(TEXT.encode()).encode()
    assert [one.name for one in read(note, [LOG.verifier])[1]] == ["log.example"]
    with pytest.raises(Malformed, match="no known key"):
        read(note, [WITNESS.verifier])


def test_a_cosignature_binds_its_time() -> None:
    checkpoint = Checkpoint("log.example", 7, bytes(32))
    note = sign(checkpoint.text(), LOG) + WITNESS.line(checkpoint.text(), 1_700_000_000).encode()
    signatures = {one.name: one.moment for one in read(note, [LOG.verifier, WITNESS.verifier])[1]}
    assert signatures == {"log.example": None, "witness.example": 1_700_000_000}
    raw = bytearray(WITNESS.line(checkpoint.text(), 1_700_000_001).encode())
    raw[30] ^= 1
    with pytest.raises(Malformed):
        read(sign(checkpoint.text(), LOG) + bytes(raw), [LOG.verifier, WITNESS.verifier])


@given(st.integers(0, 2**62), st.binary(min_size=32, max_size=32))
def test_checkpoints_round_trip(size: int, root: bytes) -> None:
    checkpoint = Checkpoint("wardlist.example/log", size, root)
    assert Checkpoint.parse(checkpoint.text()) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        b"o\n1\n",
        b"o\n01\n" + b"A" * 43 + b"=\n",
        b"o\n-1\n" + b"A" * 43 + b"=\n",
        b"\n1\n" + b"A" * 43 + b"=\n",
        b"o\n1\nAAAA\n",
        b"o\n1\n" + b"A" * 43 + b"=\n\nx\n",
        b"o\n" + b"9" * 20 + b"\n" + b"A" * 43 + b"=\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        Checkpoint.parse(text)
