"""Changing the keys of `token`, `manifest` and `log` while the service runs.

In this order: the new key is made beside the old one; its public half is announced; it takes the old one's
place; then it is noted as in force, and the old one's end with it. Killed at any line, the next run takes
the steps that are missing and no second key is made. Running processes look at the files themselves.

- `token`: what the old key signed counts until the last token's life is over.
- `manifest`: what the old key signed goes on being served, so the old key's public half stays.
- `log`: the old key goes on signing beside the new one, until `end_log` ends it: readers who have the old
  verifier key lose nothing meanwhile.

A key that is lost signs nothing beside its successor: `replace_lost` puts a fresh one in its place.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from app.files import sync_folder
from app.platform import key_forms
from app.platform.files import destroy, private_folder, write_atomically
from app.platform.key_files import read_private, stated, variable_of
from app.platform.key_forms import LOG
from app.platform.keyring import FILES, LEAVING, Keyring

NEXT = "next"
"""Folder of keys that do not sign yet."""


class State(StrEnum):
    """How far a change has come."""

    ANNOUNCED = "announced"
    """The new key's public half is published; the old one signs."""
    OVERLAP = "overlap"
    """Both sign."""
    DONE = "done"


class Refused(Exception):
    """The change cannot be made; nothing was changed. The text says what to do."""


@dataclass(frozen=True)
class Rotation:
    """What is so now: the key that signs, and the one before it, or the one announced."""

    role: str
    state: State
    id: str
    other: str | None = None


class Rotator:
    """Changes keys in a folder of keys. Only one works at a time; another waits."""

    def __init__(self, keys: Path) -> None:
        self._keys = keys

    def announce(self, role: str) -> Rotation:
        """Publish the next key's public half, and let the old one sign. Raises Refused, KeyUnusable."""
        with self._alone():
            keyring = Keyring(self._keys)
            current = keyring.public[role].in_force()
            identity = self._announced(keyring, role)
            return Rotation(role, State.ANNOUNCED, current.id if current else identity, identity)

    def rotate(self, role: str, now: datetime, overlap: timedelta | None) -> Rotation:
        """Have a new key sign. Others' signatures count for `overlap` still; None: without end.

        Raises Refused, KeyUnusable.
        """
        with self._alone():
            keyring = Keyring(self._keys)
            if role == LOG and self._is_overlapping():
                keyring.public[LOG].put_in_force(_id(keyring, LOG), now, None)
                return self._state_of_log(keyring)
            before = keyring.public[role].in_force()
            identity = self._announced(keyring, role)
            self._put_in_place(role)
            ends = None if overlap is None else now + overlap
            keyring.public[role].put_in_force(identity, now, ends)
            if role == LOG:
                return self._state_of_log(keyring)
            return Rotation(role, State.DONE, identity, before.id if before else None)

    def replace_lost(self, role: str, now: datetime, overlap: timedelta | None) -> Rotation:
        """Have a new key sign in the place of one that is gone, with no copy; `overlap` as in `rotate`.

        Raises Refused, KeyUnusable.
        """
        with self._alone():
            keyring = Keyring(self._keys)
            if stated(role):
                raise Refused(f"set {variable_of(role)} to a new key, and run this without --lost")
            is_here = keyring.is_here(role)
            if is_here and not self._is_half_replaced(keyring, role):
                raise Refused(f"the key of {role} is here: `wardlist keys rotate {role}` changes it")
            before = keyring.public[role].in_force()
            if before is None and not any((self._keys / name).exists() for name in FILES.values()):
                raise Refused("nothing here says that there was one: run `wardlist init`")
            text = keyring.private_text(role) if is_here else self._fresh(role)
            identity, public = key_forms.public_half(role, text)
            keyring.public[role].announce(identity, public)
            self._put_in_place(role)
            keyring.public[role].put_in_force(identity, now, None if overlap is None else now + overlap)
            return Rotation(role, State.DONE, identity, before.id if before else None)

    def _is_half_replaced(self, keyring: Keyring, role: str) -> bool:
        """Whether an earlier run put the new key in a lost one's place, and was stopped before it said so."""
        noted = keyring.public[role].one(_id(keyring, role))
        return noted is not None and noted.since is None and not self._leaving(role).exists()

    def end_log(self, now: datetime) -> Rotation:
        """End the log's old key: only the new one signs. Raises Refused."""
        with self._alone():
            keyring = Keyring(self._keys)
            if self._next(LOG).exists():
                raise Refused("the new key of the log does not sign yet; `wardlist keys rotate log` first")
            state = self._state_of_log(keyring)
            if stated(LOG) and state.other:
                raise Refused(f"take the old key out of {variable_of(LOG)} first, and run this without it")
            keyring.public[LOG].put_in_force(state.id, now, now)
            destroy(self._leaving(LOG))
            return Rotation(LOG, State.DONE, state.id, state.other)

    def _announced(self, keyring: Keyring, role: str) -> str:
        """The id of the key that is to sign next, its public half published."""
        keyring.tell(role)
        noted = keyring.public[role].one(_id(keyring, role))
        if stated(role) and noted and noted.since:
            raise Refused(f"set {variable_of(role)} to the new key first, and run this with it")
        is_signing = bool(noted and noted.since)
        # Otherwise it was handed in, or an earlier run put it in its place and was stopped before it said so.
        text = self._fresh(role) if is_signing else keyring.private_text(role)
        identity, public = key_forms.public_half(role, text)
        keyring.public[role].announce(identity, public)
        return identity

    def _fresh(self, role: str) -> str:
        path = self._next(role)
        if not path.exists():
            private_folder(path.parent)
            write_atomically(path, key_forms.fresh(role).encode(), mode=0o600)
        return read_private(path)

    def _is_overlapping(self) -> bool:
        """Whether the log's old key signs beside another one already. Raises Refused for a third."""
        leaving, current = self._leaving(LOG), self._keys / FILES[LOG]
        if not leaving.exists() or read_private(leaving) == read_private(current):
            return False
        if self._next(LOG).exists():
            raise Refused("the log's old key signs still; end it first with `wardlist keys rotate log --end`")
        return True

    def _put_in_place(self, role: str) -> None:
        """The next key becomes the current one; the log's old key stays beside it."""
        following, current = self._next(role), self._keys / FILES[role]
        if not following.exists():
            return
        if role == LOG and current.exists():
            private_folder(self._leaving(role).parent)
            write_atomically(self._leaving(role), read_private(current).encode(), mode=0o600)
        os.replace(following, current)
        sync_folder(current.parent)
        sync_folder(following.parent)

    def _state_of_log(self, keyring: Keyring) -> Rotation:
        identity = _id(keyring, LOG)
        sources = keyring.log_sources()
        if len(sources) == 1:
            return Rotation(LOG, State.DONE, identity)
        return Rotation(LOG, State.OVERLAP, identity, key_forms.public_half(LOG, sources[1].read())[0])

    def _next(self, role: str) -> Path:
        return self._keys / NEXT / FILES[role]

    def _leaving(self, role: str) -> Path:
        return self._keys / LEAVING / FILES[role]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._keys / "rotation.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _id(keyring: Keyring, role: str) -> str:
    return key_forms.public_half(role, keyring.private_text(role))[0]
