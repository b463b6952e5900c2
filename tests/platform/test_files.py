"""Files appear whole or not at all; settings say which variable is wrong."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.platform.database import UtcDateTime
from app.platform.files import write_atomically
from app.platform.keyring import Keyring, NotInitialised
from app.platform.settings import Settings


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old", mode=0o600)

    def breaks() -> Iterator[bytes]:
        yield b"new"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, breaks())
    assert path.read_bytes() == b"old"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_keys_are_made_once_and_never_shown(tmp_path: Path) -> None:
    with pytest.raises(NotInitialised):
        Keyring.load(tmp_path)
    Keyring.create(tmp_path)
    first = Keyring.load(tmp_path)
    shown = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    Keyring.create(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == shown
    assert first.token["d"] not in repr(first)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WARDLIST_HOME", str(tmp_path))
    monkeypatch.setenv("WARDLIST_PORT", "9999")
    assert Settings().address == "http://127.0.0.1:9999"
    monkeypatch.delenv("WARDLIST_PORT")
    (tmp_path / "address").write_text("http://127.0.0.1:7777")
    assert Settings().address == "http://127.0.0.1:7777"
    monkeypatch.setenv("WARDLIST_ISSUER", "https://wardlist.example/")
    assert Settings().address == "https://wardlist.example"
    monkeypatch.setenv("WARDLIST_PORT", "many")
    with pytest.raises(ValidationError, match="port"):
        Settings()


def test_a_time_without_zone_is_never_stored() -> None:
    with pytest.raises(ValueError, match="zone"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), None)  # type: ignore[arg-type]
