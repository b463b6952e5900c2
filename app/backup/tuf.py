"""The TUF metadata that one timestamp leads to, wherever it lies: read whole, verified from a known root on.

Expiry is no matter here: what an installation published before it was lost stays what clients have seen. The
order and the checks are those of The Update Framework specification 1.0, section 5.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from app.core.manifest import Artefact

TIMESTAMP = "timestamp.json"
_MOST_ROOTS = 1000
Read = Callable[[str], bytes | None]
"""Takes a name in the metadata folder; None where there is no such file."""


class Untrusted(ValueError):
    """Metadata that is missing, damaged or not signed by whom it must be. The text says which."""


@dataclass(frozen=True)
class Published:
    """Files by name, each role's version, the key ids that may sign each role, and all roles' targets."""

    files: dict[str, bytes]
    versions: dict[str, int]
    key_ids: dict[str, frozenset[str]]
    targets: tuple[Artefact, ...]


def published(read: Read, roots: dict[str, bytes]) -> Published | None:
    """Everything that the timestamp leads to, from the newest of these roots on. None without a timestamp.

    `roots` are `<version>.root.json`, trusted. Raises Untrusted, and what `read` raises.
    """
    body = read(TIMESTAMP)
    if body is None:
        return None
    try:
        return _Reading(read, roots).all(body)
    except (DeserializationError, RepositoryError, DownloadError, ValueError) as fault:
        raise Untrusted(f"TUF metadata that is not as it must be: {type(fault).__name__} {fault}") from None


class _Reading:
    def __init__(self, read: Read, roots: dict[str, bytes]) -> None:
        self._read, self.files = read, dict(roots)
        newest = max(roots, key=lambda name: int(name.partition(".")[0]))
        self._root = Metadata[Root].from_bytes(roots[newest])

    def all(self, timestamp_body: bytes) -> Published:
        self._follow_roots()
        root = self._root.signed
        timestamp = Metadata[Timestamp].from_bytes(timestamp_body)
        root.verify_delegate("timestamp", timestamp.signed_bytes, timestamp.signatures)
        self.files[TIMESTAMP] = timestamp_body
        snapshot = Metadata[Snapshot].from_bytes(
            self._file(f"{timestamp.signed.snapshot_meta.version}.snapshot.json")
        )
        root.verify_delegate("snapshot", snapshot.signed_bytes, snapshot.signatures)
        versions = {"timestamp": timestamp.signed.version, "snapshot": snapshot.signed.version}
        versions |= {file.removesuffix(".json"): meta.version for file, meta in snapshot.signed.meta.items()}
        versions["root"] = root.version
        roles = {role: self._role(role, versions[role]) for role in versions if role not in root.roles}
        top = self._role("targets", versions["targets"])
        root.verify_delegate("targets", top.signed_bytes, top.signatures)
        for name, role in roles.items():
            top.signed.verify_delegate(name, role.signed_bytes, role.signatures)
        delegated = top.signed.delegations.roles if top.signed.delegations else None
        key_ids = {name: frozenset(role.keyids) for name, role in (delegated or {}).items()}
        key_ids |= {name: frozenset(role.keyids) for name, role in root.roles.items()}
        targets = tuple(one for role in roles.values() for one in _targets(role.signed))
        return Published(self.files, versions, key_ids, targets)

    def _role(self, role: str, version: int) -> Metadata[Targets]:
        return Metadata[Targets].from_bytes(self._file(f"{version}.{role}.json"))

    def _follow_roots(self) -> None:
        for _ in range(_MOST_ROOTS):
            name = f"{self._root.signed.version + 1}.root.json"
            body = self._read(name)
            if body is None:
                return
            following = Metadata[Root].from_bytes(body)
            for root in (self._root.signed, following.signed):
                root.verify_delegate("root", following.signed_bytes, following.signatures)
            if f"{following.signed.version}.root.json" != name:
                raise Untrusted(f"{name} has another version inside")
            self._root, self.files[name] = following, body

    def _file(self, name: str) -> bytes:
        body = self._read(name)
        if body is None:
            raise Untrusted(f"TUF metadata {name} is missing")
        self.files[name] = body
        return body


def _targets(role: Targets) -> Iterator[Artefact]:
    for path, target in role.targets.items():
        yield Artefact(path=path, length=target.length, sha256=target.hashes["sha256"])
