"""What documents point at is there: files, and tests that are said to show something."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path.relative_to(TOP).as_posix()
    for path in (*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md"), TOP / "bench/results.md")
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = (TOP / document).read_text()
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
    lost = [link for link in links if not ((TOP / document).parent / link).exists()]
    assert not lost


@pytest.mark.parametrize("document", DOCUMENTS)
def test_tests_that_are_named_exist(document: str) -> None:
    named = re.findall(r"`(tests/[a-z0-9_/]+\.py)(?:::(\w+))?`", (TOP / document).read_text())
    lost = [f"{path}::{name}" for path, name in named if not _has_test(path, name)]
    assert not lost


def test_the_legal_map_names_tests() -> None:
    assert re.search(r"`tests/[a-z0-9_/]+\.py::\w+`", (TOP / "docs/legal-map.md").read_text())


def _has_test(path: str, name: str) -> bool:
    return name in _tests(path) if name else (TOP / path).is_file()


@cache
def _tests(path: str) -> frozenset[str]:
    """Names of a file's tests that do more than pass."""
    if not (TOP / path).is_file():
        return frozenset()
    functions = [
        node for node in ast.parse((TOP / path).read_text()).body if isinstance(node, ast.FunctionDef)
    ]
    return frozenset(
        node.name
        for node in functions
        if any(isinstance(one, ast.Call | ast.Assert) for one in ast.walk(node))
    )
