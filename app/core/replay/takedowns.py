"""Rules of leaves about removal at the source: whom the service told, when, and what came of it.

What a provider answered has no signature of a known key; what a hotline or law enforcement said is theirs.
Nobody is told of an entry that was not signed off, nor while law enforcement is heard; where a list asks for
a notice first, nothing enters it without one, or without a coded reason why none is possible.
"""

from datetime import datetime, timedelta

from app.core import lifecycle
from app.core.lifecycle import Takedown, TakedownEvent
from app.core.policy import Policy
from app.core.replay.state import Leaf, Removal, World
from app.core.terms import (
    AnsweredBy,
    Channel,
    ContactKind,
    Deconfliction,
    Excuse,
    Kind,
    RecheckOutcome,
    RefusalReason,
)

_BY_PROVIDER = frozenset({"takedown.acknowledged", "takedown.removed", "takedown.refused"})
_MAY_SAY = {
    AnsweredBy.PROVIDER: _BY_PROVIDER,
    AnsweredBy.PEER: _BY_PROVIDER | {"takedown.unreachable"},
    AnsweredBy.HOTLINE: _BY_PROVIDER | {"takedown.unreachable", "takedown.reopened"},
    AnsweredBy.SERVICE: frozenset({"takedown.unreachable"}),
}
"""Who may say what. The service itself knows only that nobody answers."""
LONGEST_HOLD = timedelta(days=14)
"""How long law enforcement may have a notice wait, from when it asks."""
CLOCKS_APART = timedelta(seconds=5)
"""So much an installation's clocks may differ. That a notice is begun is no leaf: only its time tells whether
that was before or after one."""
_BY_ITSELF = frozenset({Excuse.NO_CONTACT, Excuse.HIDDEN_SERVICE})
"""What the service finds out without anybody."""
_EVENT = {
    "notified": TakedownEvent.NOTIFY,
    "acknowledged": TakedownEvent.ACKNOWLEDGE,
    "removed": TakedownEvent.REMOVE,
    "refused": TakedownEvent.REFUSE,
    "unreachable": TakedownEvent.LOSE_CONTACT,
    "reopened": TakedownEvent.REOPEN,
}


def notified(world: World, leaf: Leaf) -> None:
    """Somebody was told: by the service of what was signed off, or by a hotline by its own means."""
    removal = _move(world, leaf)
    _check_told(world, leaf, removal)
    removal.notice_at = removal.notice_at or leaf["at"]
    removal.is_confirmed = False


def told_again(world: World, leaf: Leaf) -> None:
    """Reminded, or the next one told, while nothing came of the last notice."""
    removal = _known(world, leaf)
    if removal.state not in (Takedown.NOTIFIED, Takedown.ACKNOWLEDGED):
        world.fail("a takedown that waits for whoever was told", leaf["entry"])
    _check_told(world, leaf, removal)


def answered(world: World, leaf: Leaf) -> None:
    """Acknowledged, refused, removed, unreachable: a provider or the service said so, or a known hotline."""
    by = AnsweredBy(leaf["by"])
    removal = _move(world, leaf)
    is_hotline = "organisation" in leaf
    if is_hotline != (by in (AnsweredBy.HOTLINE, AnsweredBy.PEER)) or leaf["type"] not in _MAY_SAY[by]:
        world.fail("an answer by who it says", leaf["entry"])
    if is_hotline and by is AnsweredBy.PEER:
        world.actor(leaf, Kind.HOTLINE)
    elif is_hotline:
        _check_hotline(world, leaf)
    if "reason" in leaf or leaf["type"] == "takedown.refused":
        RefusalReason(leaf["reason"])
    removal.is_confirmed = is_hotline and removal.state is Takedown.REMOVED


def confirmed(world: World, leaf: Leaf) -> None:
    """A hotline saw that what a provider said it removed is gone."""
    removal = _known(world, leaf)
    world.actor(leaf, Kind.HOTLINE)
    if removal.state is not Takedown.REMOVED:
        world.fail("what was said to be removed", leaf["entry"])
    removal.is_confirmed = True


