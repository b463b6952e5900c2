"""The journal of erasures: durable, and read again whatever a loss of power left of its last line."""

import secrets
from pathlib import Path

import pytest

from app.platform import journal


def _ids(count: int) -> list[str]:
    return [secrets.token_hex(16) for _ in range(count)]


def test_what_was_appended_is_read(tmp_path: Path) -> None:
    path, first, second = tmp_path / "mark" / "erasures.jsonl", _ids(3), _ids(2)
    assert journal.read(path) == set()
    journal.append(path, first)
    journal.append(path, [*second, first[0]])
    assert journal.read(path) == {*first, *second}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_cut_off_is_passed_over_and_goes_with_the_next(tmp_path: Path) -> None:
    path, first, second = tmp_path / "erasures.jsonl", _ids(1), _ids(1)
    journal.append(path, first)
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole + whole[:cut])
        assert journal.read(path) == set(first)
        journal.append(path, second)
        assert journal.read(path) == {*first, *second}
        assert len(path.read_bytes()) == 2 * len(whole)
    path.write_bytes(whole[:-1])
    journal.append(path, second)
    assert journal.read(path) == set(second)


@pytest.mark.parametrize("line", [b"nonsense\n", b'{"entry":"../x"}\n', b'{"other":1}\n', b"[]\n"])
def test_anything_else_in_it_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "erasures.jsonl"
    journal.append(path, _ids(1))
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(journal.Unreadable, match="line 2"):
        journal.read(path)
