"""Rules of leaves about lists: policies, versions and their sets of commitments, and brakes."""

from datetime import datetime

from app.core import brake, commitment
from app.core.brake import Difference
from app.core.lifecycle import Status
from app.core.policy import Policy
from app.core.replay import staging
from app.core.replay.state import Leaf, List, Past, Published, World
from app.core.terms import BrakeReason, Kind


def created(world: World, leaf: Leaf) -> None:
    """A new list, with version 1 of its policy."""
    if leaf["list"] in world.lists:
        world.fail("a new list")
    policy = Policy.recorded(leaf)
    world.lists[leaf["list"]] = List(leaf["list"], policy)
    world.lists[leaf["list"]].adopt(world.size, policy)


def policy_changed(world: World, leaf: Leaf) -> None:
    """The next version of a policy, whole."""
    found = known(world, leaf)
    if leaf["version"] != len(found.policies) + 1:
        world.fail(f"version {len(found.policies) + 1} of the policy")
    found.adopt(world.size, Policy.recorded(leaf))


def known(world: World, leaf: Leaf) -> List:
    """The list was created before."""
    found = world.lists.get(leaf["list"])
    if found is None:
        world.fail("a list that was created")
    return found


def known_only(world: World, leaf: Leaf) -> None:
    """The list was created before."""
    known(world, leaf)


def reader_added(world: World, leaf: Leaf) -> None:
    """An authority may read the list's entries from here on."""
    reader, pair = world.organisations[leaf["organisation"]], (leaf["list"], leaf["organisation"])
    if reader.kind is not Kind.LAW_ENFORCEMENT or pair in world.list_readers:
        world.fail("law enforcement that is no reader of the list yet")
    known(world, leaf)
    world.list_readers.add(pair)


def reader_removed(world: World, leaf: Leaf) -> None:
    """It no longer may."""
    if (leaf["list"], leaf["organisation"]) not in world.list_readers:
        world.fail("a reader of the list")
    world.list_readers.remove((leaf["list"], leaf["organisation"]))


def published(world: World, leaf: Leaf) -> None:
    """The next version: just what was listed and not delisted at its position, and not over the brake."""
    found, version, position = known(world, leaf), leaf["version"], leaf["log_size"]
    if version != len(found.versions) + 1 or not found.newest < position <= world.size:
        world.fail(f"version {len(found.versions) + 1} from a position before it, after the last version")
    is_held = leaf.get("held", False) is True
    difference, is_protected = found.take_up(position, is_held)
    computed = commitment.commitments_sha256(found.listed.values())
    if (leaf["entry_count"], leaf["commitments_sha256"]) != (len(found.listed), computed):
        world.fail(f"version {version} of {len(found.listed)} entries with commitments {computed}")
    _check_brake(world, leaf, found, difference, is_protected)
    _check_dates(world, found, leaf["at"])
    staging.begin(world, found, version, difference, position, is_held)
    found.newest = world.size
    found.versions[version], found.contents[version] = computed, leaf["content_sha256"]
    shown = Published(
        world.size,
        leaf["at"],
        leaf["list"],
        version,
        leaf["content_sha256"],
        leaf["manifest_sha256"],
    )
    world.published.append(shown)
    world.on_published(shown, found.listed)


def _check_brake(world: World, leaf: Leaf, found: List, difference: Difference, is_protected: bool) -> None:
    """What is over the brake needs the word of two people of two organisations."""
    if leaf.get("held", False) is True:
        if difference.added or difference.removed:
            world.fail("a held version without additions or withdrawals")
        return
    now = datetime.fromisoformat(leaf["at"])
    policies = [found.policy_at(leaf["log_size"]), *(policy for policy, _ in found.engaged)]
    reasons = [_reason(found, policy, difference, is_protected, now) for policy in policies]
    reasons += [reason for _, reason in found.engaged if reason in _WHILE_ANY_WAITS and difference.added]
    reason = next(filter(None, reasons), None)
    is_released = found.is_let_out and found.released == difference.sha256()
    if reason and not is_released:
        world.fail(f"a version that two people of two organisations released ({reason})")
    if is_released:
        found.recent.clear()
    else:
        found.recent.append(Past(now, len(difference.added), len(difference.removed)))
    _forget_release(found)
    found.engaged = []


