"""Versions of a list put where `isp sync` puts them, without a service."""

import os
import uuid
from pathlib import Path

from app.core import commitment
from app.core.manifest import Artefact, Manifest

NO_FILE = Artefact(path="none", length=0, sha256="0" * 64)


def line(address: str, scope: str = "url") -> bytes:
    """A canonical line with an id made from what is listed."""
    entry = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope} {address}"))
    return commitment.list_line(bytes(32), entry=entry, scope=scope, url=address)


def install(folder: Path, version: int, *lines: bytes, name: str = "national-url") -> Path:
    """Make a version with these lines current. The version's folder."""
    home = folder / "lists" / name
    into = home / str(version)
    into.mkdir(parents=True)
    manifest = Manifest(
        list=name,
        version=version,
        previous_version=version - 1 or None,
        published_at="2026-01-02T03:04:05Z",
        expires_at="2026-01-03T03:04:05Z",
        min_poll_seconds=1,
        entry_count=len(lines),
        content_sha256=commitment.content_sha256(sorted(lines)),
        commitments_sha256="0" * 64,
        log_origin="wardlist.example/log",
        log_size=1,
        log_root="0" * 64,
        artefacts={},
        delta=NO_FILE,
    )
    (into / "list.jsonl").write_bytes(b"".join(one + b"\n" for one in sorted(lines)))
    (into / "manifest.json").write_bytes(manifest.to_bytes())
    (home / ".next").symlink_to(str(version))
    os.replace(home / ".next", home / "current")
    return into
