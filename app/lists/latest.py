"""The newest manifest of each list as a file, for a web server that answers polls without the service.

`<list>.json` is what all may have; `<list>.canary.json` what the list's canaries may, the staged version
while there is one. A web server makes a file's validator of its modification time, in whole seconds, and its
length; two versions can come within a second and be equally long. The time set here is therefore the
version's number, in seconds since 1970.
"""

from pathlib import Path

from sqlmodel import Session

from app.lists import snapshots
from app.lists.models import Snapshot
from app.platform.files import replace_older
from app.platform.pointers import LATEST, is_newer


class LatestFiles:
    """Under `folder`; written by the publisher alone, again whenever they are not what they should be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[Path, int] = {}

    def write(self, session: Session, name: str) -> None:
        """Bring a list's two files up to what the database says. Raises OSError."""
        served = snapshots.latest(session, name, served=True)
        self._put(self._folder / f"{name}.json", served)
        self._put(self._folder / f"{name}.canary.json", snapshots.newest_for_canaries(session, name))

    def _put(self, path: Path, newest: Snapshot | None) -> None:
        is_there = newest and self._written.get(path) == newest.version and path.exists()
        if newest and newest.manifest and not is_there:
            body, key = newest.manifest, f"{LATEST}{path.name}"
            replace_older(path, body, lambda found: is_newer(key, found, body), 0o640, newest.version)
            self._written[path] = newest.version
