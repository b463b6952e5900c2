"""What was published, brought from the object store to a machine that shares no folder with the publisher.

In the order in which the mirror wrote it: what never changes, then the lists' newest manifests, the
checkpoint and last the TUF timestamp. Nothing is taken on the store's word: metadata is what was claimed in
the database, targets have the digest in their names, tiles lead to a checkpoint that is signed, and manifests
are the database's. So a store gone bad can keep news back, and no more.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import obstore
from obstore.exceptions import NotFoundError, NotModifiedError
from obstore.store import ObjectStore

from app.core import note
from app.platform import tile_files
from app.platform.files import replace_older, write_atomically, write_once
from app.platform.log_copy import LogCopy
from app.platform.pointers import CHECKPOINT, LATEST, TIMESTAMP, Differs, is_newer, is_pointer, number
from app.platform.store import Found, find
from app.platform.tree import Tree

METADATA, TARGETS = "tuf/metadata/", "tuf/targets/"
_WHOLE_EVERY_SECONDS = 60.0
_VERSIONS_ONE_BY_ONE = 20
_ENCODED = (".zst", ".gz")
_MODE = 0o640


class Record(Protocol):
    """What is known of what was published without the store."""

    def claimed(self, names: Iterable[str]) -> Mapping[str, str]:
        """SHA-256 of each of these metadata files that was claimed."""
        ...

    def manifest(self, name: str, version: int, for_canaries: bool) -> bytes | None:
        """A list's manifest, of a version that all may have or its canaries."""
        ...

    def checkpoint(self, signed: bytes) -> note.Checkpoint:
        """A checkpoint, its signature checked. Raises note.Malformed."""
        ...


