"""A folder's files are found however often it is looked at, and whatever happened in between."""

import os
import random
from pathlib import Path

from app.platform.tree import Tree


def actual(top: Path) -> set[str]:
    return {path.relative_to(top).as_posix() for path in top.rglob("[!.]*") if path.is_file()}


def test_what_came_and_went_between_two_looks_is_seen(tmp_path: Path) -> None:
    """Some folders are made old, so that their times are believed."""
    chance, tree = random.Random(5), Tree(tmp_path)
    for number in range(300):
        folder = tmp_path / "a" / str(chance.randrange(4)) / str(chance.randrange(4))
        folder.mkdir(parents=True, exist_ok=True)
        found = sorted(folder.iterdir())
        if found and chance.random() < 0.4:
            chance.choice(found).unlink()
        else:
            (folder / f"{number}").write_bytes(b"")
        if chance.random() < 0.5:
            os.utime(folder, (number, number))
        assert set(tree.files("a", "nowhere")) == actual(tmp_path)


def test_what_is_being_written_is_no_file_yet(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".writing-1").write_bytes(b"half")
    assert list(Tree(tmp_path).files("a")) == []


def test_a_folder_that_stayed_is_not_read_again(tmp_path: Path) -> None:
    """The price of what changed: shown by a file that hides behind an old time."""
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "first").write_bytes(b"")
    os.utime(folder, (1000, 1000))
    tree = Tree(tmp_path)
    assert list(tree.files("a")) == ["a/first"]
    (folder / "second").write_bytes(b"")
    os.utime(folder, (1000, 1000))
    assert list(tree.files("a")) == ["a/first"]
    os.utime(folder, (2000, 2000))
    assert sorted(tree.files("a")) == ["a/first", "a/second"]
