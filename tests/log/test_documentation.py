"""docs/log.md names every leaf there is, with its members."""

import ast
import re
from pathlib import Path

from app.core.replay import RULES

TOP = Path(__file__).parent.parent.parent
DOCUMENTED = {
    kind: set(re.findall(r"`([a-z_0-9]+)`", members))
    for kinds, members in re.findall(
        r"^\| (`[a-z][a-z_`., ]+) \| (.*) \|$", (TOP / "docs/log.md").read_text(), re.M
    )
    for kind in re.findall(r"`([a-z_.]+)`", kinds)
}


def emitted() -> dict[str, set[str]]:
    """Leaf types by the calls of log.append in the source, with the members named there."""
    found: dict[str, set[str]] = {}
    for path in (TOP / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "attr", "") == "append"
                and len(node.args) == 3
            ):
                kind = node.args[1]
                if isinstance(kind, ast.Constant) and isinstance(kind.value, str):
                    found.setdefault(kind.value, set()).update(word.arg for word in node.keywords if word.arg)
    return found


def test_every_leaf_is_documented_with_its_members() -> None:
    assert len(emitted()) >= 15
    for kind, members in emitted().items():
        assert members <= DOCUMENTED[kind], kind


def test_every_documented_leaf_is_one_a_verifier_knows() -> None:
    assert DOCUMENTED.keys() == RULES.keys()
