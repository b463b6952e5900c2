"""Backups put together by somebody who has no more than the recipient, and folders that are not tidy."""

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
import rfc8785
import zstandard

from app.backup import archive, making
from app.core import age
from tests.backup.drill import Drill, Rebuilt, is_empty
from tests.backup.test_refused import again, backup as backup

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
    said = drill.restore(bomb, rebuilt, "--published", "none", code=1)
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
        from app.platform import rows

        digest = rows.Digest()
        digest.add([line for one, body in forged if one.startswith("rows/block_list/") for line in body.splitlines()])
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
