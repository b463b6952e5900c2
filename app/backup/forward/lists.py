"""Rows of lists and their versions, from leaves that came after the backup, and from the published manifests.

A version's manifest is held to the digest in its leaf. Which entries it took up and lost is what the replay
says.
"""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from app.backup.forward.state import CannotStep, Forward, Leaf, moment
from app.backup.places import Place
from app.core import jose
from app.core.manifest import Manifest, target_path
from app.core.replay import Published
from app.distribution.models import Receipt
from app.entries.models import Entry
from app.lists.models import (
    BlockList,
    Brake,
    BrakeRelease,
    ListPolicy,
    ListReader,
    Snapshot,
    Subscription,
)
from app.platform.keyring import Keyring

_NOT_KNOBS = ("at", "type", "list", "version", "client")


def _created(at: Forward, leaf: Leaf) -> None:
    """Its title is in no leaf; the key of its TUF role is adopting's matter."""
    name = leaf["list"]
    at.session.add(BlockList(name=name, title=name, created_at=moment(leaf["at"])))
    at.session.flush()
    _add_policy(at, leaf, 1)
    at.listed[name] = set()
    at.note(
        f"list {name} was created after the backup: give its title again, `wardlist list title {name} TITLE`"
    )


def _policy_changed(at: Forward, leaf: Leaf) -> None:
    _add_policy(at, leaf, leaf["version"])
    at.session.get_one(BlockList, leaf["list"]).policy_version = leaf["version"]
    at.session.flush()


def _add_policy(at: Forward, leaf: Leaf, version: int) -> None:
    knobs: dict[str, Any] = {name: value for name, value in leaf.items() if name not in _NOT_KNOBS}
    at.session.add(
        ListPolicy(
            list=leaf["list"],
            version=version,
            policy=knobs,
            changed_at=moment(leaf["at"]),
            client_id=leaf.get("client"),
        )
    )
    at.session.flush()


def _subscribed(at: Forward, leaf: Leaf) -> None:
    key = {"list": leaf["list"], "organisation_id": leaf["organisation"]}
    at.session.merge(Subscription(**key, created_at=moment(leaf["at"])))


def _unsubscribed(at: Forward, leaf: Leaf) -> None:
    at.session.delete(at.session.get_one(Subscription, (leaf["list"], leaf["organisation"])))


def _reader_added(at: Forward, leaf: Leaf) -> None:
    key = {"list": leaf["list"], "organisation_id": leaf["organisation"]}
    at.session.merge(ListReader(**key, created_at=moment(leaf["at"])))


def _reader_removed(at: Forward, leaf: Leaf) -> None:
    at.session.delete(at.session.get_one(ListReader, (leaf["list"], leaf["organisation"])))


def _protected(at: Forward, leaf: Leaf) -> None:
    at.note(f"protected hosts of {leaf['list']} were changed after the backup: give them again")


def _staged(at: Forward, leaf: Leaf) -> None:
    at.session.get_one(Snapshot, (leaf["list"], leaf["version"])).staged_at = moment(leaf["at"])


def _promoted(at: Forward, leaf: Leaf) -> None:
    at.session.get_one(Snapshot, (leaf["list"], leaf["version"])).promoted_at = moment(leaf["at"])


def _received(at: Forward, leaf: Leaf) -> None:
    applied_at = jose.claims(jose.unverified(leaf["signature"]))["applied_at"]
    at.session.add(
        Receipt(
            list=leaf["list"],
            version=leaf["version"],
            organisation_id=leaf["organisation"],
            client_id=leaf["client"],
            outcome=leaf["outcome"],
            content_sha256=leaf["content_sha256"],
            applied_at=moment(applied_at),
            signature=leaf["signature"],
            at=moment(leaf["at"]),
        )
    )


def _engaged(at: Forward, leaf: Leaf) -> None:
    at.session.add(
        Brake(
            id=str(uuid.uuid4()),
            list=leaf["list"],
            engaged_at=moment(leaf["at"]),
            reason=leaf["reason"],
            policy_version=at.session.get_one(BlockList, leaf["list"]).policy_version,
            difference_sha256=leaf["difference_sha256"],
            added=leaf["added"],
            removed=leaf["removed"],
        )
    )
    at.session.flush()


def _word_given(at: Forward, leaf: Leaf) -> None:
    at.session.merge(
        BrakeRelease(
            brake_id=_brake(at, leaf).id,
            organisation_id=leaf["organisation"],
            client_id=leaf["client"],
            difference_sha256=leaf["difference_sha256"],
            at=moment(leaf["at"]),
        )
    )


def _released(at: Forward, leaf: Leaf) -> None:
    found = _brake(at, leaf)
    found.released_at, found.difference_sha256 = moment(leaf["at"]), leaf["difference_sha256"]


def _brake_ended(at: Forward, leaf: Leaf) -> None:
    _brake(at, leaf).ended_at = moment(leaf["at"])


def _brake(at: Forward, leaf: Leaf) -> Brake:
    query = select(Brake).where(Brake.list == leaf["list"], col(Brake.ended_at).is_(None))
    found = at.session.exec(query).one()
    at.session.add(found)
    return found