def _reason(
    found: List, policy: Policy, difference: Difference, is_protected: bool, now: datetime
) -> str | None:
    """As the publisher judges: with what a day's versions brought since the last release."""
    stood = len(found.listed) - len(difference.added) + len(difference.removed)
    return _with_the_days(found, policy, difference, stood, is_protected, now)


def _check_dates(world: World, found: List, at: str) -> None:
    """Silence delists: nothing stands on a version past its recheck date."""
    for entry in found.listed:
        if world.entries[entry].recheck_by < at and world.entries[entry].recheck_by:
            world.fail("no entry past its recheck date on a version", entry)


def engaged(world: World, leaf: Leaf) -> None:
    """A version is held, under the policy in force now."""
    found = known(world, leaf)
    found.words = []
    _forget_release(found)
    found.engaged.append((found.policy, BrakeReason(leaf["reason"])))


def ended(world: World, leaf: Leaf) -> None:
    """By its release, which the next version must then match; or since what waits is within bounds.

    Words count until here, and once: whoever gave one may be suspended between this leaf and the version's.
    """
    found = known(world, leaf)
    if leaf["used"] is True:
        if found.released is None or not _is_released(world, found, found.released):
            world.fail("a release by two people of two organisations")
        found.is_let_out, found.words = True, []
        return
    waiting = [
        one
        for one in world.entries.values()
        if one.list is found and one.status is Status.APPROVED and one.is_blocking
    ]
    added = tuple(one.commitment for one in waiting)
    removed = tuple(change.entry for change in found.changes if change.is_withdrawal)
    now, difference = datetime.fromisoformat(leaf["at"]), Difference(added, removed)
    for policy, reason in found.engaged:
        if added if reason in _WHILE_ANY_WAITS else _over(found, policy, difference, now):
            world.fail(f"nothing that a brake must hold any longer ({reason})")
    _forget_release(found)
    found.engaged = []


def _over(found: List, policy: Policy, waiting: Difference, now: datetime) -> bool:
    """Whether what waits, none of it listed yet, is over the brake."""
    return _with_the_days(found, policy, waiting, len(found.listed), False, now) is not None


def _with_the_days(
    found: List, policy: Policy, difference: Difference, stood: int, is_protected: bool, now: datetime
) -> BrakeReason | None:
    """`stood` is what was on the list before the difference."""
    since = [one for one in found.recent if one.at > now - brake.WINDOW]
    added, withdrawn = sum(one.added for one in since), sum(one.withdrawn for one in since)
    return brake.reason_to_hold(
        policy,
        added=added + len(difference.added),
        withdrawn=withdrawn + len(difference.removed),
        live=max(0, stood - added),
        is_protected=is_protected,
    )


def release_given(world: World, leaf: Leaf) -> None:
    """One person's word on a difference."""
    world.actor(leaf, Kind.OPERATOR)
    known(world, leaf).words.append((leaf["organisation"], leaf["client"], leaf["difference_sha256"]))


def released(world: World, leaf: Leaf) -> None:
    """Two people's, of two organisations, on the same difference."""
    found = known(world, leaf)
    if not _is_released(world, found, leaf["difference_sha256"]):
        world.fail("the word of two people of two organisations on this difference")
    found.released, found.is_let_out = leaf["difference_sha256"], False


def _forget_release(found: List) -> None:
    found.released, found.is_let_out = None, False


def _is_released(world: World, found: List, difference: str) -> bool:
    """By words that count still."""
    words = [one for one in found.words if world.counts((one[0], "", one[1]))]
    return brake.is_released(words, difference)


_WHILE_ANY_WAITS = (BrakeReason.CANARY_FAILED, BrakeReason.PROTECTED_HOST)
"""Brakes for these reasons hold as long as any addition waits."""

RULES = {
    "list.created": created,
    "list.subscribed": known_only,
    "list.unsubscribed": known_only,
    "list.protected": known_only,
    "list.reader_added": reader_added,
    "list.reader_removed": reader_removed,
    "list.published": published,
    "policy.changed": policy_changed,
    "brake.engaged": engaged,
    "brake.release_given": release_given,
    "brake.released": released,
    "brake.ended": ended,
}
