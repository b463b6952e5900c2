"""The object store that everything published goes to: S3, or a folder. And its pointers, which never go back.

What a store must do: a put is atomic and durable on return, a read after it sees it, `create` refuses a name
that is taken, and a put with `If-Match` one that changed. A folder knows no If-Match: there a lock is held.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, NotFoundError, PreconditionError
from obstore.store import LocalStore, ObjectStore, S3Store

from app.platform.files import locked
from app.platform.pointers import Differs, is_newer
from app.platform.settings import Settings

if TYPE_CHECKING:
    from obstore import GetOptions, PutMode
    from obstore.store import S3Config

_CONNECT, _WHOLE_REQUEST = timedelta(seconds=2), timedelta(seconds=30)
_TRIES = 5
LARGEST = 32 << 20
"""Bytes of metadata, or of a pointer."""


class Behind(Differs):
    """The store has something newer: another publisher is at work, or this is a restored backup."""


@dataclass(frozen=True)
class Found:
    """An object and the validator that it has now."""

    body: bytes
    e_tag: str | None


class Pointers:
    """The objects that are replaced: by compare-and-swap, and only by what is newer."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._known: dict[str, Found] = {}

    def compare(self, key: str, body: bytes) -> None:
        """Raises Behind where the store has a newer one, or Differs."""
        found = self._look(key)
        if found and is_newer(key, found.body, body):
            raise Behind(f"the store has a newer {key.rsplit('/', 1)[-1]}")

    def put(self, key: str, body: bytes, attributes: dict[str, str]) -> None:
        """Replace what is there. As `compare`; TimeoutError when others replace it all the time."""
        if isinstance(self._store, LocalStore):
            with locked(Path(str(self._store.prefix))):
                self._known.pop(key, None)
                self.compare(key, body)
                obstore.put(self._store, key, body, use_multipart=False)
            return
        for _ in range(_TRIES):
            self.compare(key, body)
            known = self._known.get(key)
            if known and known.body == body:
                return
            try:
                mode: PutMode = {"e_tag": known.e_tag} if known else "create"
                done = obstore.put(
                    self._store, key, body, mode=mode, use_multipart=False, attributes=attributes
                )
            except (PreconditionError, AlreadyExistsError):
                self._known.pop(key, None)
                continue
            self._known[key] = Found(body, done["e_tag"])
            return
        raise TimeoutError("the store's pointer is replaced all the time")

    def forget(self) -> None:
        """Look at each anew."""
        self._known.clear()

    def _look(self, key: str) -> Found | None:
        if key not in self._known and (found := find(self._store, key)):
            self._known[key] = found
        return self._known.get(key)


def find(store: ObjectStore, key: str, most: int = LARGEST, if_not: str | None = None) -> Found | None:
    """A small object, None where there is none. Raises obstore's BaseError, Differs when it is not small.

    With the validator `if_not` raises NotModifiedError while the object has it.
    """
    options: GetOptions = {"if_none_match": if_not} if if_not else {}
    try:
        got = obstore.get(store, key, options=options)
    except (NotFoundError, FileNotFoundError):
        return None
    if got.meta["size"] > most:
        raise Differs("an object of the store is too large")
    return Found(bytes(got.bytes()), got.meta["e_tag"])


def store_of(settings: Settings) -> ObjectStore | None:
    """The store that the settings ask for. Credentials come from the environment (AWS_*)."""
    if not settings.store:
        return None
    place = urlsplit(settings.store)
    if place.scheme == "file":
        return LocalStore(prefix=place.path, mkdir=True)
    given: S3Config = {}
    if settings.store_endpoint:
        given["endpoint"] = settings.store_endpoint
    if settings.store_region:
        given["region"] = settings.store_region
    return S3Store(
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
