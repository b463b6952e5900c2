"""The TUF repository on disk: what any TUF client can verify.

Roles: root and register (offline, 2 of 3 each), targets, snapshot, timestamp, and one delegated role per
list. Only timestamp.json is ever replaced; every other file has its version or hash in its name. What a
change brings is claimed as a whole before it is written (app/lists/metadata.py). Source: The Update Framework
specification 1.0, sections 4 and 6.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import rfc8785
from securesystemslib.signer import Signer, SSlibKey
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

from app.core import register
from app.core.manifest import Artefact
from app.core.register import Authority
from app.lists.fence import Claims
from app.lists.metadata import MetadataFolder
from app.lists.roots import Roots
from app.lists.targets import TargetFolder
from app.platform.files import private_folder
from app.platform.signers import LIST, ONLINE, Signers, make, offline_signer

OFFLINE_KEYS, OFFLINE_THRESHOLD = 3, 2
LIFE = {
    "root": timedelta(days=365),
    "targets": timedelta(days=180),
    "list": timedelta(days=30),
    "snapshot": timedelta(days=14),
    "timestamp": timedelta(hours=1),
}
RESIGN_TIMESTAMP = timedelta(minutes=10)
_CLOCK_STEP = timedelta(minutes=1)
"""By which a clock may be set back without more ado."""


class Repository:
    """Reads and writes the repository under `public` with the online keys under `keys`.

    What is published is claimed with `claims`; without, nobody else may publish at the time.
    """

    def __init__(self, public: Path, keys: Path, claims: Claims | None = None) -> None:
        self.metadata, self.targets = public / "metadata", TargetFolder(public / "targets")
        self.signers, self.roots = Signers(keys), Roots(self.metadata, keys)
        self._files = MetadataFolder(self.metadata, claims)

    @property
    def exists(self) -> bool:
        """Whether `create` was ever finished."""
        return (self.metadata / "timestamp.json").exists()

    def create(self, offline: Path, now: datetime) -> None:
        """Make keys and first metadata. Root's private keys go to `offline` and are used once, here."""
        private_folder(offline)
        roots = [_offline(offline / f"root-{number}.pem") for number in range(1, OFFLINE_KEYS + 1)]
        online = {role: self.signers.wanted(role) for role in ONLINE}
        registrars = [_offline(offline / f"register-{number}.pem") for number in range(1, OFFLINE_KEYS + 1)]
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
        files = {"1.root.json": _to_bytes(signed)}
        targets = Targets(expires=_ends(now, "targets"), delegations=_delegate_register(registrars))
        meta = {"targets.json": self._sign_role(files, "targets", targets)}
        self._publish_snapshot(meta, now, files)

    def authority(self) -> Authority:
        """The register's keys as root names them."""
        return self.roots.authority()

    def offer_register(self, proposal: dict[str, Any], now: datetime) -> None:
        """Serve a register version as it was signed offline. Doing it again changes nothing."""
        signed = Metadata[Targets].from_dict(copy.deepcopy(proposal["metadata"]))
        meta = self._meta()
        served = meta.get(f"{register.ROLE}.json")
        if served is None or served.version < signed.signed.version:
            self.targets.store(register.TARGET, (rfc8785.dumps(proposal["register"]),))
            files = {f"{signed.signed.version}.{register.ROLE}.json": _to_bytes(signed)}
            meta[f"{register.ROLE}.json"] = MetaFile(signed.signed.version)
            targets = self.role("targets")
            if _name_registrars(targets, proposal["register"]):
                meta["targets.json"] = self._sign_role(files, "targets", targets)
            self._publish_snapshot(meta, now, files)

    def add_list(self, name: str, now: datetime) -> bool:
        """Delegate `lists/<name>/` to a role of its own. False when it is there already."""
        targets = self.role("targets")
        delegations = targets.delegations or Delegations({}, {})
        if delegations.roles is None or name in delegations.roles:
            return False
        paths = [f"lists/{name}/*", f"lists/{name}/*/*"]
        delegations.roles[name] = DelegatedRole(name, [], 1, True, paths=paths)
        targets.delegations = delegations
        targets.add_key(self.signers.wanted(f"{LIST}{name}").public_key, name)
        self.resign({"targets": targets, name: Targets()}, now)
        return True

    def role(self, name: str) -> Targets:
        """What the targets role or a list's says now."""
        body: Targets = self._current(name, Targets).signed
        return body

    def resign(self, roles: Mapping[str, Targets], now: datetime) -> None:
        """Release new versions of roles, whole lives long, by the keys that the targets role then names."""
        meta, files = self._meta(), dict[str, bytes]()
        targets = roles.get("targets")
        for name, body in roles.items():
            body.expires = _ends(now, "targets" if body is targets else "list")
            meta[f"{name}.json"] = self._sign_role(files, name, body, targets)
        self._publish_snapshot(meta, now, files)

    def add_root(self, signed: Metadata[Root]) -> None:
        """Serve the next root: only once what it leads to is signed by its keys. Raises OSError."""
        self._files.release({f"{signed.signed.version}.root.json": _to_bytes(signed)})

    def publish(self, name: str, artefacts: Iterable[Artefact], now: datetime) -> None:
        """Make these files the list role's targets: role, then snapshot, then timestamp."""
        role = self._current(name, Targets)
        wanted = {one.path: TargetFile(one.length, {"sha256": one.sha256}, one.path) for one in artefacts}
        if role.signed.targets == wanted:
            return
        role.signed.targets = wanted
        role.signed.expires = _ends(now, "list")
        meta, files = self._meta(), dict[str, bytes]()
        meta[f"{name}.json"] = self._sign_role(files, name, role.signed)
        self._publish_snapshot(meta, now, files)

    def refresh(self, now: datetime) -> bool:
        """Re-sign whatever is due, the timestamp every ten minutes. True when something was."""
        meta, files = self._meta(), dict[str, bytes]()
        for file in meta:
            name = file.removesuffix(".json")
            if name == register.ROLE:
                continue
            current = self._current(name, Targets).signed
            life = LIFE["targets" if name == "targets" else "list"]
            if _is_due(current.expires - now, life / 2, life):
                current.expires = (now + life).replace(microsecond=0)
                meta[file] = self._sign_role(files, name, current)
        life = LIFE["snapshot"]
        if files or _is_due(self._files.snapshot.expires - now, life / 2, life):
            self._publish_snapshot(meta, now, files)
            return True
        timestamp = self._files.timestamp
        life = LIFE["timestamp"]
        if _is_due(timestamp.expires - now, life - RESIGN_TIMESTAMP, life):
            self._publish_timestamp(timestamp.snapshot_meta.version, now)
            return True
        return False

    def prune(self, now: datetime) -> None:
        """Delete metadata that has been superseded for an hour; every root stays."""
        self._files.prune(now.timestamp())

    def _meta(self) -> dict[str, MetaFile]:
        """What is in force, once all that was claimed is on the disk."""
        self._files.finish()
        return dict(self._files.snapshot.meta)

    def _current(self, role: str, kind: type) -> Metadata[Any]:
        version = self._meta()[f"{role}.json"].version
        return Metadata[kind].from_file(str(self.metadata / f"{version}.{role}.json"))  # type: ignore[valid-type]

    def _sign_role(
        self, files: dict[str, bytes], role: str, body: Targets, targets: Targets | None = None
    ) -> MetaFile:
        """Add a new version of a role to the files of a change; `targets` is the change's own, if it has."""
        if role == "targets":
            return self._sign(files, role, body, self._online(role))
        named = delegated(targets or self.role("targets"))[role]
        return self._sign(files, role, body, self.signers.of(f"{LIST}{role}", named.keyids))

    def _publish_snapshot(
        self, meta: dict[str, MetaFile], now: datetime, files: dict[str, bytes] | None = None
    ) -> None:
        """Release a change: `files`, the snapshot that leads to them, and its timestamp."""
        files = dict(files or {})
        body = Snapshot(expires=_ends(now, "snapshot"), meta=meta)
        version = self._sign(files, "snapshot", body, self._online("snapshot")).version
        self._publish_timestamp(version, now, files)

    def _publish_timestamp(
        self, snapshot_version: int, now: datetime, files: dict[str, bytes] | None = None
    ) -> None:
        files = dict(files or {})
        body = Timestamp(expires=_ends(now, "timestamp"), snapshot_meta=MetaFile(snapshot_version))
        self._sign(files, "timestamp", body, self._online("timestamp"))
        self._files.release(files)

    def _online(self, role: str) -> list[Signer]:
        """Before there is a root, the keys that it is going to name."""
        if not self.roots.exists:
            return [self.signers.wanted(role)]
        return self.signers.of(role, self.roots.may_sign(role), self.roots.welcome(role))

    def _sign(self, files: dict[str, bytes], role: str, body: Any, signers: Sequence[Signer]) -> MetaFile:
        body.version = self._files.next(role)
        signed = Metadata(body)
        for signer in signers:
            signed.sign(signer, append=True)
        files[f"{body.version}.{role}.json"] = _to_bytes(signed)
        return MetaFile(body.version)


