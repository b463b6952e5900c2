"""Rules of leaves about appeals: decided once, by somebody who took no part, or by nobody for too long."""

from datetime import datetime, timedelta

from app.core import jose, register, signature
from app.core.appeal import MEMBERS
from app.core.lifecycle import LIVE
from app.core.register import Reviewer
from app.core.replay.form import is_canonical
from app.core.replay.state import SIGNATURE_AGE, Appeal, Deviation, Leaf, World
from app.core.terms import AppealOutcome, AppealState, Kind


def filed(world: World, leaf: Leaf) -> None:
    """A new appeal. What it is about stands in no leaf."""
    if leaf["appeal"] in world.appeals:
        world.fail("a new appeal")
    world.appeals[leaf["appeal"]] = Appeal(leaf["at"])


def overdue(world: World, leaf: Leaf) -> None:
    """Nobody decided in time: these entries may now expire, and come back if the appeal is denied."""
    appeal, entries = _undecided(world, leaf), _entries(world, leaf)
    if not entries or not all(world.entries[one].status in LIVE for one in entries):
        world.fail("entries on a list, or approved for one")
    appeal.expired |= entries
    world.expiring |= entries
    world.returning -= entries


def lapsed(world: World, leaf: Leaf) -> None:
    """Nobody decided in the retention time of its list, which no leaf names: in the shortest of any."""
    appeal = _undecided(world, leaf)
    days = min((found.policy.retention_days for found in world.lists.values()), default=0)
    waited = datetime.fromisoformat(leaf["at"]) - datetime.fromisoformat(appeal.filed_at)
    if waited < timedelta(days=days):
        world.fail("an appeal that waited for a list's retention time")
    appeal.outcome = AppealState.LAPSED


def decided(world: World, leaf: Leaf) -> None:
    """A signed decision of a body that took no part in any entry it names, nor in any that had expired."""
    appeal, outcome = _undecided(world, leaf), leaf["outcome"]
    if outcome not in set(AppealOutcome):
        world.fail("a known outcome")
    if (outcome == AppealOutcome.UPHELD) != ("entries" in leaf):
        world.fail("entries named by an upheld appeal, and by no other")
    entries = _entries(world, leaf) if outcome == AppealOutcome.UPHELD else set()
    if outcome == AppealOutcome.UPHELD and not entries:
        world.fail("an entry that the upheld appeal concerns")
    world.actor(leaf, Kind.REVIEW_BODY)
    known = entries | appeal.expired
    dependent = world.dependent_on(leaf["organisation"])
    for one in sorted(known):
        if dependent & world.involved_in(one):
            world.fail("a body that took no part, nor is in conflict with who did", one)
    _check_signature(world, leaf, {world.entries[one].list.name for one in known})
    appeal.outcome = outcome
    if appeal.outcome == AppealOutcome.UPHELD:
        world.upheld |= entries
    else:
        world.returning |= appeal.expired


def _undecided(world: World, leaf: Leaf) -> Appeal:
    found = world.appeals.get(leaf["appeal"])
    if found is None or found.outcome:
        world.fail("a known appeal that is not decided")
    return found


def _entries(world: World, leaf: Leaf) -> set[str]:
    """The known entries that a leaf names, each once and in order. Raises Deviation."""
    named = leaf["entries"]
    if named != sorted(set(named)) or not world.entries.keys() >= set(named):
        world.fail("known entries, sorted, each once")
    return set(named)


def _check_signature(world: World, leaf: Leaf, lists: set[str]) -> None:
    try:
        reviewer = world.reviewers.get(str(signature.kid(leaf["signature"])))
        if reviewer is None or (reviewer.client, reviewer.organisation) != (
            leaf["client"],
            leaf["organisation"],
        ):
            world.fail("a signature by a certified key of the deciding body")
        world.check(world.size, "", leaf["signature"], reviewer.jwk)
        payload = jose.unverified(leaf["signature"])
        signed = jose.claims(payload)
    except jose.Invalid as fault:
        raise Deviation(world.size, f"expected a valid signature: {fault}") from None
    _check_registered(world, reviewer, lists, leaf["at"])
    age = abs(datetime.fromisoformat(leaf["at"]).timestamp() - signed["iat"])
    if age > SIGNATURE_AGE.total_seconds():
        world.fail("a decision signed when it was taken in")
    stated = (signed["appeal"], signed.get("entries"), signed["outcome"])
    expected = (leaf["appeal"], leaf.get("entries"), leaf["outcome"])
    members = MEMBERS[AppealOutcome(leaf["outcome"])]
    if stated != expected or signed.keys() != members or not is_canonical(signed, payload):
        world.fail("a signature over this appeal, its entries and this outcome")


def _check_registered(world: World, reviewer: Reviewer, lists: set[str], at: str) -> None:
    """For the list of each entry that the log names with the appeal; where it names none, for any list."""
    body = world.register.bodies.get(reviewer.organisation)
    known = body.lists if body else ()
    may = [register.may_sign(world.register, reviewer, name, at) for name in lists or known]
    if not may or not (all(may) if lists else any(may)):
        world.fail("a body that is registered for the lists concerned at this time")


RULES = {
    "appeal.filed": filed,
    "appeal.overdue": overdue,
    "appeal.lapsed": lapsed,
    "appeal.decided": decided,
}