class Versions:
    """Takes up the versions that the replay meets."""

    def __init__(self, at: Forward, place: Place, keyring: Keyring) -> None:
        self._at, self._place, self._keyring = at, place, keyring
        self.released: set[str] = set()
        self._met: list[tuple[Published, set[str]]] = []

    def note_release(self, leaf: Leaf) -> None:
        """The next version of the list is one that two people let out."""
        if leaf["type"] == "brake.ended" and leaf["used"] is True:
            self.released.add(leaf["list"])

    def meet(self, shown: Published, listed: Mapping[str, str]) -> None:
        """The replay is at a version, which holds these. It takes what is raised for the leaf's fault."""
        self._met.append((shown, set(listed)))

    def take_up(self) -> None:
        """The version that the replay met at this leaf, if it met one. Raises CannotStep."""
        while self._met:
            self._take_up(*self._met.pop())

    def _take_up(self, shown: Published, held: set[str]) -> None:
        at, name = self._at, shown.list
        body = self._manifest(shown)
        manifest = Manifest.model_validate_json(body)
        before = at.listed[name]
        self._move(name, shown.version, held - before, before - held)
        policy = at.session.get_one(BlockList, name).policy_version
        is_staged = bool(at.replay.lists[name].policy_at(manifest.log_size).canaries)
        at.session.merge(
            Snapshot(
                list=name,
                version=shown.version,
                published_at=moment(manifest.published_at),
                expires_at=moment(manifest.expires_at),
                entry_count=manifest.entry_count,
                added=len(held - before),
                removed=len(before - held),
                content_sha256=manifest.content_sha256,
                commitments_sha256=manifest.commitments_sha256,
                log_size=manifest.log_size,
                log_root=manifest.log_root,
                manifest=body,
                manifest_jws=jose.sign(body, self._keyring.manifest, typ="wardlist-manifest"),
                withdrawn=self._withdrawn(before - held),
                is_released=name in self.released,
                is_staged=is_staged,
                policy_version=policy,
            )
        )
        self.released.discard(name)
        at.session.flush()
        at.listed[name] = held

    def _manifest(self, shown: Published) -> bytes:
        path = target_path(shown.list, shown.version, f"{shown.manifest_sha256}.manifest.json")
        body = self._place.read(f"tuf/targets/{path}")
        if body is None:
            raise CannotStep(
                f"version {shown.version} of {shown.list} was published after the backup, and {self._place} "
                "does not show its manifest"
            )
        if hashlib.sha256(body).hexdigest() != shown.manifest_sha256:
            raise CannotStep(
                f"the manifest of version {shown.version} of {shown.list} is not that of its leaf"
            )
        return body

    def _move(self, name: str, version: int, added: set[str], removed: set[str]) -> None:
        """Rows say from which version to which an entry stood on its list."""
        for ids, column in ((added, "listed_in"), (removed, "delisted_in")):
            for start in range(0, len(ids), 500):
                some = sorted(ids)[start : start + 500]
                changed = sa.update(Entry).where(col(Entry.list) == name, col(Entry.id).in_(some))
                self._at.session.execute(changed.values({column: version}))
        self._at.session.expire_all()

    def _withdrawn(self, removed: set[str]) -> int:
        entries = self._at.replay.entries
        return sum(entries[one].why_delisted == "withdrawn" for one in removed)


def _published(at: Forward, leaf: Leaf) -> None:
    """A held version took up nothing that can wait, and went to all at once. It ends a trial before it."""
    before = at.session.get(Snapshot, (leaf["list"], leaf["version"] - 1))
    if before and before.is_on_trial:
        before.taken_back_at = moment(leaf["at"])
        at.session.add(before)
    found = at.session.get_one(Snapshot, (leaf["list"], leaf["version"]))
    found.is_held = leaf.get("held", False) is True
    if found.is_held:
        found.is_staged = False
    at.session.add(found)


def serve(at: Forward, led_to: Mapping[str, int]) -> None:
    """Say of each version whether all have it: TUF leads to it, or to a later one.

    The newest that TUF does not lead to yet is the next round's to finish.
    """
    for name, newest in led_to.items():
        out = (col(Snapshot.list) == name, col(Snapshot.version) <= newest)
        is_for_all = sa.or_(col(Snapshot.is_staged).is_(False), col(Snapshot.promoted_at).is_not(None))
        at.session.execute(sa.update(Snapshot).where(*out, is_for_all).values(is_served=True))
    at.session.expire_all()


CARRY: dict[str, Callable[[Forward, Leaf], None]] = {
    "list.created": _created,
    "policy.changed": _policy_changed,
    "list.subscribed": _subscribed,
    "list.unsubscribed": _unsubscribed,
    "list.reader_added": _reader_added,
    "list.reader_removed": _reader_removed,
    "list.protected": _protected,
    "list.published": _published,
    "list.staged": _staged,
    "list.promoted": _promoted,
    "receipt": _received,
    "brake.engaged": _engaged,
    "brake.release_given": _word_given,
    "brake.released": _released,
    "brake.ended": _brake_ended,
}
"""What each of these leaves changes in the rows."""
