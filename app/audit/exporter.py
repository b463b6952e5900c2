"""Making exports, one after the other, streamed from the public log's own files.

An export appears whole or not at all; after a crash it is made again. It is kept for a day. Nothing in it is
a secret of an entry but the openings, which are sealed before they touch the disk.
"""

import io
import json
import os
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyrage
import zstandard
from sqlmodel import col, select

from app.audit import service
from app.audit.models import Export, State
from app.audit.report import service as reports
from app.audit.report.service import Months
from app.core import jose, merkle, note
from app.core.merkle import TILE
from app.entries import listing as entries
from app.files import sync_folder
from app.lists import snapshots
from app.log.tiles import public_log
from app.platform import tile_files
from app.platform.clock import Clock, instant
from app.platform.database import Database
from app.platform.failures import Failures
from app.platform.files import private_folder
from app.platform.keyring import Keyring
from app.platform.settings import Settings

KEPT = timedelta(days=1)
_REPORT_EVERY = 64
Member = tuple[str, bytes]


def file_of(settings: Settings, export_id: str) -> Path:
    """Where an export's file lies."""
    return settings.exports / f"{export_id}.tar.zst"


class Exporter:
    """Works off the queue of exports."""

    def __init__(self, settings: Settings, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._settings, self._database, self._keyring, self._clock = settings, database, keyring, clock
        self._log = public_log(settings, keyring)

    def round(self) -> None:
        """Make every waiting export, and delete those past their day: one that fails keeps no other waiting.

        What could not be made in its day is given up, so that whoever asked for it is told, and may ask for
        another. Raises the first failure at the end.
        """
        failures = Failures("exporter")
        private_folder(self._settings.exports)
        is_old = col(Export.created_at) < self._clock() - KEPT
        with self._database.reading() as session:
            waiting = session.exec(select(Export).where(Export.state == State.WAITING, ~is_old)).all()
            old = session.exec(select(Export).where(Export.state != State.GONE, is_old)).all()
        for one in waiting:
            with failures.noted("export", export=one.id):
                self._make(one)
        for one in old:
            final = file_of(self._settings, one.id)
            for path in (final, _unfinished(final)):
                path.unlink(missing_ok=True)
            self._report(one, state=State.GONE)
        failures.raise_first()

    def _make(self, one: Export) -> None:
        """With openings only while its organisation may have them, sealed to the key it has by now."""
        with self._database.reading() as session:
            right = service.reveal_right(session, one.organisation_id) if one.recipient else None
        one.recipient = right.recipient if right else None
        try:
            signed = (self._log.folder / "checkpoint").read_bytes()
        except FileNotFoundError:
            return
        checkpoint = note.Checkpoint.parse(note.read(signed, self._log.verifiers)[0])
        final = file_of(self._settings, one.id)
        unfinished = _unfinished(final)
        one.total = checkpoint.size
        with unfinished.open("wb") as file:
            with (
                zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
            ):
                for name, content in self._members(one, signed, checkpoint.size):
                    info = tarfile.TarInfo(name)
                    info.size, info.mode = len(content), 0o644
                    archive.addfile(info, io.BytesIO(content))
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(0o600)
        unfinished.rename(final)
        sync_folder(final.parent)
        one.done = one.total
        self._report(one, state=State.READY)

    def _members(self, one: Export, signed: bytes, size: int) -> Iterator[Member]:
        """In the order that app/core/audit.py reads."""
        yield "export.json", self._scope(one, size)
        yield "keys.json", self._public_keys()
        yield "checkpoint", signed
        if one.recipient:
            yield "openings.age", self._openings(one, one.recipient)
        versions, periods = list[dict[str, Any]](), list[str]()
        for level, index, width in merkle.tiles_between(0, size):
            if level == 0:
                bundle = self._file(merkle.tile_path("entries", index, width))
                versions += _leaves(bundle[1], b'"type":"list.published"')
                periods += [leaf["period"] for leaf in _leaves(bundle[1], b'"type":"report.published"')]
                yield bundle
                if index % _REPORT_EVERY == 0:
                    one.done = index * TILE
                    self._report(one)
            yield self._file(merkle.tile_path(level, index, width))
        yield from self._manifests(one, versions)
        yield from self._reports(periods)

    def _scope(self, one: Export, size: int) -> bytes:
        since, until = (instant(moment) if moment else None for moment in (one.since, one.until))
        scope = {"export": one.id, "from": since, "list": one.list, "size": size, "to": until}
        return json.dumps(scope | {"format": "wardlist-export/v1"}, indent=1).encode()

    def _public_keys(self) -> bytes:
        keys = {
            "log_vkey": str(self._log.verifier),
            "manifest_jwks": [jose.public_part(key) for key in self._keyring.manifest_keys()],
            "witness_vkeys": [str(key) for key, _ in self._settings.witnesses_configured],
        }
        return json.dumps(keys, indent=1).encode()

    def _openings(self, one: Export, recipient: str) -> bytes:
        with self._database.reading() as session:
            lines = list(entries.openings(session, self._keyring.epochs, one.list))
        to = [pyrage.x25519.Recipient.from_str(recipient)]
        sealed: bytes = pyrage.encrypt(b"".join(line + b"\n" for line in lines), to)
        return sealed

    def _file(self, path: str) -> Member:
        return path, tile_files.read(self._log.folder, path)

    def _manifests(self, one: Export, versions: list[dict[str, Any]]) -> Iterator[Member]:
        since, until = (instant(moment) if moment else None for moment in (one.since, one.until))
        wanted = [
            (leaf["list"], leaf["version"])
            for leaf in versions
            if one.list in (None, leaf["list"])
            and (since or "") <= leaf["at"]
            and (until is None or leaf["at"] < until)
        ]
        for name, version in sorted(wanted):
            with self._database.reading() as session:
                found = snapshots.get(session, name, version)
            path = f"manifests/{name}/{version}"
            yield f"{path}.json", found.manifest or b""
            yield f"{path}.jws", (found.manifest_jws or "").encode()

    def _reports(self, periods: list[str]) -> Iterator[Member]:
        """Of every month whose leaf is in the export; the log is always whole."""
        if periods:
            with self._database.reading() as session:
                for found in reports.kept(session, Months(periods[0], periods[-1])):
                    yield f"reports/{found.period}.jws", found.jws.encode()

    def _report(self, one: Export, state: State | None = None) -> None:
        with self._database.writing() as session:
            stored = session.get_one(Export, one.id)
            stored.done, stored.total, stored.recipient = one.done, one.total, one.recipient
            stored.state = state or stored.state
            session.add(stored)


def _unfinished(final: Path) -> Path:
    return final.with_name(f".{final.name}")


def _leaves(bundle: bytes, kind: bytes) -> list[dict[str, Any]]:
    """The bundle's leaves of a type, which is given as it stands in them."""
    return [json.loads(leaf) for leaf in merkle.unbundle(bundle) if kind in leaf]
