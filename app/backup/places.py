"""Where published files can be seen from outside: a folder, a web server, an S3-compatible store.

A place is read only. Names are those below an installation's folder: `log/checkpoint`, `tuf/metadata/…`,
`tuf/targets/…`. A web server shows the same names.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import urlsplit

import httpx
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from app.platform.pointers import Differs
from app.platform.settings import Settings
from app.platform.store import find, store_of

LARGEST = 1 << 30
"""Bytes of a file that is taken from a place."""
_LARGEST_OF = {"log/checkpoint": 1 << 16, "tuf/metadata/": 1 << 26, "log/": 1 << 25}
"""Of what is read into memory before anything shows who made it: by how its name begins."""
_TIMEOUT_SECONDS, _LONGEST_SECONDS = 20, 3600
_ABSENT = (401, 403, 404, 410)
"""Answers that mean that a file is not there for us."""


class Unreachable(Exception):
    """A place that cannot be read. The text names it."""


class Place(Protocol):
    """Somewhere that published files lie."""

    def __str__(self) -> str:
        """As the operator wrote it."""

    def read(self, name: str) -> bytes | None:
        """A file, None where there is none for us. Raises Unreachable."""


class Folder:
    """The folder of an installation, or a copy of its `tuf` and `log`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_dir():
            raise Unreachable(f"{path} is no folder")

    def __str__(self) -> str:
        return str(self._path)

    def read(self, name: str) -> bytes | None:
        """Raises Unreachable."""
        try:
            path = self._path / name
            if not path.is_file():
                return None
            with path.open("rb") as file:
                body = file.read(_most(name) + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as failure:
            raise Unreachable(f"{self}: {failure.strerror}") from None
        if len(body) > _most(name):
            raise Unreachable(f"{self} shows a file that is too large")
        return body


class Web:
    """A running service, or a web server before its files."""

    def __init__(self, address: str, client: httpx.Client) -> None:
        self._address, self._client = address.rstrip("/"), client

    def __str__(self) -> str:
        return self._address

    def read(self, name: str) -> bytes | None:
        """Raises Unreachable."""
        try:
            with self._client.stream("GET", f"{self._address}/{name}") as answer:
                if answer.status_code in _ABSENT:
                    return None
                if answer.status_code != 200:
                    raise Unreachable(f"{self} answers {answer.status_code}")
                return self._whole(answer, _most(name))
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            raise Unreachable(f"{self} does not answer: {type(failure).__name__}") from None

    def _whole(self, answer: httpx.Response, most: int) -> bytes:
        body, end = bytearray(), time.monotonic() + _LONGEST_SECONDS
        for part in answer.iter_bytes():
            body += part
            if len(body) > most or time.monotonic() > end:
                raise Unreachable(f"{self} sends a file that is too large, or too slowly")
        return bytes(body)


class Store:
    """An object store that a publisher keeps a copy in."""

    def __init__(self, address: str, store: ObjectStore) -> None:
        self._address, self._store = address, store

    def __str__(self) -> str:
        return self._address

    def read(self, name: str) -> bytes | None:
        """Raises Unreachable."""
        try:
            found = find(self._store, name, _most(name))
        except (BaseError, OSError, Differs) as failure:
            raise Unreachable(f"{self} cannot be read: {type(failure).__name__}") from None
        return found.body if found else None


class Several:
    """Places that are looked at one after the other. What is taken from them is held to digests."""

    def __init__(self, first: Place, others: Sequence[Place]) -> None:
        self._all = (first, *(one for one in others if one is not first))

    def __str__(self) -> str:
        return str(self._all[0])

    def read(self, name: str) -> bytes | None:
        """Raises Unreachable."""
        return next((body for one in self._all if (body := one.read(name)) is not None), None)


def _most(name: str) -> int:
    return next((most for start, most in _LARGEST_OF.items() if name.startswith(start)), LARGEST)


@contextmanager
def places(settings: Settings, stated: list[str]) -> Iterator[list[Place]]:
    """Those stated, and the store of the settings. Raises Unreachable."""
    client = httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False)
    asked = [*stated, *([settings.store] if settings.store and settings.store not in stated else [])]
    with client:
        yield [_place(settings, one, client) for one in asked]


def _place(settings: Settings, stated: str, client: httpx.Client) -> Place:
    scheme = urlsplit(stated).scheme
    if scheme in ("http", "https"):
        return Web(stated, client)
    if scheme == "file":
        return Folder(Path(urlsplit(stated).path))
    if scheme == "s3":
        try:
            store = store_of(settings.model_copy(update={"store": stated}))
        except (BaseError, ValueError, OSError) as failure:
            raise Unreachable(f"{stated} cannot be opened: {type(failure).__name__}") from None
        return Store(stated, cast(ObjectStore, store))
    return Folder(Path(stated))
