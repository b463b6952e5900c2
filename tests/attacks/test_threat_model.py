"""docs/threat-model.md: no adversary is left out, each row names a test, and what is not stopped is said.

That the tests exist is for tests/test_documents.py.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
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
