"""Someone who reads all that is published, all the time, and remembers each content that a name ever had."""

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import obstore
from obstore.store import ObjectStore

from app.core import merkle, note
from app.log.tiles import PublicLog

_POINTERS = ("tuf/metadata/timestamp.json", "log/checkpoint")


class Place(Protocol):
    """Somewhere that files are published."""

    def news(self) -> Iterable[tuple[str, bytes]]:
        """(name, bytes) of what changed since the last call."""
        ...


class FolderPlace:
    """An installation's folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._seen: dict[Path, tuple[int, int]] = {}

    def news(self) -> Iterator[tuple[str, bytes]]:
        for root in ("tuf", "log"):
            for path in (self._home / root).rglob("[!.]*"):
                try:
                    about = path.stat()
                    mark = about.st_ino, about.st_mtime_ns
                    if path.is_dir() or self._seen.get(path) == mark:
                        continue
                    body = path.read_bytes()
                except FileNotFoundError:
                    continue
                self._seen[path] = mark
                yield path.relative_to(self._home).as_posix(), body


class StorePlace:
    """An object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._seen: dict[str, str | None] = {}

    def news(self) -> Iterator[tuple[str, bytes]]:
        for page in obstore.list(self._store):
            for one in page:
                key = one["path"]
                if self._seen.get(key) != one["e_tag"] and key.startswith(("tuf/", "log/")):
                    try:
                        body = bytes(obstore.get(self._store, key).bytes())
                    except FileNotFoundError:
                        continue
                    self._seen[key] = one["e_tag"]
                    yield key, body


class Recorder(threading.Thread):
    """Of several places that are to say the same."""

    def __init__(self, *places: Place) -> None:
        super().__init__(daemon=True)
        self._places = places
        self.contents: dict[str, set[str]] = defaultdict(set)
        """Digests by name; a pointer's name has its number before it."""
        self.checkpoints: dict[int, set[bytes]] = defaultdict(set)
        """Roots by size."""
        self.backwards: list[str] = []
        self._numbers: dict[tuple[int, str], int] = {}
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(0.03)

    def stop(self) -> None:
        self._stopping.set()
        self.join()
        self.look()

    def look(self) -> None:
        """Once."""
        for number, place in enumerate(self._places):
            for name, body in place.news():
                self._note(number, name, body)

    def check(self, log: PublicLog) -> None:
        """Nothing had two contents, nothing went back, and each checkpoint extends those before it."""
        assert {name: found for name, found in self.contents.items() if len(found) > 1} == {}
        assert {size: roots for size, roots in self.checkpoints.items() if len(roots) > 1} == {}
        assert self.backwards == []
        heads = [(size, next(iter(roots))) for size, roots in sorted(self.checkpoints.items()) if size]
        for (old, old_root), (new, new_root) in pairwise(heads):
            proof = merkle.consistency_proof(old, new, log.nodes())
            merkle.verify_consistency(old, old_root, new, new_root, proof)

    def _note(self, place: int, name: str, body: bytes) -> None:
        if name == "log/checkpoint":
            found = note.Checkpoint.parse(body.partition(b"\n\n")[0] + b"\n")
            self.checkpoints[found.size].add(found.root)
            self._move(place, name, found.size)
            return
        if name in _POINTERS or name.startswith("tuf/latest/"):
            stated: Any = json.loads(body)
            number = int(stated["signed"]["version"] if name in _POINTERS else stated["version"])
            self._move(place, name, number)
            name = f"{number}.{name}"
        self.contents[name].add(hashlib.sha256(body).hexdigest())

    def _move(self, place: int, name: str, number: int) -> None:
        if number < self._numbers.get((place, name), 0):
            self.backwards.append(f"{name} of place {place} went back to {number}")
        self._numbers[place, name] = number
