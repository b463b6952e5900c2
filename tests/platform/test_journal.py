"""The journal of erasures: durable, and read again whatever a loss of power left of its last line."""

import resource
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


def test_a_disk_that_takes_half_of_it_has_not_taken_it(tmp_path: Path) -> None:
    path, limits = tmp_path / "erasures.jsonl", resource.getrlimit(resource.RLIMIT_FSIZE)
    journal.append(path, first := _ids(1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size * 2, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            journal.append(path, _ids(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    journal.append(path, second := _ids(1))
    assert journal.read(path) > {*first, *second}


def test_a_line_that_is_longer_than_any_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"
    one = _ids(1)[0]
    path.write_text(f'{{"entry":"{one}"}}{" " * 300}\n')
    assert journal.read(path) == {one}
    path.write_text(f'{" " * 300}{{"entry":"{one}"\n')
    with pytest.raises(journal.Unreadable):
        journal.read(path)
