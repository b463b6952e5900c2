"""deploy/systemd: systemd's own tools accept each unit; it is shut in, and has the keys it needs."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from app.platform.keyring import API_ROLES, FILES, PUBLISHER_ROLES, WORKER_ROLES

TOP = Path(__file__).parents[2]
FOLDER = TOP / "deploy" / "systemd"
UNITS = sorted(
    [*FOLDER.glob("*.service"), *FOLDER.glob("*.timer"), TOP / "deploy/isp/wardlist-watch.service"]
)
ANALYZE = shutil.which("systemd-analyze")
MOST_EXPOSED = 2.0
"""Of 10, which is a unit without any limit."""
ROLES = {"api": API_ROLES, "publisher": PUBLISHER_ROLES, "worker": WORKER_ROLES}
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def settings(unit: Path, name: str) -> list[str]:
    """The words of a setting, of all its lines."""
    found = re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)
    return [word for line in found for word in line.split()]


@needs_systemd
def test_systemd_understands_every_unit(tmp_path: Path) -> None:
    """In a root of its own, where the programs that the units start are there."""
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    for unit in UNITS:
        shutil.copy(unit, units)
        for line in re.findall(r"^Exec\w+=[-+@!:]*(/\S+)", unit.read_text(), re.MULTILINE):
            program = tmp_path / line.lstrip("/")
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
    shutil.copytree("/lib/systemd/system", tmp_path / "lib/systemd/system", symlinks=True)
    command = [str(ANALYZE), f"--root={tmp_path}", "--man=no", "--recursive-errors=one", "verify"]
    done = subprocess.run([*command, *(unit.name for unit in UNITS)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: str(unit.stem))
def test_a_unit_is_shut_in(unit: Path) -> None:
    command = [
        str(ANALYZE),
        "security",
        "--offline=true",
        "--no-pager",
        f"--threshold={MOST_EXPOSED * 10:.0f}",
    ]
    done = subprocess.run(
        [*command, str(unit)], capture_output=True, text=True, env=os.environ | {"LANG": "C.UTF-8"}
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
    (level,) = re.findall(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert float(level) <= MOST_EXPOSED


@pytest.mark.parametrize("part", sorted(ROLES))
def test_a_part_is_denied_the_keys_it_does_not_use_and_no_other(part: str) -> None:
    unit = FOLDER / f"wardlist-{part}.service"
    denied = {word.removeprefix("-%S/wardlist/") for word in settings(unit, "InaccessiblePaths")}
    assert "offline" in denied
    files = {f"keys/{FILES[role]}" for role in FILES}
    assert denied & files == files - {f"keys/{FILES[role]}" for role in ROLES[part]}
    assert ("keys/tuf" in denied) == ("keys/match" in denied) == (part != "publisher")
    assert ("keys/dkim.pem" in denied) == (part != "worker")


def test_every_unit_has_the_same_sandbox() -> None:
    """What one of them is given by name stands above it."""
    parts = {unit.name: unit.read_text().partition("# ---- sandbox")[2] for unit in FOLDER.glob("*.service")}
    assert len({text.partition("[Install]")[0].strip() for text in parts.values()}) == 1


def test_accounts_and_folders_are_made_as_the_units_name_them(tmp_path: Path) -> None:
    for tool in ("systemd-sysusers", "systemd-tmpfiles"):
        if shutil.which(tool) is None or os.geteuid():
            pytest.skip(f"{tool} is not here, or not for us")
    (tmp_path / "etc").mkdir()
    subprocess.run(["/bin/systemd-sysusers", f"--root={tmp_path}", str(FOLDER / "sysusers.conf")], check=True)
    assert "wardlist:" in (tmp_path / "etc/passwd").read_text()
    (tmp_path / "etc/wardlist").mkdir()
    (tmp_path / "etc/wardlist/wardlist.env").write_text("")
    create = ["/bin/systemd-tmpfiles", f"--root={tmp_path}", "--create", str(FOLDER / "tmpfiles.conf")]
    subprocess.run(create, check=True)
    modes = {
        "etc/wardlist": 0o750,
        "etc/wardlist/wardlist.env": 0o640,
        "var/lib/wardlist": 0o700,
        "var/lib/wardlist/tuf": 0o750,
    }
    assert {name: (tmp_path / name).stat().st_mode & 0o777 for name in modes} == modes


@pytest.mark.parametrize("name", ["wardlist.env", "backup.env", "witness.env"])
def test_systemd_and_the_shell_read_the_same_from_an_environment_file(name: str) -> None:
    """`wardlist-admin` has a shell read what systemd reads for the units."""
    for line in (FOLDER / name).read_text().splitlines():
        text = line.removeprefix("#").strip()
        if re.match(r"[A-Z][A-Z0-9_]*=", text):
            assert len(shlex.split(text)) == 1, text


@pytest.mark.parametrize(
    "script", sorted([FOLDER / "wardlist-admin", *TOP.glob("deploy/**/*.sh"), *TOP.glob("deploy/isp/reload")])
)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([program, "--exclude=SC1091", str(script)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
