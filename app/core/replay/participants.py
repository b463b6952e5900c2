"""Rules of leaves about organisations, clients, conflicts, the register and exports."""

from collections.abc import Callable

from app.core import register
from app.core.register import Authority, Reviewer
from app.core.replay.state import Deviation, Leaf, Organisation, World
from app.core.terms import ConflictReason, Kind


def organisation_added(world: World, leaf: Leaf) -> None:
    """A new organisation of a known kind."""
    if leaf["organisation"] in world.organisations or leaf["kind"] not in set(Kind):
        world.fail("a new organisation of a known kind")
    world.organisations[leaf["organisation"]] = Organisation(leaf["organisation"], Kind(leaf["kind"]))


def suspended(world: World, leaf: Leaf) -> None:
    """From here on it does not act, and its votes on what is not yet listed do not count."""
    world.organisations[leaf["organisation"]].is_suspended = True


def readmitted(world: World, leaf: Leaf) -> None:
    """It acts and counts again."""
    world.organisations[leaf["organisation"]].is_suspended = False


def known_organisation(world: World, leaf: Leaf) -> None:
    """It was added before."""
    if leaf["organisation"] not in world.organisations:
        world.fail("a known organisation")


def client_added(world: World, leaf: Leaf) -> None:
    """A new client of a known organisation."""
    if leaf["client"] in world.clients or leaf["organisation"] not in world.organisations:
        world.fail("a new client of a known organisation")
    world.clients[leaf["client"]] = world.organisations[leaf["organisation"]]


def key_added(world: World, leaf: Leaf) -> None:
    """One more public key of a known client."""
    if leaf["client"] not in world.clients:
        world.fail("a key of a known client")
    world.keys[leaf["jwk"]["kid"]] = (leaf["client"], leaf["jwk"])


def key_revoked(world: World, leaf: Leaf) -> None:
    """It counts no longer, a reviewer's neither."""
    world.keys.pop(leaf["kid"], None)
    _drop(world, lambda kid, _: kid == leaf["kid"])


def client_revoked(world: World, leaf: Leaf) -> None:
    """It does not act again; neither do its votes on what is not yet listed."""
    world.revoked_clients.add(leaf["client"])
    _drop(world, lambda _, who: who.client == leaf["client"])


def conflict_declared(world: World, leaf: Leaf) -> None:
    """Two organisations do not judge each other's work."""
    one, other = leaf["organisations"]
    if not {one, other} <= world.organisations.keys() or leaf["reason"] not in set(ConflictReason):
        world.fail("a conflict of two known organisations for a known reason")
    world.conflicts.add((one, other))


def conflict_ended(world: World, leaf: Leaf) -> None:
    """They do again."""
    one, other = leaf["organisations"]
    world.conflicts.remove((one, other))


def flagged(world: World, leaf: Leaf) -> None:
    """A hotline's listings were overturned too often on a list; once, until an operator clears it."""
    hotline, pair = world.organisations.get(leaf["organisation"]), (leaf["organisation"], leaf["list"])
    if hotline is None or hotline.kind is not Kind.HOTLINE or leaf["list"] not in world.lists:
        world.fail("a flag of a known hotline on a known list")
    if pair in world.flags:
        world.fail("one flag of a hotline on a list at a time")
    world.flags.add(pair)


def unflagged(world: World, leaf: Leaf) -> None:
    """An operator dealt with it."""
    if (leaf["organisation"], leaf["list"]) not in world.flags:
        world.fail("a flag that was raised before")
    world.flags.remove((leaf["organisation"], leaf["list"]))


def register_opened(world: World, leaf: Leaf) -> None:
    """The offline keys that say which bodies count; after them, those that they hand over to."""
    if world.authority:
        world.fail("offline register keys that are fixed once")
    world.authority = world.opened = Authority(dict(leaf["keys"]), int(leaf["threshold"]))
    if not 2 <= world.authority.threshold <= len(world.authority.keys):
        world.fail("a register that at least two keys must sign")


def register_published(world: World, leaf: Leaf) -> None:
    """The next version, with its offline signatures; it may name the keys that follow."""
    if world.authority is None:
        world.fail("a register that was opened first")
    try:
        world.register = register.read(leaf, world.authority, world.register.version)
    except register.Invalid as fault:
        world.fail(f"a register signed offline: {fault}")
    world.authority = world.register.authority or world.authority


def reviewer_certified(world: World, leaf: Leaf) -> None:
    """A body of the register names a reviewer's key."""
    try:
        reviewer = register.certified(leaf["certificate"], world.register)
    except register.Invalid as fault:
        raise Deviation(world.size, f"expected a body's certificate: {fault}") from None
    if (reviewer.client, reviewer.organisation) != (leaf["client"], leaf["organisation"]):
        world.fail("the client and organisation that the certificate names")
    owner = world.clients.get(reviewer.client)
    if owner is None or owner.id != reviewer.organisation:
        world.fail("a certificate for a client of the body")
    if reviewer.jwk["kid"] in world.reviewers:
        world.fail("a key that was not certified before")
    world.reviewers[reviewer.jwk["kid"]] = reviewer


def reviewer_revoked(world: World, leaf: Leaf) -> None:
    """Its body takes a key back."""
    try:
        _, revoked = register.revoked(leaf["revocation"], world.register)
    except register.Invalid as fault:
        raise Deviation(world.size, f"expected a body's revocation: {fault}") from None
    _drop(world, lambda kid, _: kid == revoked)


def recipient_added(world: World, leaf: Leaf) -> None:
    """Of an internet provider; versions that follow are sealed to it too."""
    owner = world.organisations.get(leaf["organisation"])
    if owner is None or owner.kind is not Kind.ISP or leaf["recipient"] in world.recipients:
        world.fail("a new recipient of a known internet provider")
    world.recipients[leaf["recipient"]] = leaf["organisation"]


def recipient_ended(world: World, leaf: Leaf) -> None:
    """Versions that follow are not."""
    if world.recipients.get(leaf["recipient"]) != leaf["organisation"]:
        world.fail("a recipient that the organisation has")
    world.recipients[leaf["recipient"]] = ""


def export_made(world: World, leaf: Leaf) -> None:
    """By a client of the organisation."""
    owner = world.clients.get(leaf["client"])
    if owner is None or owner.id != leaf["organisation"]:
        world.fail("a client of the organisation that exports")


def _drop(world: World, is_meant: Callable[[str, Reviewer], bool]) -> None:
    world.reviewers = {kid: who for kid, who in world.reviewers.items() if not is_meant(kid, who)}


RULES = {
    "organisation.added": organisation_added,
    "organisation.suspended": suspended,
    "organisation.readmitted": readmitted,
    "organisation.flagged": flagged,
    "organisation.unflagged": unflagged,
    "client.added": client_added,
    "client.key_added": key_added,
    "client.key_revoked": key_revoked,
    "client.revoked": client_revoked,
    "conflict.declared": conflict_declared,
    "conflict.ended": conflict_ended,
    "register.opened": register_opened,
    "register.published": register_published,
    "reviewer.certified": reviewer_certified,
    "reviewer.revoked": reviewer_revoked,
    "audit.reveal_allowed": known_organisation,
    "audit.reveal_ended": known_organisation,
    "recipient.added": recipient_added,
    "recipient.ended": recipient_ended,
    "export.made": export_made,
}