class Follower:
    """Of one thread; nobody else writes to `tuf` and `log` under `home` while it pulls."""

    def __init__(
        self, store: ObjectStore, home: Path, record: Record, on_news: Callable[[], object] = lambda: None
    ) -> None:
        self._store, self._home, self._record, self._on_news = store, home, record, on_news
        self._log, self._tree = LogCopy(store, home), Tree(home)
        self._seen: dict[str, str | None] = {}
        self._whole_at: float | None = None
        self._is_tidy = True

    def pull(self) -> bool:
        """Bring what is new; whether something was. Raises obstore's BaseError, OSError or Differs.

        When it fails the next one begins anew.
        """
        is_whole_due = self._whole_at is None or time.monotonic() - self._whole_at > _WHOLE_EVERY_SECONDS
        changed = self._changed()
        if changed:
            self._bring(changed, is_whole=self._whole_at is None)
            self._seen |= {key: found.e_tag for key, found in changed.items()}
            self._is_tidy = False
        if is_whole_due and not self._is_tidy:
            self._delete_what_is_gone()
            self._is_tidy = True
        if is_whole_due:
            self._whole_at = time.monotonic()
        if changed:
            self._on_news()
        return bool(changed)

    def _changed(self) -> dict[str, Found]:
        """The pointers that are others than at the last look. Read before what they lead to."""
        found = {}
        for key in (CHECKPOINT, TIMESTAMP):
            if one := self._if_changed(key):
                found[key] = one
        for page in obstore.list(self._store, LATEST):
            for about in page:
                key = about["path"]
                is_other = key.endswith(".json") and self._seen.get(key, "") != about["e_tag"]
                if is_other and (one := find(self._store, key)):
                    found[key] = one
        return found

    def _if_changed(self, key: str) -> Found | None:
        try:
            return find(self._store, key, if_not=self._seen.get(key))
        except NotModifiedError:
            return None

    def _bring(self, changed: Mapping[str, Found], is_whole: bool) -> None:
        latest = {key: one.body for key, one in changed.items() if key.startswith(LATEST)}
        newer = {key: body for key, body in latest.items() if self._is_wanted(key, body)}
        if is_whole:
            self._bring_targets(_sizes(self._store, TARGETS))
        for key, body in newer.items():
            self._bring_versions(key, body)
        timestamp, checkpoint = changed.get(TIMESTAMP), changed.get(CHECKPOINT)
        if timestamp and self._is_wanted(TIMESTAMP, timestamp.body):
            self._bring_metadata(timestamp.body)
        for key, body in newer.items():
            self._replace(key, body, mode=_MODE, modified_seconds=number(key, body))
        if checkpoint and self._is_wanted(CHECKPOINT, checkpoint.body):
            self._bring_log(checkpoint.body)
        if timestamp and self._is_wanted(TIMESTAMP, timestamp.body):
            self._replace(TIMESTAMP, timestamp.body)

    def _is_wanted(self, key: str, body: bytes) -> bool:
        """Whether what is here is not newer."""
        try:
            found = (self._home / key).read_bytes()
        except FileNotFoundError:
            return True
        return not is_newer(key, found, body)

    def _bring_versions(self, key: str, body: bytes) -> None:
        """The files of each version since the one here: of those between, no metadata tells any more."""
        stated = json.loads(body)
        name, version = str(stated["list"]), int(stated["version"])
        for_canaries = key == f"{LATEST}{name}.canary.json"
        is_its_place = for_canaries or key == f"{LATEST}{name}.json"
        if not is_its_place or self._record.manifest(name, version, for_canaries) != body:
            raise Differs(f"version {version} of {name} is another one in the store")
        try:
            here = number(key, (self._home / key).read_bytes())
        except FileNotFoundError:
            here = version - _VERSIONS_ONE_BY_ONE
        if version - here > _VERSIONS_ONE_BY_ONE:
            self._bring_targets(_sizes(self._store, f"{TARGETS}lists/{name}/"))
            return
        for one in range(max(1, here + 1), version + 1):
            sizes = _sizes(self._store, f"{TARGETS}lists/{name}/{one}/")
            self._bring_targets(sizes)
            self._bring_pointers(name, sizes)

    def _bring_pointers(self, name: str, sizes: Mapping[str, int]) -> None:
        """A version's manifest also where the metadata of its time leads to, while it is there."""
        for key, size in sizes.items():
            if key.endswith(".manifest.json"):
                file = key.rsplit("/", 1)[-1]
                for folder in ("", "canary/"):
                    with suppress(NotFoundError, FileNotFoundError):
                        self._bring_targets({f"{TARGETS}lists/{name}/{folder}{file}": size})

    def _bring_metadata(self, timestamp: bytes) -> None:
        """What a timestamp leads to: targets, their roles, the snapshot role's metadata; and what others did.

        A client may have had an earlier timestamp of another machine.
        """
        self._require_claimed({f"{number(TIMESTAMP, timestamp)}.timestamp.json": timestamp})
        version = json.loads(timestamp)["signed"]["meta"]["snapshot.json"]["version"]
        snapshot = self._metadata([f"{version}.snapshot.json"])
        meta = json.loads(next(iter(snapshot.values())))["signed"]["meta"]
        roles = self._metadata([f"{about['version']}.{file}" for file, about in meta.items()])
        listed = [key.removeprefix(METADATA) for key in _sizes(self._store, METADATA)]
        earlier = self._metadata(
            name for name in self._record.claimed(listed) if not is_pointer(METADATA + name)
        )
        for body in roles.values():
            self._bring_targets(_named(json.loads(body)["signed"]))
        for name, body in {**earlier, **roles, **snapshot}.items():
            write_once(self._home / METADATA / name, body)

    def _metadata(self, names: Iterable[str]) -> dict[str, bytes]:
        """By name, from here or from the store. Raises Differs unless it is as it was claimed."""
        found = {}
        for name in names:
            path = self._home / METADATA / name
            body = path.read_bytes() if path.is_file() else None
            got = None if body is not None else find(self._store, METADATA + name)
            if body is None and got is None:
                raise NotFoundError(f"{name} is not in the store")
            found[name] = body if body is not None else got.body if got else b""
        self._require_claimed(found)
        return found

    def _require_claimed(self, files: Mapping[str, bytes]) -> None:
        claimed = self._record.claimed(files)
        for name, body in files.items():
            if claimed.get(name) != hashlib.sha256(body).hexdigest():
                raise Differs(f"{name} is not what was claimed")

    def _bring_targets(self, sizes: Mapping[str, int]) -> None:
        for key, size in sizes.items():
            path = self._home / key
            if ".." in path.parts:
                raise Differs("a key of the store leads out of its folder")
            if not key.endswith(_ENCODED) and not path.name.startswith(".") and not path.exists():
                digest = path.name.split(".", 1)[0]
                write_atomically(path, _checked(self._store, key, size, digest), mode=_MODE)

    def _bring_log(self, signed: bytes) -> None:
        checkpoint = self._record.checkpoint(signed)
        try:
            old = number(CHECKPOINT, (self._home / CHECKPOINT).read_bytes())
        except FileNotFoundError:
            old = 0
        self._log.bring(old, checkpoint)
        self._replace(CHECKPOINT, signed)
        tile_files.forget_partial(self._home / "log", old, checkpoint.size)

    def _replace(self, key: str, body: bytes, **how: Any) -> None:
        replace_older(self._home / key, body, lambda found: is_newer(key, found, body), **how)

    def _delete_what_is_gone(self) -> None:
        """Of targets and metadata; where this folder is ahead of the store nothing is.

        What the metadata leads to stays: the store has lost it.
        """
        here = self._home / TIMESTAMP
        there = find(self._store, TIMESTAMP)
        if there is None or not here.exists() or there.body != here.read_bytes():
            return
        present = {*_sizes(self._store, TARGETS), *_sizes(self._store, METADATA), *self._in_force()}
        for key in list(self._tree.files(TARGETS.rstrip("/"), METADATA.rstrip("/"))):
            if key not in present and not is_pointer(key) and not key.endswith(".root.json"):
                (self._home / key).unlink(missing_ok=True)

    def _in_force(self) -> Iterator[str]:
        """Metadata and targets that the timestamp here leads to."""

        def signed(name: str) -> Mapping[str, Any]:
            found: Mapping[str, Any] = json.loads((self._home / METADATA / name).read_bytes())["signed"]
            return found

        snapshot = f"{signed('timestamp.json')['meta']['snapshot.json']['version']}.snapshot.json"
        yield METADATA + snapshot
        for file, about in signed(snapshot)["meta"].items():
            role = f"{about['version']}.{file}"
            yield METADATA + role
            yield from _named(signed(role))


def _sizes(store: ObjectStore, prefix: str) -> dict[str, int]:
    return {one["path"]: one["size"] for page in obstore.list(store, prefix) for one in page}


def _named(role: Mapping[str, Any]) -> dict[str, int]:
    """The targets that a role names, as keys of the store, with their lengths."""
    found = {}
    for path, about in role.get("targets", {}).items():
        folder, _, file = path.rpartition("/")
        name = f"{about['hashes']['sha256']}.{file}"
        found[TARGETS + (f"{folder}/{name}" if folder else name)] = int(about["length"])
    return found


def _checked(store: ObjectStore, key: str, size: int, digest: str) -> Iterator[bytes]:
    """An object piece by piece. Raises Differs at its end, when it was not the one of that digest."""
    whole, length = hashlib.sha256(), 0
    for piece in obstore.get(store, key).stream():
        data = bytes(piece)
        whole.update(data)
        length += len(data)
        if length > size:
            break
        yield data
    if length != size or whole.hexdigest() != digest:
        raise Differs("a target in the store has not the digest of its name")
