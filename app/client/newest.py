"""The newest version of a list, verified and in memory: by the chain of deltas or by the whole list.

Whichever is fewer bytes. A chain that fails in any way is no alarm, the whole list is taken instead; either
way the end is held to the same manifest, which the signed metadata leads to.
"""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from tuf.api.exceptions import DownloadError, RepositoryError

from app.client import opened
from app.client.content import Content, Damaged, open_line, whole
from app.client.delta import Change
from app.client.follow import Replayed
from app.client.installed import Installed
from app.client.session import LATER, Connection, Failed, Patience
from app.client.trusted import Refused, Trust, Trusted
from app.core import age
from app.core.manifest import Artefact, Manifest

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Candidate:
    """A verified version. `before` is what is installed; `added` and `removed` count entries against that.

    Against an installation that is not whole they are the least that it can be.
    `subscriber` is the subscribers' file's SHA-256 and the own part of it, when it is another than the
    installed one. `notice` is a word for the operator, not a fault of the version.
    """

    manifest: Manifest
    content: Content
    before: Manifest | None
    added: int = 0
    removed: int = 0
    subscriber: tuple[str, bytes] | None = None
    is_new: bool = True
    notice: str | None = None


def newest(
    connection: Connection, trusted: Trusted, name: str, installed: Installed, trust: Trust, known: str | None
) -> Candidate | None:
    """What the service offers, None when the list has no version yet. `known`: see Trusted.subscribers.

    Raises Refused, Damaged, Failed, OSError, and what TUF and httpx raise.
    """
    before = installed.manifest
    manifest = trusted.manifest(name)
    if manifest is None and connection.send("GET", f"/v1/lists/{name}").status_code == 404:
        raise Refused("there is no list of this name for you; ask the operator to subscribe you")
    if manifest is None:
        if before:
            raise Refused("the service no longer offers this list")
        return None
    if before and manifest.version < before.version:
        raise Refused(f"version {manifest.version} is older than the installed {before.version}")
    if before and manifest.version == before.version and manifest != before:
        raise Refused(f"another version {manifest.version} than the installed one is offered")
    if before and manifest == before and installed.is_whole:
        found = Candidate(manifest, Content([], []), before, is_new=False)
    else:
        found = _fetched(connection, trusted, manifest, installed, trust)
    try:
        return replace(found, subscriber=trusted.subscribers(name, known))
    except opened.Unreadable as closed:
        return replace(found, notice=str(closed))


def check_backing(log: Replayed, found: Candidate) -> None:
    """Every line's commitment stands in the log behind a quorum, and the log names just this set.

    Raises Refused.
    """
    manifest, size = found.manifest, found.manifest.log_size
    if size > log.checkpoint.size or log.root_at(size).hex() != manifest.log_root:
        raise Refused("the manifest was not made from a position of this log")
    if manifest.list not in log.replay.lists:
        raise Refused("the log knows no such list")
    backed = log.replay.listed_at(manifest.list, size)
    for line in map(open_line, found.content.lines):
        entry = line.entry.decode()
        if backed.get(entry) != line.commitment.hex() or log.replay.entries[entry].scope != line.scope:
            raise Refused(f"entry {entry} is not backed by a quorum in the log")
    published = log.replay.lists[manifest.list].versions.get(manifest.version)
    if published != manifest.commitments_sha256:
        raise Refused(f"the log did not record version {manifest.version} with these entries")


def _fetched(
    connection: Connection, trusted: Trusted, manifest: Manifest, installed: Installed, trust: Trust
) -> Candidate:
    reference, before = trusted.reference(manifest), installed.manifest
    content, old = None, installed.content
    if before and old and before.version < manifest.version:
        chain = _Chain(connection, trusted, manifest, reference.length, trust.identities)
        content = chain.applied(old, before.version)
    if content is None:
        content = _whole(trusted.download(reference), reference, manifest, trust.identities)
    if before and old is None:
        more = manifest.entry_count - before.entry_count
        return Candidate(manifest, content, before, max(0, more), max(0, -more))
    was, now = old.entries if old else set(), content.entries
    return Candidate(manifest, content, before, len(now - was), len(was - now))


class _Chain:
    """Deltas up to a version, for as long as they are fewer bytes than the whole list's `length`."""

    def __init__(
        self,
        connection: Connection,
        trusted: Trusted,
        manifest: Manifest,
        length: int,
        identities: tuple[str, ...],
    ) -> None:
        self._connection, self._trusted, self._manifest = connection, trusted, manifest
        self._left, self._identities = length - manifest.delta.length - 1, identities

    def applied(self, old: Content, version: int) -> Content | None:
        """What they make of `old`; None when they are not worth it, gone, or do not lead to the manifest.

        Raises Failed when the service asks to come later.
        """
        if self._left < 0:
            return None
        try:
            change = Change(old)
            for earlier in range(version + 1, self._manifest.version):
                delta = self._earlier(earlier)
                if delta is None:
                    return None
                change.feed(self._opened(delta))
            change.feed(self._opened(self._trusted.download(self._manifest.delta).read_bytes()))
            content = change.apply()
            content.check(self._manifest)
        except Failed as failure:
            if failure.status in LATER:
                raise
            return None
        except (Damaged, Refused, age.Unopened, DownloadError, RepositoryError, httpx.HTTPError):
            return None
        return content

    def _earlier(self, version: int) -> bytes | None:
        """Such a delta is in no signed metadata any more; None when it is gone, or too long."""
        path, body, patience = self._path(version), bytearray(), Patience(self._left)
        with self._connection.stream(path) as answer:
            stated = answer.headers.get("Content-Length", "0")
            if answer.status_code != 200 or (stated.isdecimal() and int(stated) > self._left):
                return None
            for chunk in answer.iter_bytes():
                patience.check()
                body += chunk
                if len(body) > self._left:
                    return None
        self._left -= len(body)
        return bytes(body)

    def _path(self, version: int) -> str:
        return f"/v1/lists/{self._manifest.list}/deltas/{version}"

    def _opened(self, delta: bytes) -> bytes:
        return age.unseal_bytes(delta, self._identities) if delta.startswith(age.MAGIC) else delta


def _whole(path: Path, reference: Artefact, manifest: Manifest, identities: tuple[str, ...]) -> Content:
    """The reference form opened. Raises Damaged or Refused."""
    if not reference.path.endswith(age.SUFFIX):
        return whole(path.read_bytes().splitlines(), manifest)
    if not identities:
        raise Refused("the list is sealed: pass --identity with the file that holds your age identity")
    text = io.BytesIO()
    try:
        with path.open("rb") as sealed:
            age.unseal(iter(lambda: sealed.read(_CHUNK), b""), text, identities)
    except age.Unopened:
        raise Refused("the list is sealed to none of these identities, or damaged") from None
    return whole(text.getvalue().splitlines(), manifest)
