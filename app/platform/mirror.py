"""A copy of what is published, in an object store: S3 or another folder.

The local folder is the truth; the copy is a function of it, and repeating a push changes nothing. Immutable
files come first, then those that lead to them, the TUF timestamp last, and only then does what is gone here
go there. So whatever the timestamp in the store leads to is whole, wherever a push stops. The prefix belongs
to wardlist alone: what else lies under its `tuf/` and `log/` is deleted.

What a store must do: a put is atomic and durable on return, a read after it sees it, and `create` refuses a
name that is taken.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, ObjectStore, S3Store

from app.platform.settings import Settings
from app.platform.tree import Tree

if TYPE_CHECKING:
    from obstore.store import S3Config

TIMESTAMP, CHECKPOINT, LATEST = "tuf/metadata/timestamp.json", "log/checkpoint", "tuf/latest/"
_ROOTS = ("tuf", "log")
_IN_PARTS_ABOVE = 32 << 20
_CONNECT, _WHOLE_REQUEST = timedelta(seconds=2), timedelta(seconds=30)
_LASTING = "max-age=31536000, immutable"


class Differs(Exception):
    """The store has other bytes under a name that never changes: a restored backup, or another's prefix."""


class Mirror:
    """Of one publisher, which is the only one that writes `home` and the store.

    After a failure the store is listed anew: it may have lost something.
    """

    def __init__(self, store: ObjectStore, home: Path) -> None:
        self._store, self._home, self._tree = store, home, Tree(home)
        self._present: set[str] | None = None
        self._doubted: set[str] = set()
        self._pointed: dict[str, bytes] = {}
        self._is_tidy = False

    def push(self) -> None:
        """Bring what is new to the store. Raises obstore's BaseError, OSError or Differs."""
        with self._or_forget():
            # Read first: whatever they lead to is on the disk by now.
            pointers = self._pointers()
            changed = {key: body for key, body in pointers.items() if self._pointed.get(key) != body}
            if changed.keys() & {TIMESTAMP, CHECKPOINT}:
                self._send_immutable(self._listed())
            for key, body in changed.items():
                obstore.put(self._store, key, body, use_multipart=False, attributes=self._attributes(key))
                self._pointed[key] = body
            self._is_tidy = self._is_tidy and not changed

    def tidy(self) -> None:
        """Push, then delete from the store what the folder no longer has. Raises as `push` does."""
        self.push()
        if self._is_tidy or TIMESTAMP not in self._pointed:
            return
        with self._or_forget():
            present = self._listed()
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
        try:
            yield
        except BaseException:
            self._present, self._pointed, self._is_tidy = None, {}, False
            raise

    def _send_immutable(self, present: set[str]) -> None:
        for key in self._tree.files(*_ROOTS):
            if (key not in present or key in self._doubted) and not _is_pointer(key):
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

    def _pointers(self) -> dict[str, bytes]:
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
            "Cache-Control": "no-cache" if _is_pointer(key) else f"{reach}, {_LASTING}",
        }


def mirror_of(settings: Settings) -> Mirror | None:
    """The copy that the settings ask for. Credentials come from the environment (AWS_*)."""
    if not settings.store:
        return None
    place = urlsplit(settings.store)
    if place.scheme == "file":
        return Mirror(LocalStore(prefix=place.path, mkdir=True), settings.home)
    given: S3Config = {}
    if settings.store_endpoint:
        given["endpoint"] = settings.store_endpoint
    if settings.store_region:
        given["region"] = settings.store_region
    store = S3Store(
        place.netloc,
        prefix=place.path.strip("/") or None,
        config=given,
        client_options={
            "allow_http": settings.store_allow_http,
            "connect_timeout": _CONNECT,
            "timeout": _WHOLE_REQUEST,
        },
        # The next round tries again; a publisher that waits here publishes nothing meanwhile.
        retry_config={"max_retries": 1, "retry_timeout": _WHOLE_REQUEST},
    )
    return Mirror(store, settings.home)


def _is_pointer(key: str) -> bool:
    return key in (TIMESTAMP, CHECKPOINT) or key.startswith(LATEST)
