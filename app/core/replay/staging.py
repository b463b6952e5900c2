"""Rules of leaves about staged release and receipts: what failed at the canaries never reaches the others."""

from app.core import jose, receipt, signature
from app.core.brake import Difference
from app.core.replay.state import Deviation, Leaf, List, Trial, World
from app.core.terms import Kind, ReceiptOutcome


def begin(
    world: World, found: List, version: int, difference: Difference, position: int, is_held: bool
) -> None:
    """A version follows: the one before was served to all, or is the last with what it added."""
    trial = found.trial
    if trial and not trial.is_staged:
        world.fail(f"version {trial.version} to be staged first")
    kept = next((entry for entry in trial.added if entry in found.listed), None) if trial else None
    if kept:
        world.fail("a version without what was never served to all", kept)
    is_staged = bool(found.policy_at(position).canaries) and not is_held
    found.trial = Trial(version, frozenset(difference.added)) if is_staged else None


def staged(world: World, leaf: Leaf) -> None:
    """The newest version, under a policy with canaries, is out for those."""
    trial = world.lists[leaf["list"]].trial
    if trial is None or trial.version != leaf["version"] or trial.is_staged:
        world.fail("the newest version, one that canaries get first")
    trial.is_staged = True


def promoted(world: World, leaf: Leaf) -> None:
    """A staged version that did not fail goes on to all."""
    found = world.lists[leaf["list"]]
    trial = found.trial
    if trial is None or trial.version != leaf["version"] or not trial.is_staged or trial.is_failed:
        world.fail("a staged version that failed at no canary")
    found.trial = None


def received(world: World, leaf: Leaf) -> None:
    """An internet provider's signed statement on a version there is."""
    provider, found = world.actor(leaf, Kind.ISP), world.lists[leaf["list"]]
    if found.contents.get(leaf["version"]) != leaf["content_sha256"]:
        world.fail("a known version and its content_sha256")
    if leaf["outcome"] not in set(ReceiptOutcome):
        world.fail("a known outcome")
    _check_signature(world, leaf)
    trial = found.trial
    is_canary = provider.id in found.policy.canaries
    if trial and trial.version == leaf["version"] and is_canary:
        trial.is_failed = trial.is_failed or leaf["outcome"] == ReceiptOutcome.FAILED


def _check_signature(world: World, leaf: Leaf) -> None:
    try:
        client, jwk = world.keys.get(str(signature.kid(leaf["signature"])), ("", {}))
        if client != leaf["client"]:
            world.fail("a signature by a key of the client")
        payload = jose.unverified(leaf["signature"])
        applied_at = str(jose.claims(payload)["applied_at"])
    except jose.Invalid as fault:
        raise Deviation(world.size, f"expected a valid signature: {fault}") from None
    expected = receipt.statement(
        applied_at=applied_at,
        content_sha256=leaf["content_sha256"],
        in_list=leaf["list"],
        outcome=leaf["outcome"],
        version=leaf["version"],
    )
    if payload != expected:
        world.fail("a signature over this list, version, outcome and digest")
    world.check(world.size, "", leaf["signature"], jwk)


RULES = {
    "list.staged": staged,
    "list.promoted": promoted,
    "receipt": received,
}
