"""The root metadata: which keys count for TUF's roles, version after version.

Every version stays, as a client walks from the one it was given to the newest. A next version that enough
offline keys signed waits in `keys/tuf/next/root.json` until the publisher puts it in force. Source: The
Update Framework specification 1.0, sections 4.3 and 5.3.
"""

from pathlib import Path

from tuf.api.metadata import Metadata, Root

from app.core import register
from app.core.register import Authority
from app.platform.signers import NEXT, TUF


class Roots:
    """Of the repository whose metadata lies in `metadata`, with the folder of keys beside it."""

    def __init__(self, metadata: Path, keys: Path) -> None:
        self._metadata = metadata
        self.staged_path = keys / TUF / NEXT / "root.json"
        self._known: dict[int, Metadata[Root]] = {}

    @property
    def exists(self) -> bool:
        """Whether there is a first one."""
        return self.path(1).exists()

    @property
    def version(self) -> int:
        """Of the newest one."""
        version = max(self._known, default=1)
        while self.path(version + 1).exists():
            version += 1
        return version

    @property
    def newest(self) -> Root:
        """The one in force. Raises tuf's StorageError."""
        return self.signed(self.version).signed

    def signed(self, version: int) -> Metadata[Root]:
        """One version with its signatures. Raises tuf's StorageError."""
        if version not in self._known:
            self._known[version] = Metadata[Root].from_file(str(self.path(version)))
        return self._known[version]

    def staged(self) -> Metadata[Root] | None:
        """The next one, once it waits to be put in force."""
        if not self.staged_path.exists():
            return None
        found = Metadata[Root].from_bytes(self.staged_path.read_bytes())
        return found if found.signed.version == self.version + 1 else None

    def required(self, role: str) -> set[str]:
        """The ids of keys of an online role of which one must sign."""
        return set(self.newest.roles[role].keyids)

    def may_sign(self, role: str) -> set[str]:
        """The ids of keys of which one must sign; a waiting root's too, which may be there for a lost key."""
        staged = self.staged()
        return self.required(role) | set(_ids(staged.signed, role) if staged else ())

    def welcome(self, role: str) -> set[str]:
        """The ids of keys that sign besides: of clients that have not walked on yet, or have already."""
        version, staged = self.version, self.staged()
        others = [self.signed(version - 1).signed] if version > 1 else []
        return {keyid for one in [*others, *([staged.signed] if staged else [])] for keyid in _ids(one, role)}

    def authority(self) -> Authority:
        """The register's keys as the newest one names them."""
        found = self.newest.unrecognized_fields[register.ROOT_FIELD]
        return Authority(found["keys"], found["threshold"])

    def path(self, version: int) -> Path:
        """Where a version lies."""
        return self._metadata / f"{version}.root.json"


def _ids(root: Root, role: str) -> list[str]:
    found: list[str] = root.roles[role].keyids
    return found
