"""A copy of what is published, in an object store: S3 or another folder.

The local folder is the truth; the copy is a function of it, and repeating a push changes nothing. Immutable
files come first, then those that lead to them, the TUF timestamp last, and only then does what is gone here
go there. So whatever the timestamp in the store leads to is whole, wherever a push stops. The prefix belongs
to wardlist alone: what else lies under its `tuf/` and `log/` is deleted. Of two publishers with folders of
their own, one that is late replaces no newer pointer and deletes nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, ObjectStore

from app.platform import telemetry
from app.platform.pointers import CHECKPOINT, LATEST, TIMESTAMP, Differs, is_pointer
from app.platform.store import Pointers
from app.platform.tree import Tree

_ROOTS = ("tuf", "log")
_IN_PARTS_ABOVE = 32 << 20
_LASTING = "max-age=31536000, immutable"


class Mirror:
    """Of one publisher. `require` raises once another has taken over.

    After a failure the store is listed anew: it may have lost something.
    """

    def __init__(self, store: ObjectStore, home: Path, require: Callable[[], object] = lambda: None) -> None:
        self._store, self._home, self._tree, self._require = store, home, Tree(home), require
        self._pointers = Pointers(store)
        self._present: set[str] | None = None
        self._doubted: set[str] = set()
        self._pointed: dict[str, bytes] = {}
        self._is_tidy = False

    def send(self) -> None:
        """Bring the files that never change, of which nothing tells there yet. Raises as `push` does."""
        with self._or_forget():
            self._send_immutable(self._listed())

    def push(self) -> None:
        """Bring what is new to the store. Raises obstore's BaseError, OSError, Behind or Differs."""
        with self._or_forget():
            # Read first: whatever they lead to is on the disk by now.
            pointers = self._here()
            changed = {key: body for key, body in pointers.items() if self._pointed.get(key) != body}
            for key, body in changed.items():
                self._pointers.compare(key, body)
            if changed.keys() & {TIMESTAMP, CHECKPOINT}:
                self._send_immutable(self._listed())
            for key, body in changed.items():
                self._pointers.put(key, body, self._attributes(key))
                self._pointed[key] = body
            self._is_tidy = self._is_tidy and not changed

    def tidy(self) -> None:
        """Push, then delete from the store what the folder no longer has. Raises as `push` does."""
        self.push()
        if self._is_tidy or TIMESTAMP not in self._pointed:
            return
        with self._or_forget():
            present = self._listed()
            # Looked at after the store: what is listed is not of a publisher that came later.
            self._require()
            gone = sorted(present.difference(self._tree.files(*_ROOTS), self._pointed))
            if gone:
                obstore.delete(self._store, gone)
                present.difference_update(gone)
            self._is_tidy = True

    def something_went(self) -> None:
        """Files were deleted here: the next `tidy` looks for them."""
        self._is_tidy = False

    @contextmanager
    def _or_forget(self) -> Iterator[None]:
        """When the block fails nothing is known of the store any more."""
        kind = "folder" if isinstance(self._store, LocalStore) else "s3"
        try:
            yield
        except BaseException:
            telemetry.STORE_REACHABLE.labels(kind).set(0)
            self._present, self._pointed, self._is_tidy = None, {}, False
            self._pointers.forget()
            raise
        telemetry.STORE_REACHABLE.labels(kind).set(1)

    def _send_immutable(self, present: set[str]) -> None:
        for key in self._tree.files(*_ROOTS):
            if (key not in present or key in self._doubted) and not is_pointer(key):
                self._create(key, self._home / key)
                present.add(key)
                self._doubted.discard(key)

    def _create(self, key: str, path: Path) -> None:
        """Above a size in parts, which cannot be conditional; a file so large has its digest as name."""
        attributes = self._attributes(key)
        if path.stat().st_size > _IN_PARTS_ABOVE:
            obstore.put(self._store, key, path, use_multipart=True, attributes=attributes)
            return
        body = path.read_bytes()
        try:
            obstore.put(self._store, key, body, mode="create", use_multipart=False, attributes=attributes)
        except AlreadyExistsError:
            if bytes(obstore.get(self._store, key).bytes()) != body:
                raise Differs("an immutable file is in the store with other bytes") from None

    def _listed(self) -> set[str]:
        """What is there. Metadata must be shown to be ours: its names are numbers, which a restored backup
        gives again; those of targets are digests, and the log itself refuses to be forked.
        """
        if self._present is None:
            self._present = {
                one["path"] for root in _ROOTS for page in obstore.list(self._store, root) for one in page
            }
            self._doubted = {key for key in self._present if key.startswith("tuf/metadata/")}
        return self._present

    def _here(self) -> dict[str, bytes]:
        """The files that are replaced, in the order in which they are sent."""
        latest = sorted((self._home / LATEST).glob("[!.]*.json"))
        paths = [*latest, self._home / CHECKPOINT, self._home / TIMESTAMP]
        return {path.relative_to(self._home).as_posix(): path.read_bytes() for path in paths if path.exists()}

    def _attributes(self, key: str) -> dict[str, str]:
        """What it is served with. A folder keeps no such thing."""
        if isinstance(self._store, LocalStore):
            return {}
        kind = "application/json" if key.endswith(".json") else "application/octet-stream"
        reach = "private" if key.startswith("tuf/targets/") else "public"
        return {
            "Content-Type": "text/plain; charset=utf-8" if key == CHECKPOINT else kind,
            "Cache-Control": "no-cache" if is_pointer(key) else f"{reach}, {_LASTING}",
        }
