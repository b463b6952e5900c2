"""The TUF repository on disk: what any TUF client can verify.

Roles: root and register (offline, 2 of 3 each), targets, snapshot, timestamp, and one delegated role per
list. Only timestamp.json is ever replaced; every other file has its version or hash in its name. A crash
leaves files that nothing refers to, and the next run takes the version number after them. Source: The Update
Framework specification 1.0, sections 4 and 6.
"""

import copy
import hashlib
import os
import tempfile
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import rfc8785
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from app.core import age, register
from app.core.manifest import Artefact
from app.core.register import Authority
from app.files import sync_folder
from app.platform.files import private_folder, write_atomically

OFFLINE_KEYS, OFFLINE_THRESHOLD = 3, 2
LIFE = {
    "root": timedelta(days=365),
    "targets": timedelta(days=180),
    "list": timedelta(days=30),
    "snapshot": timedelta(days=14),
    "timestamp": timedelta(hours=1),
}
RESIGN_TIMESTAMP = timedelta(minutes=10)
_ONLINE = ("targets", "snapshot", "timestamp")


class _Counted:
    """A file, and the length and SHA-256 of what was written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.whole, self.length = file, hashlib.sha256(), 0

    def write(self, data: bytes, /) -> int:
        self.whole.update(data)
        self.length += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


class Repository:
    """Reads and writes the repository under `public` with the online keys under `keys`."""

    def __init__(self, public: Path, keys: Path) -> None:
        self.metadata, self.targets_folder, self._keys = public / "metadata", public / "targets", keys / "tuf"

    @property
    def exists(self) -> bool:
        """Whether `create` was ever finished."""
        return (self.metadata / "timestamp.json").exists()

    def create(self, offline: Path, now: datetime) -> None:
        """Make keys and first metadata. Root's private keys go to `offline` and are used once, here."""
        private_folder(self._keys)
        private_folder(offline)
        roots = [_signer(offline / f"root-{number}.pem") for number in range(1, OFFLINE_KEYS + 1)]
        online = {role: _signer(self._keys / f"{role}.pem") for role in _ONLINE}
        registrars = [_signer(offline / f"register-{number}.pem") for number in range(1, OFFLINE_KEYS + 1)]
        authority = _authority(registrars)
        stated = {"keys": dict(authority.keys), "threshold": authority.threshold}
        root = Root(
            expires=_ends(now, "root"),
            consistent_snapshot=True,
            unrecognized_fields={register.ROOT_FIELD: stated},
        )
        for signer in roots:
            root.add_key(signer.public_key, "root")
        for role, signer in online.items():
            root.add_key(signer.public_key, role)
        root.roles["root"].threshold = OFFLINE_THRESHOLD
        signed = Metadata(root)
        for signer in roots:
            signed.sign(signer, append=True)
        self._write("1.root.json", signed)
        targets = Targets(expires=_ends(now, "targets"), delegations=_delegate_register(registrars))
        self._write_role("targets", targets)
        self._publish_snapshot({"targets.json": MetaFile(1)}, now)

    def authority(self) -> Authority:
        """The register's keys as root names them."""
        stated = Metadata[Root].from_file(str(self.metadata / "1.root.json")).signed.unrecognized_fields
        found = stated[register.ROOT_FIELD]
        return Authority(found["keys"], found["threshold"])

    def offer_register(self, proposal: dict[str, Any], now: datetime) -> None:
        """Serve a register version as it was signed offline. Doing it again changes nothing."""
        signed = Metadata[Targets].from_dict(copy.deepcopy(proposal["metadata"]))
        meta = self._meta()
        served = meta.get(f"{register.ROLE}.json")
        if served is None or served.version < signed.signed.version:
            self.store(register.TARGET, (rfc8785.dumps(proposal["register"]),))
            self._write(f"{signed.signed.version}.{register.ROLE}.json", signed)
            meta[f"{register.ROLE}.json"] = MetaFile(signed.signed.version)
            self._publish_snapshot(meta, now)

    def add_list(self, name: str, now: datetime) -> bool:
        """Delegate `lists/<name>/` to a role of its own. False when it is there already."""
        targets = self._current("targets", Targets)
        delegations = targets.signed.delegations or Delegations({}, {})
        if delegations.roles is None or name in delegations.roles:
            return False
        signer = _signer(self._keys / f"list-{name}.pem")
        paths = [f"lists/{name}/*", f"lists/{name}/*/*"]
        delegations.roles[name] = DelegatedRole(name, [], 1, True, paths=paths)
        targets.signed.delegations = delegations
        targets.signed.add_key(signer.public_key, name)
        targets.signed.expires = _ends(now, "targets")
        meta = self._meta()
        meta["targets.json"] = MetaFile(self._write_role("targets", targets.signed))
        role = Targets(expires=_ends(now, "list"))
        meta[f"{name}.json"] = MetaFile(self._write_role(name, role))
        self._publish_snapshot(meta, now)
        return True

    def store(self, path: str, chunks: Iterable[bytes], recipients: list[str] | None = None) -> Artefact:
        """Write a target file under its hash, sealed to `recipients` unless None.

        Writing the same again changes nothing, unless it is sealed. Raises OSError.
        """
        folder = (self.targets_folder / path).parent
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".writing-")
        try:
            with os.fdopen(handle, "wb") as file:
                counted = _Counted(file)
                if recipients is None:
                    for chunk in chunks:
                        counted.write(chunk)
                else:
                    age.seal(chunks, counted, recipients)
                file.flush()
                os.fchmod(file.fileno(), 0o640)
                os.fsync(file.fileno())
            artefact = Artefact(path=path, length=counted.length, sha256=counted.whole.hexdigest())
            os.replace(temporary, self.locate(artefact))
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(folder)
        return artefact

    def locate(self, artefact: Artefact) -> Path:
        """Where a target file lies on disk."""
        path = self.targets_folder / artefact.path
        return path.with_name(f"{artefact.sha256}.{path.name}")

    def publish(self, name: str, artefacts: Iterable[Artefact], now: datetime) -> None:
        """Make these files the list role's targets: role, then snapshot, then timestamp."""
        role = self._current(name, Targets)
        wanted = {one.path: TargetFile(one.length, {"sha256": one.sha256}, one.path) for one in artefacts}
        if role.signed.targets == wanted:
            return
        role.signed.targets = wanted
        role.signed.expires = _ends(now, "list")
        meta = self._meta()
        meta[f"{name}.json"] = MetaFile(self._write_role(name, role.signed))
        self._publish_snapshot(meta, now)

    def forget(self, name: str, first: int, end: int) -> None:
        """Delete the entries' files of versions first..end-1, and the delta that brought `first`."""
        for version in range(first, end):
            for path in (self.targets_folder / "lists" / name / str(version)).glob("*"):
                kind = path.name.split(".", 1)[1]
                if kind != "manifest.json" and (not kind.startswith("delta.") or version == first):
                    path.unlink()

    def forget_unfinished(self) -> None:
        """Delete what a crash left half-written; only while no other publisher is at work."""
        for path in self.targets_folder.rglob(".writing-*"):
            path.unlink()

    def refresh(self, now: datetime) -> bool:
        """Re-sign whatever is due, the timestamp every ten minutes. True when something was."""
        meta = self._meta()
        changed = False
        for file in meta:
            name = file.removesuffix(".json")
            if name == register.ROLE:
                continue
            current = self._current(name, Targets).signed
            life = LIFE["targets" if name == "targets" else "list"]
            if current.expires - now < life / 2:
                current.expires = (now + life).replace(microsecond=0)
                meta[file] = MetaFile(self._write_role(name, current))
                changed = True
        snapshot = self._current("snapshot", Snapshot).signed
        if changed or snapshot.expires - now < LIFE["snapshot"] / 2:
            self._publish_snapshot(meta, now)
            return True
        timestamp = self._timestamp().signed
        if timestamp.expires - now <= LIFE["timestamp"] - RESIGN_TIMESTAMP:
            self._publish_timestamp(timestamp.snapshot_meta.version, now)
            return True
        return False

    def prune(self, now: datetime) -> None:
        """Delete metadata that has been superseded for an hour; every root stays."""
        kept = {f"{meta.version}.{file}" for file, meta in self._meta().items()}
        kept |= {f"{self._timestamp().signed.snapshot_meta.version}.snapshot.json", "timestamp.json"}
        for path in self.metadata.glob("*.json"):
            old = now.timestamp() - path.stat().st_mtime > 3600
            if old and path.name not in kept and not path.name.endswith(".root.json"):
                path.unlink()

    def _meta(self) -> dict[str, MetaFile]:
        return dict(self._current("snapshot", Snapshot).signed.meta)

    def _timestamp(self) -> Metadata[Timestamp]:
        return Metadata[Timestamp].from_file(str(self.metadata / "timestamp.json"))

    def _current(self, role: str, kind: type) -> Metadata[Any]:
        version = self._timestamp().signed.snapshot_meta.version
        if role != "snapshot":
            version = self._meta()[f"{role}.json"].version
        return Metadata[kind].from_file(str(self.metadata / f"{version}.{role}.json"))  # type: ignore[valid-type]

    def _next(self, role: str) -> int:
        suffix = f".{role}.json"
        numbers = (path.name.removesuffix(suffix) for path in self.metadata.glob(f"*{suffix}"))
        return max((int(number) for number in numbers if number.isdigit()), default=0) + 1

    def _write_role(self, role: str, body: Targets) -> int:
        body.version = self._next(role)
        key = role if role == "targets" else f"list-{role}"
        signed = Metadata(body)
        signed.sign(_signer(self._keys / f"{key}.pem"))
        self._write(f"{body.version}.{role}.json", signed)
        return body.version

    def _publish_snapshot(self, meta: dict[str, MetaFile], now: datetime) -> None:
        body = Snapshot(version=self._next("snapshot"), expires=_ends(now, "snapshot"), meta=meta)
        signed = Metadata(body)
        signed.sign(_signer(self._keys / "snapshot.pem"))
        self._write(f"{body.version}.snapshot.json", signed)
        self._publish_timestamp(body.version, now)

    def _publish_timestamp(self, snapshot_version: int, now: datetime) -> None:
        version = self._timestamp().signed.version + 1 if self.exists else 1
        body = Timestamp(
            version=version, expires=_ends(now, "timestamp"), snapshot_meta=MetaFile(snapshot_version)
        )
        signed = Metadata(body)
        signed.sign(_signer(self._keys / "timestamp.pem"))
        self._write("timestamp.json", signed)

    def _write(self, name: str, signed: Metadata[Any]) -> None:
        write_atomically(self.metadata / name, signed.to_bytes(JSONSerializer(compact=True)))


def _authority(signers: list[CryptoSigner]) -> Authority:
    keys = {one.public_key.keyid: one.public_key.keyval["public"] for one in signers}
    return Authority(keys, OFFLINE_THRESHOLD)


def _delegate_register(signers: list[CryptoSigner]) -> Delegations:
    keys = {one.public_key.keyid: one.public_key for one in signers}
    role = DelegatedRole(register.ROLE, list(keys), OFFLINE_THRESHOLD, True, paths=[register.TARGET])
    return Delegations(keys, {register.ROLE: role})  # type: ignore[arg-type]


def _ends(now: datetime, role: str) -> datetime:
    return (now + LIFE[role]).replace(microsecond=0)


def _signer(path: Path) -> CryptoSigner:
    """The Ed25519 key of this file, made when it is missing."""
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_atomically(path, pem, mode=0o600)
    private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError(f"{path.name} is not an Ed25519 key")
    return CryptoSigner(private)
