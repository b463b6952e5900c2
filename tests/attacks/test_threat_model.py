"""docs/threat-model.md against what is there: each test that it names exists, no adversary is left out."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[^`]+\.py)::(\w+)`", TEXT)))
ADVERSARIES = re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
ASKED_FOR = (
    "hotline",
    "reviewer",
    "operator",
    "provider",
    "host",
    "appellant",
    "key",
    "network",
    "dependency",
    "server",
    "backups",
    "peer",
)


@cache
def named_in(path: str) -> frozenset[str]:
    """Names of a file's tests that do more than pass."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return frozenset(
        node.name
        for node in functions
        if any(isinstance(one, ast.Call | ast.Assert) for one in ast.walk(node))
    )


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_named_test_exists(path: str, name: str) -> None:
    assert (ROOT / path).is_file(), path
    assert name in named_in(path)


def test_every_row_names_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("|") and not line.startswith("|---")]
    without = [row for row in rows if "::" not in row and "shown by" not in row]
    assert without == []


def test_every_adversary_is_there_and_says_what_is_not_stopped() -> None:
    assert len(ADVERSARIES) == len(ASKED_FOR)
    for (title, body), wanted in zip(ADVERSARIES, ASKED_FOR, strict=True):
        assert wanted in title.lower()
        assert "\nNot stopped: " in body, title
        assert len(re.findall(r"::test_", body)) >= 3, title
