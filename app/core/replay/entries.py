"""Rules of leaves about entries: every transition in order, every sign-off, every date."""

import sys
from datetime import datetime, timedelta

from app.core import decision, jose, lifecycle, register, signature
from app.core.lifecycle import DelistReason, Event, Status
from app.core.policy import WIDE, Policy
from app.core.replay import takedowns
from app.core.replay.form import is_canonical
from app.core.replay.state import SIGNATURE_AGE, Change, Deviation, Entry, Leaf, Past, World
from app.core.terms import Decision, EntryScope, ErasureReason, Kind, RecheckOutcome

_DECIDES = {"approved": (Event.APPROVE, "approve"), "rejected": (Event.REJECT, "reject")}


def submitted(world: World, leaf: Leaf) -> None:
    """A hotline's new entry, of a scope that its list takes."""
    hotline, name = world.actor(leaf, Kind.HOTLINE), leaf["entry"]
    found, scope = world.lists.get(leaf["list"]), leaf["scope"]
    if found is None or name in world.entries or scope not in found.scopes:
        world.fail("a new entry of a scope that its list takes", name)
    if found.is_bound:
        _check_lawful(world, leaf, found.policy)
    digests = bytes.fromhex(leaf["commitment"] + leaf["digest"])
    if len(digests) != 64 or len(leaf["digest"]) != 64:
        world.fail("a commitment and a digest of 64 hex digits each", name)
    is_blocking, is_protected = "blocking" in leaf["measures"], leaf.get("protected") is True
    world.entries[name] = Entry(found, sys.intern(scope), digests, is_blocking, hotline.alone, is_protected)


def _check_lawful(world: World, leaf: Leaf, policy: Policy) -> None:
    """No ground that the list's jurisdiction reserved, and at home no block without takedown."""
    if leaf["legal_ground"] in policy.reserved_grounds:
        world.fail("a ground that the list's jurisdiction is bound by", leaf["entry"])
    if policy.jurisdiction is None or leaf["hosting_country"] != policy.jurisdiction:
        return
    is_blocked = "blocking" in leaf["measures"] and not policy.block_in_jurisdiction
    if is_blocked or "takedown" not in leaf["measures"]:
        world.fail("takedown, not blocking, of what is hosted inside the jurisdiction", leaf["entry"])


def corroborated(world: World, leaf: Leaf) -> None:
    """Another hotline submitted the same."""
    world.actor(leaf, Kind.HOTLINE)
    world.entries[leaf["entry"]].submitters |= {leaf["organisation"]}


def protected(world: World, leaf: Leaf) -> None:
    """A wide entry covers a protected host, or no longer does."""
    entry = world.entries[leaf["entry"]]
    if entry.scope not in WIDE:
        world.fail("an entry of scope host or domain", leaf["entry"])
    entry.is_protected = bool(leaf["protected"])


def reviewed(world: World, leaf: Leaf) -> None:
    """One signed decision of a body that is independent of submitters and of those who decided before."""
    entry, name = world.entries[leaf["entry"]], leaf["entry"]
    _check_independent(world, leaf, entry)
    if entry.status is not Status.SUBMITTED:
        world.fail("a decision on an entry under review", name)
    check_decision(world, leaf, entry)
    entry.votes += ((leaf["organisation"], leaf["decision"], leaf["client"]),)


def opinion_given(world: World, leaf: Leaf) -> None:
    """A second opinion: signed like a decision, and it settles nothing."""
    entry = world.entries[leaf["entry"]]
    _check_independent(world, leaf, entry)
    check_decision(world, leaf, entry)
    world.took_part.setdefault(leaf["entry"], set()).add(leaf["organisation"])


def _check_independent(world: World, leaf: Leaf, entry: Entry) -> None:
    world.actor(leaf, Kind.REVIEW_BODY)
    involved = {*entry.submitters, *(organisation for organisation, _, _ in entry.votes)}
    if world.dependent_on(leaf["organisation"]) & involved:
        expected = "one decision by an organisation that neither submitted nor voted, nor is in conflict"
        world.fail(f"{expected} with who did", leaf["entry"])


def check_decision(world: World, leaf: Leaf, entry: Entry) -> None:
    """The signature is a certified reviewer's, over just this decision, at this time. Raises Deviation."""
    name = leaf["entry"]
    try:
        reviewer = world.reviewers.get(str(signature.kid(leaf["signature"])))
        if reviewer is None or (reviewer.client, reviewer.organisation) != (
            leaf["client"],
            leaf["organisation"],
        ):
            world.fail("a signature by a certified key of the reviewer", name)
        world.check(world.size, name, leaf["signature"], reviewer.jwk)
        payload = jose.unverified(leaf["signature"])
        signed = jose.claims(payload)
    except jose.Invalid as fault:
        raise Deviation(world.size, f"expected a valid signature: {fault}", name) from None
    if not register.may_sign(world.register, reviewer, entry.list.name, leaf["at"]):
        world.fail("a body that is registered for this list at this time", name)
    if abs(_moment(leaf["at"]).timestamp() - signed["iat"]) > SIGNATURE_AGE.total_seconds():
        world.fail("a decision signed when it was taken in", name)
    stated = (signed["entry"], signed["entry_digest"], signed["list"], signed["decision"])
    expected = (name, entry.digest, entry.list.name, leaf["decision"])
    if stated != expected or not is_canonical(signed, payload):
        world.fail("a signature over this entry, its digest, its list and this decision", name)
    is_met = all(signed["criteria"][criterion] is True for criterion in decision.CRITERIA)
    if leaf["decision"] == Decision.APPROVE and not is_met:
        world.fail("an approval with every criterion met", name)


