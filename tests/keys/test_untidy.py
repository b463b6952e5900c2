"""Folders and files around the keys that are not as they were left."""

import json
import os
import shutil
import stat
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


def test_status_says_in_a_line_what_is_broken(terminal: Terminal, tmp_path: Path) -> None:
    service = terminal.service
    service.publish()
    home = service.settings.home
    files = [
        path
        for top in (service.settings.keys, service.settings.public / "metadata")
        for path in sorted(top.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    bad = []
    for path in files:
        whole, mode = path.read_bytes(), path.stat().st_mode
        for damage in ("gone", "empty", "half", "folder", "binary", "number"):
            path.unlink()
            if damage == "folder":
                path.mkdir()
            elif damage != "gone":
                path.write_bytes(
                    {
                        "empty": b"",
                        "half": whole[: len(whole) // 2],
                        "binary": b"\xff\x00" * 40,
                        "number": b"[7]",
                    }[damage]
                )
                path.chmod(mode)
            for words in (("keys", "status", "--json"), ("tuf", "root", "show", "--json")):
                done = CliRunner().invoke(app, words, env=service.environment)
                name = path.relative_to(home)
                if done.exception is not None and not isinstance(done.exception, SystemExit):
                    bad.append(f"{words[0]} {name} {damage}: {done.exception!r}"[:250])
                elif done.exit_code not in (0, 1):
                    bad.append(f"{words[0]} {name} {damage}: exit {done.exit_code}")
                else:
                    try:
                        json.loads(done.stdout)
                    except ValueError:
                        bad.append(f"{words[0]} {name} {damage}: {done.stdout[:100]}")
            if path.is_dir():
                path.rmdir()
            path.write_bytes(whole)
            path.chmod(mode)
    assert not bad, "\n".join(bad)
