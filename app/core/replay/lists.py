"""Rules of leaves about lists: policies, versions and their sets of commitments, and brakes."""

from app.core import brake, commitment
from app.core.brake import Difference
from app.core.policy import Policy
from app.core.replay import staging
from app.core.replay.state import Leaf, List, Published, World
from app.core.terms import BrakeReason, Kind


def created(world: World, leaf: Leaf) -> None:
    """A new list, with version 1 of its policy."""
    if leaf["list"] in world.lists:
        world.fail("a new list")
    world.lists[leaf["list"]] = List(leaf["list"], [(world.size, Policy.of_leaf(leaf))])


def policy_changed(world: World, leaf: Leaf) -> None:
    """The next version of a policy, whole."""
    found = known(world, leaf)
    if leaf["version"] != len(found.policies) + 1:
        world.fail(f"version {len(found.policies) + 1} of the policy")
    found.policies.append((world.size, Policy.of_leaf(leaf)))


def known(world: World, leaf: Leaf) -> List:
    """The list was created before."""
    found = world.lists.get(leaf["list"])
    if found is None:
        world.fail("a list that was created")
    return found


def known_only(world: World, leaf: Leaf) -> None:
    """The list was created before."""
    known(world, leaf)


def published(world: World, leaf: Leaf) -> None:
    """The next version: just what was listed and not delisted at its position, and not over the brake."""
    found, version, position = known(world, leaf), leaf["version"], leaf["log_size"]
    if version != len(found.versions) + 1 or position > world.size:
        world.fail(f"version {len(found.versions) + 1} from a position before it")
    is_held = leaf.get("held", False) is True
    difference = found.take_up(position, is_held)
    computed = commitment.commitments_sha256(found.listed.values())
    if (leaf["entry_count"], leaf["commitments_sha256"]) != (len(found.listed), computed):
        world.fail(f"version {version} of {len(found.listed)} entries with commitments {computed}")
    _check_brake(world, found, difference, position, is_held)
    _check_dates(world, found, leaf["at"])
    staging.begin(world, found, version, difference, position, is_held)
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


def _check_brake(world: World, found: List, difference: Difference, position: int, is_held: bool) -> None:
    """What is over the brake needs the word of two people of two organisations."""
    if is_held:
        if difference.added or difference.removed:
            world.fail("a held version without additions or withdrawals")
        return
    reason = brake.reason_to_hold(
        found.policy_at(position),
        added=len(difference.added),
        withdrawn=len(difference.removed),
        live=len(found.listed) - len(difference.added) + len(difference.removed),
        is_protected=any(world.entries[entry].is_protected for entry in difference.added),
    )
    if found.is_recalled and difference.added:
        reason = BrakeReason.CANARY_FAILED
    if reason and found.released != difference.sha256():
        world.fail(f"a version that two people of two organisations released ({reason.value})")
    if reason:
        found.released, found.is_recalled = None, False


def _check_dates(world: World, found: List, at: str) -> None:
    """Silence delists: nothing stands on a version past its recheck date."""
    for entry in found.listed:
        if world.entries[entry].recheck_by < at and world.entries[entry].recheck_by:
            world.fail("no entry past its recheck date on a version", entry)


def engaged(world: World, leaf: Leaf) -> None:
    """A version is held."""
    found = known(world, leaf)
    found.words, found.released = [], None
    found.is_recalled = leaf["reason"] == BrakeReason.CANARY_FAILED


def ended(world: World, leaf: Leaf) -> None:
    """Released, or nothing waits any longer."""
    found = known(world, leaf)
    found.is_recalled = found.is_recalled and found.released is not None


def release_given(world: World, leaf: Leaf) -> None:
    """One person's word on a difference."""
    world.actor(leaf, Kind.OPERATOR)
    known(world, leaf).words.append((leaf["organisation"], leaf["client"], leaf["difference_sha256"]))


def released(world: World, leaf: Leaf) -> None:
    """Two people's, of two organisations, on the same difference."""
    found = known(world, leaf)
    if not brake.is_released(found.words, leaf["difference_sha256"]):
        world.fail("the word of two people of two organisations on this difference")
    found.released = leaf["difference_sha256"]


RULES = {
    "list.created": created,
    "list.subscribed": known_only,
    "list.unsubscribed": known_only,
    "list.protected": known_only,
    "list.published": published,
    "policy.changed": policy_changed,
    "brake.engaged": engaged,
    "brake.release_given": release_given,
    "brake.released": released,
    "brake.ended": ended,
}
