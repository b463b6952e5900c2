"""The scans of `make lint`, `make audit` and `make sbom` by the real programs: they find, and they fail."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.core import jose
from tests.programs.advisories import advisory, in_range, lines

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
LOCKED = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z0-9,-]+\])?==(\S+)", LOCK.read_text(), re.MULTILINE))
EXCEPTIONS = re.findall(
    r"^([A-Z][A-Za-z0-9-]*) ([a-z0-9-]+): (.+)$",
    (ROOT / "deploy/audit-exceptions.txt").read_text(),
    re.MULTILINE,
)


def make(target: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a target with nothing installed anew."""
    words = ["make", "-o", "install", target, *(f"{name}={value}" for name, value in variables.items())]
    quiet = {**os.environ, "MAKEFLAGS": ""}
    return subprocess.run(words, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)


def test_every_locked_package_has_hashes() -> None:
    entries = re.split(r"\n(?=[a-z0-9])", LOCK.read_text().strip())
    assert len(entries) == len(LOCKED) > 100
    for entry in entries:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:80]
    assert "--require-hashes" in (ROOT / "Makefile").read_text()


def test_a_package_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    """A file of the right name and version in the place of the locked one."""
    package = tmp_path / "forged-1.0.tar.gz"
    package.write_bytes(b"not what was locked")
    lock = tmp_path / "lock"
    lock.write_text(f"forged @ file://{package} --hash=sha256:{'0' * 64}\n")
    words = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-index",
        "--require-hashes",
        "--target",
        str(tmp_path),
    ]
    ended = subprocess.run([*words, "-r", str(lock)], capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "HASHES" in ended.stderr.upper()
    assert sorted(tmp_path.iterdir()) == sorted([lock, package])


def test_the_code_scan_finds_what_it_is_for(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import hashlib, yaml\nyaml.load(open('x'))\nhashlib.md5(b'x')\neval('1')\n")
    bandit = [str(ROOT / ".venv/bin/bandit"), "-q", "-c", str(ROOT / "pyproject.toml")]
    found = subprocess.run([*bandit, "-f", "json", str(bad)], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert {one["test_id"] for one in json.loads(found.stdout)["results"]} >= {"B307", "B324", "B506"}


def test_each_exception_of_a_scan_says_why() -> None:
    """A `nosec`, or ruff's exception of a security rule, without a reason could hide anything."""
    silent = []
    for path in [*ROOT.glob("app/**/*.py"), *ROOT.glob("deploy/**/*.py")]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"# (noqa: S\d+(, ?S\d+)*|nosec( B\d+)?)\s*$", line):
                silent.append(f"{path.relative_to(ROOT)}:{number}")
    assert silent == []


def test_each_exception_of_the_audit_is_explained_for_readers() -> None:
    assert len(EXCEPTIONS) == len(
        re.findall("^[A-Z]", (ROOT / "deploy/audit-exceptions.txt").read_text(), re.M)
    )
    security = (ROOT / "SECURITY.md").read_text()
    for identifier, package, reason in EXCEPTIONS:
        assert package in LOCKED
        assert identifier in security
        assert len(reason) > 40


def test_ecdsa_s_own_signing_is_not_used() -> None:
    """The reason for CVE-2024-23342's exception."""
    made = jose.generate()
    key = jose._key(made["x"], made["y"])
    assert type(key).__module__ == "jose.backends.cryptography_backend"


def test_an_audit_without_an_answer_fails() -> None:
    """Nobody listens on port 1."""
    ended = make("audit-packages", AUDIT_FLAGS="-s osv --osv-url http://127.0.0.1:1/v1/query")
    assert ended.returncode != 0
    assert "No known vulnerabilities found" not in ended.stderr


@pytest.mark.parametrize(
    ("known", "is_clean"),
    [
        ({package: identifier for identifier, package, _ in EXCEPTIONS}, True),
        ({"fastapi": "CVE-2026-1"}, False),
    ],
    ids=["explained", "new"],
)
def test_a_known_weakness_fails_the_audit_unless_it_is_explained(
    tmp_path: Path, known: dict[str, str], is_clean: bool
) -> None:
    of_all = in_range(("introduced", "0"))
    found = [{**advisory(1, package, **of_all), "id": identifier} for package, identifier in known.items()]
    ended = make("audit-packages", ADVISORIES=str(lines(tmp_path / "known.jsonl", found)))
    assert (ended.returncode == 0) is is_clean, ended.stdout + ended.stderr
    assert all((identifier in ended.stdout) is not is_clean for identifier in known.values())


def test_among_the_stored_advisories_no_locked_version_is_weak_but_what_is_explained() -> None:
    ended = make("audit-packages", ADVISORIES="deploy/advisories.jsonl")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"No known vulnerabilities found, {len(EXCEPTIONS)} ignored" in ended.stderr


@pytest.mark.long
def test_the_bill_of_materials_names_every_locked_package() -> None:
    ended = make("sbom")
    assert ended.returncode == 0, ended.stderr
    bill = json.loads((ROOT / "build/sbom.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    named = {one["name"].lower(): one["version"] for one in bill["components"]}
    assert named == LOCKED
    assert bill["metadata"]["component"]["name"] == "wardlist"
