"""Folders and files around the keys that are not as they were left."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

from typer.testing import CliRunner

from app.cli.main import app
from tests.cli.terminal import Terminal


def test_a_new_offline_key_leaves_the_folder_it_is_written_to_as_it_was(
    terminal: Terminal, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    terminal.json("tuf", "root", "key", "--out", str(shared / "root-4.pem"))
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
    assert stat.S_IMODE((shared / "root-4.pem").stat().st_mode) == 0o600
    terminal.json("register", "key", "--out", str(tmp_path / "new" / "register-4.pem"))
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_status_says_in_a_line_what_is_broken(terminal: Terminal) -> None:
    service, checked = terminal.service, 0
    service.publish()
    for top in (service.settings.keys, service.settings.public / "metadata"):
        for path in [one for one in sorted(top.rglob("*")) if one.is_file() and not one.name.startswith(".")]:
            for damage in _damages(path):
                for words in (("keys", "status", "--json"), ("tuf", "root", "show", "--json")):
                    done = CliRunner().invoke(app, words, env=service.environment)
                    assert isinstance(done.exception, SystemExit | None), f"{path.name} {damage}"
                    assert done.exit_code in (0, 1), f"{path.name} {damage}"
                    assert json.loads(done.stdout), f"{path.name} {damage}"
                    checked += 1
    assert checked > 50


def _damages(path: Path) -> Iterator[str]:
    """Damage a file in one way after the other; at last it is as it was."""
    whole, mode = path.read_bytes(), path.stat().st_mode
    path.unlink()
    yield "gone"
    path.mkdir()
    yield "a folder"
    path.rmdir()
    for damage, body in {
        "half": whole[: len(whole) // 2],
        "binary": b"\xff\x00" * 40,
        "whole": whole,
    }.items():
        path.write_bytes(body)
        path.chmod(mode)
        yield damage
