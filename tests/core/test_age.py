"""Sealing: what it gives the age program opens and the other way round, and every way it must not open."""

import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import age

SIZES = [0, 1, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 300_000]
ONE, OTHER, STRANGER = age.generate(), age.generate(), age.generate()


class Full(OSError):
    """A disk that takes no more."""


def in_chunks(data: bytes, size: int = 7001) -> Iterator[bytes]:
    yield b""
    for start in range(0, len(data), size):
        yield data[start : start + size]
        yield b""


def sealed(data: bytes, *recipients: str) -> bytes:
    to = io.BytesIO()
    age.seal(in_chunks(data), to, recipients)
    return to.getvalue()


def unsealed(data: bytes, *identities: str) -> bytes:
    to = io.BytesIO()
    age.unseal(in_chunks(data), to, identities)
    return to.getvalue()


@pytest.mark.parametrize("size", SIZES)
def test_every_recipient_reads_what_was_sealed_and_nobody_else(size: int) -> None:
    data = bytes(n % 251 for n in range(size))
    file = sealed(data, ONE[1], OTHER[1])
    assert unsealed(file, ONE[0]) == unsealed(file, STRANGER[0], OTHER[0]) == data
    assert age.unseal_bytes(file, [OTHER[0]]) == data
    assert unsealed(age.seal_bytes(data, [ONE[1]]), ONE[0]) == data
    for identities in ([], [STRANGER[0]]):
        with pytest.raises(age.Unopened):
            unsealed(file, *identities)
        with pytest.raises(age.Unopened):
            age.unseal_bytes(file, identities)


def test_sealed_to_nobody_no_identity_opens_it() -> None:
    file = sealed(b"a line")
    assert b"a line" not in file
    with pytest.raises(age.Unopened):
        unsealed(file, ONE[0], OTHER[0])


def test_the_same_sealed_twice_looks_different() -> None:
    assert sealed(b"a line", ONE[1]) != sealed(b"a line", ONE[1])


@pytest.mark.parametrize("kept", [0, 10, 150, 400, 70_000, -1])
def test_a_file_cut_short_does_not_open(kept: int) -> None:
    file = sealed(b"x" * 100_000, ONE[1])
    with pytest.raises(age.Unopened):
        unsealed(file[:kept], ONE[0])
    with pytest.raises(age.Unopened):
        age.unseal_bytes(file[:kept], [ONE[0]])


def test_a_file_with_any_byte_changed_does_not_open() -> None:
    file = sealed(b"x" * 1000, ONE[1])
    for place in range(0, len(file), 7):
        damaged = file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]
        with pytest.raises(age.Unopened):
            unsealed(damaged, ONE[0])


def test_something_after_the_end_does_not_open() -> None:
    with pytest.raises(age.Unopened):
        unsealed(sealed(b"a line", ONE[1]) + b"x", ONE[0])


@pytest.mark.parametrize(
    "text",
    ["", "age1", "age1nonsense", ONE[0], ONE[1][:-1], ONE[1].replace("age1", "ssh1")],
    ids=["empty", "prefix", "nonsense", "identity", "cut", "other"],
)
def test_what_is_no_recipient_is_refused_without_being_said(text: str) -> None:
    with pytest.raises(age.Invalid) as refused:
        age.check_recipient(text)
    assert len(text) < 5 or text not in str(refused.value)
    with pytest.raises(age.Invalid):
        age.seal((b"a line",), io.BytesIO(), [ONE[1], text])


@pytest.mark.parametrize(
    "text",
    ["", "AGE-SECRET-KEY-1", ONE[1], ONE[0][:-2]],
    ids=["empty", "prefix", "recipient", "cut"],
)
def test_what_is_no_identity_is_refused_without_being_said(text: str) -> None:
    with pytest.raises(age.Invalid) as refused:
        age.recipient_of(text)
    assert len(text) < 20 or text not in str(refused.value)
    with pytest.raises(age.Invalid):
        age.unseal_bytes(sealed(b"a line", ONE[1]), [text])


def test_a_pair_belongs_together_and_space_around_it_does_not_matter() -> None:
    identity, recipient = age.generate()
    assert age.recipient_of(f" {identity}\n") == age.check_recipient(f" {recipient}\n") == recipient


def test_what_goes_wrong_in_the_source_is_raised_as_it_is() -> None:
    def failing() -> Iterator[bytes]:
        yield b"x" * 100
        raise Full("source")

    file = sealed(b"x" * 100, ONE[1])

    def cut() -> Iterator[bytes]:
        yield file[:150]
        raise Full("source")

    with pytest.raises(Full, match="source"):
        age.seal(failing(), io.BytesIO(), [ONE[1]])
    with pytest.raises(Full, match="source"):
        age.unseal(cut(), io.BytesIO(), [ONE[0]])


def test_what_goes_wrong_in_the_target_is_raised_as_it_is() -> None:
    class Disk(io.BytesIO):
        def write(self, data: object, /) -> int:
            raise Full("target")

    with pytest.raises(Full, match="target"):
        age.seal((b"x" * 200_000,), Disk(), [ONE[1]])
    with pytest.raises(Full, match="target"):
        age.unseal(in_chunks(sealed(b"x" * 200_000, ONE[1])), Disk(), [ONE[0]])


def test_a_loss_of_power_passes_through() -> None:
    class Crash(BaseException):
        """Nothing may catch it."""

    def failing() -> Iterator[bytes]:
        yield b"x" * 100
        raise Crash

    with pytest.raises(Crash):
        age.seal(failing(), io.BytesIO(), [ONE[1]])


@pytest.mark.parametrize("size", [0, 200_000])
def test_the_age_program_and_this_read_each_other(size: int, tmp_path: Path) -> None:
    program = shutil.which("age")
    if program is None:
        pytest.skip("age is not installed")
    data = bytes(n % 251 for n in range(size))
    (tmp_path / "identity").write_text(ONE[0])
    ours, theirs = tmp_path / "ours.age", tmp_path / "theirs.age"
    ours.write_bytes(sealed(data, OTHER[1], ONE[1]))
    opened = subprocess.run(
        [program, "-d", "-i", tmp_path / "identity", ours], check=True, capture_output=True
    )
    assert opened.stdout == data
    (tmp_path / "plain").write_bytes(data)
    subprocess.run([program, "-r", ONE[1], "-o", theirs, tmp_path / "plain"], check=True)
    assert unsealed(theirs.read_bytes(), ONE[0]) == data