def excused(world: World, leaf: Leaf) -> None:
    """No notice is possible, for a coded reason; some are for a hotline or law enforcement to give."""
    removal, reason = _known(world, leaf), Excuse(leaf["reason"])
    if reason is Excuse.LAW_ENFORCEMENT_HOLD:
        world.actor(leaf, Kind.LAW_ENFORCEMENT)
        if removal.held_for != leaf["organisation"] or removal.held_until <= leaf["at"]:
            world.fail("a hold that law enforcement asked for", leaf["entry"])
    elif "organisation" in leaf:
        _check_hotline(world, leaf)
    elif reason not in _BY_ITSELF or not _is_live(world, leaf):
        world.fail("a hotline that gives this reason, or what the service finds out", leaf["entry"])
    removal.notice_at = removal.notice_at or leaf["at"]


def held(world: World, leaf: Leaf) -> None:
    """Nobody is told for a bounded time: as the policy says, or as law enforcement asks."""
    removal = _known(world, leaf)
    Deconfliction(leaf["reason"])
    asked_by = leaf.get("organisation", "")
    is_held = removal.held_until > leaf["at"]
    if asked_by:
        world.actor(leaf, Kind.LAW_ENFORCEMENT)
        if is_held and removal.held_for not in ("", asked_by):
            world.fail("no other organisation's hold in force", leaf["entry"])
    elif removal.held_until or removal.state is not Takedown.NOT_STARTED or not _is_live(world, leaf):
        world.fail("one hold by the policy, when an entry was approved and nobody told", leaf["entry"])
    policy = world.entries[leaf["entry"]].list.policy
    longest = LONGEST_HOLD if asked_by else timedelta(hours=policy.law_enforcement_hours)
    if not leaf["at"] < leaf["until"] or _moment(leaf["until"]) > _moment(leaf["at"]) + longest:
        world.fail("a hold that ends in time", leaf["entry"])
    removal.held_from = removal.held_from if is_held else leaf["at"]
    removal.meanwhile = removal.meanwhile if is_held else ()
    removal.held_until, removal.held_for = leaf["until"], asked_by


def released(world: World, leaf: Leaf) -> None:
    """Law enforcement needs no more time."""
    removal = _known(world, leaf)
    world.actor(leaf, Kind.LAW_ENFORCEMENT)
    if removal.held_until <= leaf["at"] or removal.held_for not in ("", leaf["organisation"]):
        world.fail("a hold in force, by the policy or by who releases it", leaf["entry"])
    removal.held_until, removal.held_for = leaf["at"], ""


def note(world: World, leaf: Leaf) -> None:
    """Keep the time of a leaf that kept its rule, where it is about what is held then."""
    removal = world.removals.get(leaf.get("entry", ""))
    if removal and leaf["at"] < removal.held_until:
        removal.meanwhile = (*removal.meanwhile, leaf["at"])


def looked(world: World, entry: str, outcome: str) -> None:
    """What a hotline's recheck says of the takedown."""
    removal = world.removals.get(entry)
    if outcome == RecheckOutcome.REMOVED:
        removal = world.removals.setdefault(entry, Removal())
        removal.state, removal.is_confirmed = Takedown.REMOVED, True
    elif outcome == RecheckOutcome.STILL_AVAILABLE and removal and removal.state is Takedown.REMOVED:
        removal.state, removal.is_confirmed = Takedown.NOTIFIED, False


def check_gate(world: World, leaf: Leaf, policy: Policy) -> None:
    """Where the list asks for it: a notice, or why there is none, for long enough. Raises Deviation."""
    if not policy.notice_first:
        return
    removal, name = world.removals.get(leaf["entry"]) or Removal(), leaf["entry"]
    if removal.state is Takedown.REMOVED:
        world.fail("an entry that nobody said is removed", name)
    window = timedelta(hours=policy.notice_window_hours)
    if not removal.notice_at or _moment(removal.notice_at) + window > _moment(leaf["at"]):
        world.fail("a notice to remove, or why there is none, and the policy's time after it", name)