def delegated(targets: Targets) -> dict[str, DelegatedRole]:
    """The roles that a targets role delegates to by name: the lists', and the register's."""
    return dict((targets.delegations and targets.delegations.roles) or {})


def _to_bytes(signed: Metadata[Any]) -> bytes:
    return signed.to_bytes(JSONSerializer(compact=True))


def _offline(path: Path) -> Signer:
    make(path)
    return offline_signer(str(path))


def _authority(signers: list[Signer]) -> Authority:
    keys = {one.public_key.keyid: one.public_key.keyval["public"] for one in signers}
    return Authority(keys, OFFLINE_THRESHOLD)


def _delegate_register(signers: list[Signer]) -> Delegations:
    keys = {one.public_key.keyid: one.public_key for one in signers}
    role = DelegatedRole(register.ROLE, list(keys), OFFLINE_THRESHOLD, True, paths=[register.TARGET])
    return Delegations(keys, {register.ROLE: role})


def _name_registrars(targets: Targets, stated: Mapping[str, Any]) -> bool:
    """Delegate the register's role to the keys that a version of it names. False when it is so already."""
    role = delegated(targets).get(register.ROLE)
    keys = stated.get("keys", {})
    if role is None or not keys or set(role.keyids) == set(keys):
        return False
    for keyid in list(role.keyids):
        targets.revoke_key(keyid, register.ROLE)
    for keyid, public in keys.items():
        targets.add_key(SSlibKey(keyid, "ed25519", "ed25519", {"public": public}), register.ROLE)
    role.threshold = int(stated["threshold"])
    return True


def _is_due(left: timedelta, least: timedelta, life: timedelta) -> bool:
    """Whether to sign anew what ends so late: too soon, or, by a clock that went wrong, not for long."""
    return left <= least or left > life + _CLOCK_STEP


def _ends(now: datetime, role: str) -> datetime:
    return (now + LIFE[role]).replace(microsecond=0)
