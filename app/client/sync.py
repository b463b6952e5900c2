"""Bringing an installed list up to date: what cannot be verified is not installed."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tuf.api.exceptions import DownloadError, ExpiredMetadataError, RepositoryError

from app.client.content import Damaged
from app.client.files import private_folder
from app.client.follow import NO_WITNESSES, FollowedLog, LogError, Witnesses
from app.client.installed import Installed
from app.client.newest import Candidate, check_backing, newest
from app.client.session import Connection, Failed
from app.client.store import Store
from app.client.trusted import Refused, Trust, Trusted, followed_log
from app.core import note
from app.files import PRIVATE, lock

__all__ = ["NotWritten", "Refused", "Source", "Synced", "alone", "bring_up", "explained", "sync"]
_SKEW_SECONDS = 60
_TURN_SECONDS, _LOOK_SECONDS = 600.0, 0.02
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


class NotWritten(Refused):
    """This machine could not keep what came: its disk is full, read-only or broken."""


@dataclass(frozen=True)
class Synced:
    """What a sync did. `version` is 0 when the list has no version yet."""

    list: str
    version: int
    previous_version: int | None
    entry_count: int
    added: int
    removed: int
    content_sha256: str | None

    @property
    def is_changed(self) -> bool:
        """Whether another version was installed."""
        return self.version != (self.previous_version or 0)


def sync(
    connection: Connection,
    name: str,
    store: Store,
    root: bytes | None,
    trust_on_first_use: bool = False,
    log_key: note.Verifier | None = None,
    witnesses: Witnesses = NO_WITNESSES,
    is_canary: bool = False,
    identities: Sequence[str] = (),
) -> Synced:
    """Install the newest version of a list; for a canary of it, the one that canaries get first.

    See Trust for the arguments. Raises Refused or Failed; then what was installed stays as it was.
    """
    trust = Trust(root, trust_on_first_use, log_key, witnesses, is_canary, tuple(identities))
    return bring_up(connection, name, store, trust)


def bring_up(connection: Connection, name: str, store: Store, trust: Trust) -> Synced:
    """The same with what is trusted in one. Raises Refused or Failed."""
    with explained(connection), alone(store):
        found = Source(connection, name, store, trust).newest(Installed(store, name))
        if found is None:
            return Synced(name, 0, None, 0, 0, 0, None)
        if found.is_new:
            store.put(found.manifest, found.content, found.subscriber)
            store.point(name, found.manifest.version)
        elif found.subscriber:
            store.put_subscriber(name, *found.subscriber)
        store.take_back(name)
        return _synced(found)


class Source:
    """A list at the service, and the log behind it where the provider asks for that."""

    def __init__(self, connection: Connection, name: str, store: Store, trust: Trust) -> None:
        self.connection, self._name, self._store, self._trust = connection, name, store, trust
        self._log: FollowedLog | None = None

    def newest(self, installed: Installed) -> Candidate | None:
        """What the service offers, verified, None when there is no version yet. Hold `alone` meanwhile.

        Raises what `explained` explains.
        """
        folder, known = self._store.folder, self._store.subscriber_source(self._name)
        self._store.tidy()
        with tempfile.TemporaryDirectory(dir=folder, prefix=".sync-") as scratch:
            trusted = Trusted(self.connection, folder, self._trust, Path(scratch))
            found = newest(self.connection, trusted, self._name, installed, self._trust, known)
            if found and found.is_new and self._trust.log_key:
                self._log = self._log or followed_log(
                    self.connection, folder, self._trust.log_key, self._trust.witnesses
                )
                replayed = self._log.replay()
                trusted.check_authority(replayed)
                check_backing(replayed, found)
            return found


@contextmanager
def explained(connection: Connection) -> Iterator[None]:
    """Turn what goes wrong into Refused, NotWritten or Failed with words for people."""
    try:
        yield
    except Failed as failure:
        failure.args = (f"{failure}{_clock(connection)}",)
        raise
    except httpx.HTTPError as failure:
        raise Failed(f"the service does not answer ({type(failure).__name__})") from None
    except ExpiredMetadataError as expired:
        words = f"the service offers out-of-date signatures: {expired}{_clock(connection)}"
        raise Refused(words) from None
    except (DownloadError, RepositoryError) as failure:
        raise Refused(f"{type(failure).__name__}: {failure}") from None
    except (Damaged, LogError) as fault:
        raise Refused(str(fault)) from None
    except OSError as failure:
        place = f"{failure.filename}: " if isinstance(failure.filename, str) else ""
        words = failure.strerror or type(failure).__name__
        raise NotWritten(f"it could not be written: {place}{words}") from None


@contextmanager
def alone(store: Store) -> Iterator[None]:
    """Two syncs into one folder wait for each other, but not for one that hangs.

    Raises OSError or NotWritten.
    """
    private_folder(store.folder)
    handle = os.open(store.folder / "sync.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        try:
            lock(handle, time.monotonic() + _TURN_SECONDS, _LOOK_SECONDS)
        except TimeoutError:
            raise NotWritten("another sync into this folder does not come to its end") from None
        yield
    finally:
        os.close(handle)


def _clock(connection: Connection) -> str:
    """A word on this machine's clock when it and the service's are far apart."""
    ahead = connection.clock_ahead_seconds
    if abs(ahead) < _SKEW_SECONDS:
        return ""
    size, unit = next(one for one in _UNITS if abs(ahead) >= one[0])
    direction = "ahead of" if ahead > 0 else "behind"
    return (
        f"; this machine's clock is {abs(ahead) / size:.1f} {unit}s {direction} the service's, set it right"
    )


def _synced(found: Candidate) -> Synced:
    return Synced(
        found.manifest.list,
        found.manifest.version,
        found.before.version if found.before else None,
        found.manifest.entry_count,
        found.added,
        found.removed,
        found.manifest.content_sha256,
    )