def check_gone(world: World, entry: str) -> None:
    """A hotline saw that it is removed. Raises Deviation."""
    if not world.removals.get(entry, Removal()).is_confirmed:
        world.fail("a hotline that saw it is removed", entry)


def contact_added(world: World, leaf: Leaf) -> None:
    """A new contact, its first version."""
    ContactKind(leaf["kind"])
    if leaf["contact"] in world.contacts or leaf["version"] != 1:
        world.fail("a new contact, version 1")
    world.contacts[leaf["contact"]] = (1, leaf["kind"])


def contact_changed(world: World, leaf: Leaf) -> None:
    """The next version of a known contact, which stays of its kind."""
    version, kind = world.contacts[leaf["contact"]]
    if (leaf["version"], leaf["kind"]) != (version + 1, kind):
        world.fail("the next version of a contact, of the same kind")
    world.contacts[leaf["contact"]] = (version + 1, kind)


def contact_ended(world: World, leaf: Leaf) -> None:
    """Nobody is told there any longer."""
    if world.contacts.pop(leaf["contact"], None) is None:
        world.fail("a contact there is")


def _known(world: World, leaf: Leaf) -> Removal:
    if world.entries[leaf["entry"]].list.name != leaf["list"]:
        world.fail("the list of the entry", leaf["entry"])
    return world.removals.setdefault(leaf["entry"], Removal())


def _move(world: World, leaf: Leaf) -> Removal:
    removal = _known(world, leaf)
    try:
        removal.state = lifecycle.takedown_after(
            removal.state, _EVENT[leaf["type"].removeprefix("takedown.")]
        )
    except lifecycle.NotAllowed as refused:
        world.fail(f"a legal step of a takedown: {refused}", leaf["entry"])
    return removal


def _check_told(world: World, leaf: Leaf, removal: Removal) -> None:
    if leaf["channel"] == Channel.OWN:
        _check_hotline(world, leaf)
        return
    entry, begun_at = world.entries[leaf["entry"]], leaf["begun_at"]
    Channel(leaf["channel"])
    if ContactKind(leaf["to"]) is ContactKind.LAW_ENFORCEMENT:
        world.fail("a notice to somebody who is asked for removal", leaf["entry"])
    if not entry.recheck_by or (entry.ended_at and _is_after(begun_at, entry.ended_at)):
        world.fail("a notice on an entry that was approved, begun before that ended", leaf["entry"])
    is_held = begun_at < removal.held_until and _is_after(begun_at, removal.held_from)
    # By the clock of whoever sent it the hold was over; a slower one dated what came next.
    if (is_held and begun_at not in removal.meanwhile) or begun_at > leaf["at"]:
        world.fail("no notice while law enforcement is heard", leaf["entry"])


def _is_after(begun_at: str, moment: str) -> bool:
    """Whether it was after that by every machine's clock."""
    return _moment(begun_at) > _moment(moment) + CLOCKS_APART


def _check_hotline(world: World, leaf: Leaf) -> None:
    """It submitted the entry, or corroborated it."""
    if world.actor(leaf, Kind.HOTLINE).id not in world.entries[leaf["entry"]].submitters:
        world.fail("a hotline of the entry", leaf["entry"])


def _is_live(world: World, leaf: Leaf) -> bool:
    entry = world.entries[leaf["entry"]]
    return bool(entry.recheck_by) and not entry.ended_at


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


RULES = {
    "takedown.notified": notified,
    "takedown.escalated": told_again,
    "takedown.reminded": told_again,
    "takedown.acknowledged": answered,
    "takedown.refused": answered,
    "takedown.removed": answered,
    "takedown.unreachable": answered,
    "takedown.reopened": answered,
    "takedown.confirmed": confirmed,
    "takedown.excused": excused,
    "takedown.held": held,
    "takedown.released": released,
    "contact.added": contact_added,
    "contact.changed": contact_changed,
    "contact.ended": contact_ended,
}
