"""deploy/advisories.py: the real pip-audit, answered from a file of advisories."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.programs.advisories import advisory, in_range, lines

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "deploy/advisories.py")]


def audited(folder: Path, file: Path, *pinned: str) -> subprocess.CompletedProcess[str]:
    """What pip-audit says of these pins, by that file."""
    pins = folder / "pins.txt"
    pins.write_text("\n".join(pinned))
    asking = ["pip-audit", "--strict", "--no-deps", "--disable-pip", "--format", "json", "-r", str(pins)]
    words = [*COMMAND, str(file), "--", str(ROOT / ".venv/bin/pip-audit"), *asking[1:]]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def weak(ended: subprocess.CompletedProcess[str]) -> set[str]:
    return {
        one["name"] + "==" + one["version"]
        for one in json.loads(ended.stdout)["dependencies"]
        if one["vulns"]
    }


def test_a_version_is_affected_as_its_ranges_and_versions_say(tmp_path: Path) -> None:
    known = [
        advisory(1, "since-ever", **in_range(("introduced", "0"), ("fixed", "2.0"))),
        advisory(2, "came-back", **in_range(("introduced", "0"), ("fixed", "1.5"), ("introduced", "3"))),
        advisory(3, "up-to", **in_range(("introduced", "1.0"), ("last_affected", "1.10"))),
        advisory(4, "by-name", versions=["2004d", "1.0"]),
        advisory(5, "unreadable", **in_range(("introduced", "2004d"))),
        advisory(6, "Other.Spelling", **in_range(("introduced", "0"))),
        {**advisory(7, "taken-back", **in_range(("introduced", "0"))), "withdrawn": "2026-01-08T00:00:00Z"},
        advisory(8, "by-commit", ranges=[{"type": "GIT", "events": [{"introduced": "0"}]}]),
    ]
    elsewhere = {"package": {"ecosystem": "npm", "name": "elsewhere"}, **in_range(("introduced", "0"))}
    known[-1]["affected"].append(elsewhere)
    affected = {
        "since-ever==1.9.9",
        "came-back==3.0",
        "up-to==1.10.0",
        "by-name==1.0.0",
        "unreadable==5",
        "other-spelling==1",
    }
    safe = {"never-named==1", "taken-back==1", "by-commit==1", "elsewhere==1"}
    file = lines(tmp_path / "known.jsonl", known)
    ended = audited(tmp_path, file, *affected, *safe)
    assert (ended.returncode, weak(ended)) == (1, affected)
    assert "8 advisories" in ended.stderr
    assert "newest of 2026-01-08" in ended.stderr
    past = audited(tmp_path, file, "since-ever==2.0", "came-back==2", "up-to==1.11", "by-name==1.1", *safe)
    assert (past.returncode, weak(past)) == (0, set()), past.stderr


def test_a_zip_as_osv_hands_out_is_read_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        for number, package in enumerate(("one", "two"), 1):
            found = advisory(number, package, **in_range(("introduced", "0")))
            packed.writestr(f"{found['id']}.json", json.dumps(found))
    ended = audited(tmp_path, tmp_path / "all.zip", "one==1", "two==1", "three==1")
    assert (ended.returncode, weak(ended)) == (1, {"one==1", "two==1"})


@pytest.mark.parametrize("written", [None, "", "no JSON\n", "[]\n", '{"id": "PYSEC-2026-1"}\n'])
def test_without_advisories_nothing_is_called_clean(tmp_path: Path, written: str | None) -> None:
    file = tmp_path / "known.jsonl"
    if written is not None:
        file.write_text(written)
    ended = audited(tmp_path, file, "one==1")
    assert ended.returncode == 2
    assert "no advisories" in ended.stderr
    assert ended.stdout == ""
