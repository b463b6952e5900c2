"""Backups put together by somebody who has no more than the recipient, and folders that are not tidy."""

import hashlib
import http.server
import io
import json
import os
import shutil
import tarfile
import threading
import tracemalloc
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
import zstandard

from app.backup import archive, making, rows
from app.core import age, note
from app.platform.keyring import Keyring
from app.platform.rotation import Rotator
from tests.backup.drill import Drill, Rebuilt, is_empty
from tests.backup.test_refused import again
from tests.backup.test_refused import backup as backup

_BOMB = 3 << 30


def _sealed(path: Path, header: tarfile.TarInfo, length: int, recipient: str) -> Path:
    """A tar whose first member is this header and so many zeros, compressed as they are made."""

    def chunks() -> Any:
        packer = zstandard.ZstdCompressor(level=1).compressobj()
        yield packer.compress(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(length >> 20):
            yield packer.compress(bytes(1 << 20))
        yield packer.flush()

    with path.open("wb") as file:
        age.seal(filter(None, chunks()), file, [recipient])
    return path


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_an_archive_that_unpacks_without_end_takes_no_memory(
    drill: Drill, rebuilt: Rebuilt, tmp_path: Path, kind: bytes
) -> None:
    header = tarfile.TarInfo("backup.json")
    header.type, header.size = kind, _BOMB
    bomb = _sealed(tmp_path / "bomb", header, 64 << 20, drill.recipient)
    tracemalloc.start()
    said = drill.restore(bomb, rebuilt, "--published", "none", code=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20
    assert "no backup" in said["error"]
    assert is_empty(rebuilt.home)


def test_a_sparse_file_of_eight_exabytes_is_no_member(drill: Drill, backup: Path, rebuilt: Rebuilt) -> None:
    with archive.opened(backup, [drill.identity]) as members:
        found = [(name, content.read()) for name, content in members]
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, body in found[:1]:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
        sparse = tarfile.TarInfo("keys/large")
        sparse.pax_headers = {
            "GNU.sparse.map": "0,0",
            "GNU.sparse.size": str(1 << 62),
            "GNU.sparse.numblocks": "1",
        }
        tar.addfile(sparse)
    forged = backup.with_name("sparse")
    with forged.open("wb") as file:
        age.seal([zstandard.compress(whole.getvalue())], file, [drill.recipient])
    said = drill.restore(forged, rebuilt, "--published", "none", code=1)
    assert "no backup" in said["error"]
    assert is_empty(rebuilt.home)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (making.HEADER, b"{"),
        (making.HEADER, b"\xff"),
        (making.HEADER, b"[]"),
        (making.HEADER, b"[" * 100_000),
        (making.HEADER, b'{"format":"wardlist-backup/v1"}'),
        (making.HEADER, b'{"format":"wardlist-backup/v1","schema":"x"}'),
        (making.CONTENTS, b"{"),
        (making.CONTENTS, b"[]"),
        (making.CONTENTS, b"{}"),
        ("log/checkpoint", b"\xff" * 99),
    ],
)
def test_what_is_written_as_no_backup_is_is_said_in_a_line(
    drill: Drill, backup: Path, rebuilt: Rebuilt, name: str, body: bytes
) -> None:
    def change(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        return [(one, body if one == name else old) for one, old in members]

    said = drill.restore(again(drill, backup, change), rebuilt, "--published", "none", code=1)
    assert "\n" not in said["error"]
    assert is_empty(rebuilt.home)


def test_a_row_with_numbers_that_no_database_holds(drill: Drill, backup: Path, rebuilt: Rebuilt) -> None:
    def change(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        forged = [
            (one, body.replace(b'"policy_version":1', b'"policy_version":18446744073709551615'))
            if one.startswith("rows/block_list/")
            else (one, body)
            for one, body in members
        ]
        stated = json.loads(forged[-1][1])
        digest = rows.Digest()
        digest.add(
            [line for one, body in forged if one.startswith("rows/block_list/") for line in body.splitlines()]
        )
        stated["tables"]["block_list"] = digest.stated()
        assert forged != members
        return [*forged[:-1], (making.CONTENTS, rfc8785.dumps(stated))]

    said = drill.restore(again(drill, backup, change), rebuilt, "--published", "none", code=1)
    assert "\n" not in said["error"]
    assert is_empty(rebuilt.home)


def test_a_file_of_another_name_among_the_keys_is_said_before_anybody_relies_on_the_backup(
    drill: Drill, rebuilt: Rebuilt
) -> None:
    keys = drill.service.settings.keys
    (keys / "..data").mkdir()
    (keys / "..data" / "token.jwk.json").write_text("a volume's own")
    backup = drill.backup()
    drill.restore(backup, rebuilt, "--published", "none")
    (keys / "old token (2).json").write_text("somebody's")
    done = drill.run("backup", "--out", str(backup), "--recipient", drill.recipient, "--json")
    assert done.exit_code == 1
    assert "old token (2).json" in json.loads(done.stdout)["error"]


def test_what_a_killed_backup_of_the_same_number_left_is_in_nobody_s_way(drill: Drill) -> None:
    (drill.folder / f".backup.wardlist.writing-{os.getpid()}").write_bytes(b"half")
    drill.backup()


def test_a_stolen_log_key_that_was_ended_leads_nobody_forward(
    drill: Drill, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    """What it signed before stays ours; what it signs of leaves that we have not is the thief's."""
    stolen = note.Signer(drill.service.settings.log_origin, note.ED25519, drill.service.keyring.log)
    drill.service.publish()
    assert drill.run("keys", "rotate", "log", "--at-once").exit_code == 0
    drill.service.publish()
    backup, thief, home = drill.backup(), tmp_path / "thief", drill.service.settings.home
    drill.run("org", "suspend", drill.isp)
    drill.service.publish()
    for name in ("tuf", "log"):
        shutil.copytree(home / name, thief / name)
    head = thief / "log" / "checkpoint"
    text = note.read(head.read_bytes(), [drill.service.keyring.log_signers(stolen.name)[0].verifier])[0]
    head.write_bytes(note.sign(text, stolen))
    said = drill.restore(backup, rebuilt, "--published", str(thief), "--step-forward", code=1)
    assert "not this installation's" in said["error"]
    assert is_empty(rebuilt.home)
    drill.restore(backup, rebuilt, "--published", str(home), "--step-forward")


def test_a_backup_from_before_another_log_key_says_what_happened(drill: Drill, rebuilt: Rebuilt) -> None:
    drill.service.publish()
    backup, home = drill.backup(), str(drill.service.settings.home)
    assert drill.run("keys", "rotate", "log", "--at-once").exit_code == 0
    drill.run("org", "suspend", drill.isp)
    drill.service.publish()
    said = drill.restore(backup, rebuilt, "--published", home, "--step-forward", code=1)
    assert "the log's key was changed since" in said["error"]
    assert "take a backup that was made after the change" in said["error"]
    assert is_empty(rebuilt.home)


def test_a_key_that_is_changed_while_it_is_read_fits_what_is_said_of_it(
    drill: Drill, rebuilt: Rebuilt, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, read, times = drill.service.settings.keys, Path.read_bytes, []

    def reading(path: Path) -> bytes:
        body = read(path)
        if path == keys / "token.jwk.json":
            times.append(path)
            if len(times) == 2:
                Rotator(keys).rotate("token", drill.service.clock(), timedelta())
        return body

    monkeypatch.setattr(Path, "read_bytes", reading)
    backup = drill.backup()
    monkeypatch.undo()
    assert len(times) > 2
    drill.restore(backup, rebuilt, "--published", "none")
    keyring = Keyring(rebuilt.home / "keys")
    in_force = keyring.public["token"].in_force()
    assert in_force
    assert in_force.id == keyring.token["kid"]


def test_a_place_that_sends_without_end_is_left(
    drill: Drill, backup: Path, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    class Endless(http.server.BaseHTTPRequestHandler):
        sent = 0

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while Endless.sent < 1 << 27:
                    Endless.sent += self.wfile.write(bytes(1 << 16))

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Endless) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        said = drill.restore(backup, rebuilt, "--published", address, code=1)
        server.shutdown()
        thread.join()
    assert "too large" in said["error"]
    assert Endless.sent < 1 << 26
    (tmp_path / "place" / "log").mkdir(parents=True)
    (tmp_path / "place" / "log" / "checkpoint").symlink_to("/dev/zero")
    said = drill.restore(backup, rebuilt, "--published", str(tmp_path / "place"), code=1)
    assert "neither a log nor TUF" in said["error"]
    (tmp_path / "place" / "log" / "checkpoint").unlink()
    (tmp_path / "place" / "log" / "checkpoint").write_bytes(bytes(1 << 17))
    said = drill.restore(backup, rebuilt, "--published", str(tmp_path / "place"), code=1)
    assert "too large" in said["error"]
    assert is_empty(rebuilt.home)


def test_an_epoch_s_key_that_is_none_is_said(drill: Drill, backup: Path, rebuilt: Rebuilt) -> None:
    def change(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        forged = [(one, b"zz" if one.startswith("keys/epochs/") else body) for one, body in members]
        stated = json.loads(forged[-1][1])
        for one, body in forged:
            if one.startswith("keys/epochs/"):
                stated["files"][one] = {"length": 2, "sha256": hashlib.sha256(body).hexdigest()}
        return [*forged[:-1], (making.CONTENTS, rfc8785.dumps(stated))]

    said = drill.restore(again(drill, backup, change), rebuilt, "--published", "none", code=1)
    assert "key of epoch" in said["error"]
    assert is_empty(rebuilt.home)
