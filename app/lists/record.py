"""What the database knows of what was published: by it a follower judges what an object store gives."""

from collections.abc import Iterable, Mapping

from app.core import note
from app.lists import fence, snapshots
from app.log.keys import LogKeys
from app.platform.database import Database
from app.platform.pointers import Differs


class DatabaseRecord:
    """A Record (app/platform/follower.py) of this installation."""

    def __init__(self, database: Database, log_keys: LogKeys) -> None:
        self._database, self._log_keys = database, log_keys

    def claimed(self, names: Iterable[str]) -> Mapping[str, str]:
        """SHA-256 of each of these metadata files that was claimed."""
        with self._database.reading() as session:
            return fence.claimed(session, names)

    def manifest(self, name: str, version: int, for_canaries: bool) -> bytes | None:
        """A list's manifest, of a version that is out for all, or for its canaries."""
        with self._database.reading() as session:
            found = snapshots.find(session, name, version)
            is_out = found and (found.is_served or (for_canaries and found.staged_at is not None))
            return found.manifest if found and is_out else None

    def checkpoint(self, signed: bytes) -> note.Checkpoint:
        """A checkpoint, its signature checked. Raises note.Malformed, or Differs from what was claimed."""
        found = self._log_keys.read(signed)
        name = fence.checkpoint_name(found.size)
        if self.claimed([name]).get(name, found.root.hex()) != found.root.hex():
            raise Differs("the checkpoint is not what was claimed")
        return found
