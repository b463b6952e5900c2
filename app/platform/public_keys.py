"""Public halves of keys that change: which there were, since when, and until when they count.

One file a role, `keys/public/<role>.json`, readable by everyone: a process that only verifies needs no
private key. A new key is announced here before it signs, and one that went keeps its line.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.platform.clock import instant
from app.platform.files import write_atomically
from app.platform.key_files import KeyUnusable

FOLDER = "public"


@dataclass(frozen=True)
class PublicKey:
    """`id` is a thumbprint or key id; `key` the public half in the role's own form.

    `since` None: announced, not in force yet. `until` None: no end.
    """

    id: str
    key: dict[str, Any]
    since: datetime | None = None
    until: datetime | None = None

    def counts(self, now: datetime) -> bool:
        """Whether what it signed is to be believed at that moment."""
        return self.until is None or now < self.until


class PublicKeys:
    """The keys of one role, oldest first. Read anew when the file changed."""

    def __init__(self, keys: Path, role: str) -> None:
        self._path = keys / FOLDER / f"{role}.json"
        self._known: tuple[tuple[int, int, int], tuple[PublicKey, ...]] | None = None

    def all(self) -> tuple[PublicKey, ...]:
        """Every key there was; none where nothing was written yet.

        Raises KeyUnusable for a file that is none, or that others can write: whoever adds a key is believed.
        """
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return ()
        if found.st_mode & 0o022:
            raise KeyUnusable(f"others can write {self._path}: run `chmod 644 {self._path}`")
        mark = (found.st_mtime_ns, found.st_ino, found.st_size)
        if self._known is None or self._known[0] != mark:
            self._known = mark, _read(self._path)
        return self._known[1]

    def one(self, identity: str) -> PublicKey | None:
        """The key of that id."""
        return next((one for one in self.all() if one.id == identity), None)

    def in_force(self) -> PublicKey | None:
        """The key that signs."""
        return next((one for one in reversed(self.all()) if one.since), None)

    def announce(self, identity: str, key: dict[str, Any]) -> None:
        """Note a key that does not sign yet; one that is known stays as it is. Raises OSError."""
        if self.one(identity) is None:
            self._write([*self.all(), PublicKey(identity, key)])

    def put_in_force(self, identity: str, now: datetime, others_end: datetime | None) -> None:
        """The announced key signs from now on; the others count until `others_end` at the latest.

        None: without end, as before. Doing it again changes nothing. Raises OSError.
        """
        before = self.all()
        # The last one to sign is in force: a clock that was set back makes none older than those before it.
        since = max([_whole(now), *(one.since for one in before if one.since)])
        after = [
            replace(one, since=one.since or since)
            if one.id == identity
            else replace(one, until=_earlier(one.until, others_end))
            for one in before
        ]
        after.sort(key=lambda one: one.since or datetime.max.replace(tzinfo=UTC))
        if after != list(before):
            self._write(after)

    def _write(self, keys: list[PublicKey]) -> None:
        lines = [
            {
                "id": one.id,
                "key": one.key,
                "since": one.since and instant(one.since),
                "until": one.until and instant(one.until),
            }
            for one in keys
        ]
        write_atomically(self._path, json.dumps(lines, indent=1).encode())


def _read(path: Path) -> tuple[PublicKey, ...]:
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, list):
            raise ValueError
        return tuple(
            PublicKey(str(one["id"]), dict(one["key"]), _moment(one["since"]), _moment(one["until"]))
            for one in found
        )
    except (OSError, ValueError, KeyError, TypeError):
        raise KeyUnusable(
            f"{path} cannot be read: it lists public keys and was written by wardlist"
        ) from None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    given = [moment for moment in (one, other and _whole(other)) if moment]
    return min(given, default=None)