def decided(world: World, leaf: Leaf) -> None:
    """Approved or rejected: with its quorum."""
    entry = world.entries[leaf["entry"]]
    event, verdict = _DECIDES[leaf["type"].removeprefix("entry.")]
    _check_quorum(world, leaf["entry"], entry, verdict)
    move(world, leaf, event)
    if event is Event.APPROVE:
        _check_recheck_by(world, leaf, leaf["at"], leaf.get("recheck_by"))


def listed(world: World, leaf: Leaf) -> None:
    """An approved blocking entry whose quorum still stands enters its list."""
    entry = world.entries.get(leaf["entry"])
    if entry is None or entry.status is not Status.APPROVED or not entry.is_blocking:
        world.fail("a listed entry that was submitted for blocking and approved", leaf["entry"])
    if (leaf["list"], leaf["commitment"]) != (entry.list.name, entry.commitment):
        world.fail("the list and commitment of the submission", leaf["entry"])
    _check_quorum(world, leaf["entry"], entry, "approve")
    takedowns.check_gate(world, leaf, entry.list.policy)
    move(world, leaf, Event.LIST)
    entry.list.changes.append(
        Change(world.size, leaf["entry"], entry.commitment, is_protected=entry.is_protected)
    )


def _check_quorum(world: World, name: str, entry: Entry, verdict: str) -> None:
    votes = sum(vote[1] == verdict and world.counts(vote) for vote in entry.votes)
    needed = entry.list.policy.needed(EntryScope(entry.scope), entry.is_protected)
    if votes < needed:
        world.fail(f"{needed} decisions to {verdict}, there are {votes}", name)


def reopened(world: World, leaf: Leaf) -> None:
    """Its quorum fell before it was listed: votes that count no longer are gone."""
    entry = world.entries[leaf["entry"]]
    void = {vote[0] for vote in entry.votes if not world.counts(vote)}
    world.took_part.setdefault(leaf["entry"], set()).update(void)
    entry.votes = tuple(vote for vote in entry.votes if world.counts(vote))
    move(world, leaf, Event.REOPEN)


def delisted(world: World, leaf: Leaf) -> None:
    """An entry leaves its list; what an appeal ended needs one that was upheld, or that waited too long."""
    entry = world.entries[leaf["entry"]]
    _check_reason(world, leaf)
    if leaf["reason"] == DelistReason.EXPIRED:
        if leaf["entry"] not in world.expiring:
            world.fail("an overdue appeal that names this entry", leaf["entry"])
        world.expiring.discard(leaf["entry"])
    if entry.status is Status.LISTED:
        is_withdrawal = leaf["reason"] == DelistReason.WITHDRAWN
        entry.list.changes.append(Change(world.size, leaf["entry"], None, is_withdrawal))
    move(world, leaf, Event.DELIST)
    entry.why_delisted = sys.intern(leaf["reason"])


def _check_reason(world: World, leaf: Leaf) -> None:
    if leaf["reason"] not in set(DelistReason):
        world.fail("a delisting for a known reason", leaf["entry"])
    if leaf["reason"] == DelistReason.APPEAL_UPHELD and leaf["entry"] not in world.upheld:
        world.fail("an upheld appeal that names this entry", leaf["entry"])
    if leaf["reason"] == DelistReason.REMOVED_AT_SOURCE:
        takedowns.check_gone(world, leaf["entry"])
    is_silence = leaf["reason"] == DelistReason.NOT_REAFFIRMED and "client" not in leaf
    if is_silence and leaf["at"] < world.entries[leaf["entry"]].recheck_by:
        world.fail("a recheck date that has passed, or a client who saw a change", leaf["entry"])


def hastened(world: World, leaf: Leaf) -> None:
    """A withdrawn entry that a held version still has need not wait; an expired one will not come back."""
    entry = world.entries[leaf["entry"]]
    _check_reason(world, leaf)
    if entry.status is not Status.DELISTED or leaf["reason"] == DelistReason.EXPIRED:
        world.fail("a delisted entry, and another reason than that it expired", leaf["entry"])
    entry.why_delisted = sys.intern(leaf["reason"])
    entry.list.changes.append(Change(world.size, leaf["entry"], None))


def taken_back(world: World, leaf: Leaf) -> None:
    """Its version was not to be served to all: it waits for another."""
    entry = world.entries[leaf["entry"]]
    trial = entry.list.trial
    if trial is None or not trial.is_staged or leaf["entry"] not in trial.added:
        world.fail("an entry of a version that only canaries have", leaf["entry"])
    move(world, leaf, Event.TAKE_BACK)
    if entry.list.recent:
        entry.list.recent[-1] = Past(entry.list.recent[-1].at, 0, 0)
    entry.list.changes.append(Change(world.size, leaf["entry"], None))


def reinstated(world: World, leaf: Leaf) -> None:
    """Back to approved: only what expired because an appeal waited too long, once that appeal is denied."""
    is_expired = world.entries[leaf["entry"]].why_delisted == DelistReason.EXPIRED
    if not is_expired or leaf["entry"] not in world.returning:
        world.fail("an entry that expired while an appeal waited that is denied now", leaf["entry"])
    world.returning.discard(leaf["entry"])
    move(world, leaf, Event.REINSTATE)
    world.entries[leaf["entry"]].why_delisted = ""


def rechecked(world: World, leaf: Leaf) -> None:
    """A hotline that submitted or corroborated looked again."""
    hotline = world.actor(leaf, Kind.HOTLINE)
    if hotline.id not in world.entries[leaf["entry"]].submitters:
        world.fail("a hotline of the entry", leaf["entry"])
    if leaf["outcome"] not in set(RecheckOutcome):
        world.fail("a known outcome", leaf["entry"])
    takedowns.looked(world, leaf["entry"], leaf["outcome"])


def reaffirmed(world: World, leaf: Leaf) -> None:
    """The recheck date moves on, by no more than the policy's days."""
    rechecked(world, leaf | {"outcome": RecheckOutcome.STILL_AVAILABLE})
    _check_recheck_by(world, leaf, leaf["at"], leaf["recheck_by"], slack=timedelta(minutes=5))


def _check_recheck_by(
    world: World, leaf: Leaf, at: str, stated: str | None, slack: timedelta = timedelta()
) -> None:
    entry = world.entries[leaf["entry"]]
    latest = _moment(at) + timedelta(days=entry.list.policy.recheck_days) + slack
    if stated is None or _moment(stated) > latest:
        world.fail(f"a recheck date by {latest:%Y-%m-%dT%H:%M:%SZ}", leaf["entry"])
    entry.recheck_by = stated


def erased(world: World, leaf: Leaf) -> None:
    """For a known reason, and never under a legal hold."""
    if leaf["reason"] not in set(ErasureReason):
        world.fail("an erasure for a known reason", leaf["entry"])
    if any(entry == leaf["entry"] and until > leaf["at"] for (entry, _), until in world.holds.items()):
        world.fail("no erasure while a legal hold is in force", leaf["entry"])
    move(world, leaf, Event.ERASE)
    entry = world.entries[leaf["entry"]]
    if any(change.entry == leaf["entry"] and change.is_withdrawal for change in entry.list.changes):
        entry.list.changes.append(Change(world.size, leaf["entry"], None))


def hold_placed(world: World, leaf: Leaf) -> None:
    """By law enforcement, dated."""
    world.actor(leaf, Kind.LAW_ENFORCEMENT)
    if world.entries[leaf["entry"]].status is Status.ERASED or leaf["until"] <= leaf["at"]:
        world.fail("a hold that ends later, on an entry that is not erased", leaf["entry"])
    world.holds[leaf["entry"], leaf["organisation"]] = leaf["until"]


def hold_lifted(world: World, leaf: Leaf) -> None:
    """By who placed it."""
    world.actor(leaf, Kind.LAW_ENFORCEMENT)
    if world.holds.pop((leaf["entry"], leaf["organisation"]), None) is None:
        world.fail("a hold of this organisation", leaf["entry"])


def withdrawn(world: World, leaf: Leaf) -> None:
    """Taken back before it was listed."""
    move(world, leaf, Event.WITHDRAW)


def move(world: World, leaf: Leaf, event: Event) -> None:
    """A transition that the lifecycle allows. Raises Deviation."""
    entry = world.entries[leaf["entry"]]
    try:
        entry.status = lifecycle.after(entry.status, event)
    except lifecycle.NotAllowed as refused:
        raise Deviation(world.size, f"expected a legal transition: {refused}", leaf["entry"]) from None
    entry.ended_at = "" if entry.status in lifecycle.LIVE else entry.ended_at or sys.intern(leaf["at"])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


RULES = {
    "entry.submitted": submitted,
    "entry.corroborated": corroborated,
    "entry.protected": protected,
    "entry.reviewed": reviewed,
    "opinion.given": opinion_given,
    "entry.approved": decided,
    "entry.rejected": decided,
    "entry.reopened": reopened,
    "entry.withdrawn": withdrawn,
    "entry.listed": listed,
    "entry.delisted": delisted,
    "entry.hastened": hastened,
    "entry.taken_back": taken_back,
    "entry.reinstated": reinstated,
    "entry.rechecked": rechecked,
    "entry.reaffirmed": reaffirmed,
    "entry.erased": erased,
    "hold.placed": hold_placed,
    "hold.lifted": hold_lifted,
}
