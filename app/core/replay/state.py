"""What the log says: the state that its leaves build up, and the deviation that ends a replay."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, NoReturn

from app.core import brake, jose, signature
from app.core.lifecycle import Status, Takedown
from app.core.policy import Policy
from app.core.register import Authority, Register, Reviewer
from app.core.tally import Tally
from app.core.terms import Kind

Leaf = dict[str, Any]
SIGNATURE_AGE = timedelta(minutes=5)
"""How far a decision's own time may lie from that of its leaf."""


class Deviation(Exception):
    """A leaf that must not be there. `index` is its place, `expected` what should have been."""

    def __init__(self, index: int, expected: str, entry: str | None = None) -> None:
        super().__init__(f"leaf {index}: {expected}" + (f" (entry {entry})" if entry else ""))
        self.index, self.expected, self.entry = index, expected, entry


@dataclass
class Organisation:
    """An organisation, and itself as the set of submitters that a million of its entries share."""

    id: str
    kind: Kind
    is_suspended: bool = False

    def __post_init__(self) -> None:
        self.alone = frozenset((self.id,))


@dataclass(slots=True)
class Entry:
    """What the log says of an entry. Votes are (organisation, decision, client); sets are shared.

    `recheck_by` is empty until it was approved, `ended_at` when it is neither approved nor listed since.
    """

    list: "List"
    scope: str
    digests: bytes
    is_blocking: bool
    submitters: frozenset[str]
    is_protected: bool = False
    votes: tuple[tuple[str, str, str], ...] = ()
    status: Status = Status.SUBMITTED
    recheck_by: str = ""
    ended_at: str = ""
    why_delisted: str = ""

    @property
    def commitment(self) -> str:
        """The first of the two, in hex: one object of 64 bytes is smaller and sooner made than two."""
        return self.digests[:32].hex()

    @property
    def digest(self) -> str:
        """What reviewers sign, in hex."""
        return self.digests[32:].hex()


@dataclass
class Appeal:
    """What the log says of an appeal: its outcome, empty until it ended, and what expired while it waited."""

    filed_at: str
    outcome: str = ""
    expired: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Removal:
    """What the log says of an entry's takedown: where it stands, and since when a list may block.

    `is_confirmed` when a hotline saw that it is gone. Nobody is told from `held_from` to `held_until`, for
    the organisation that asked for it, or for the policy where `held_for` is empty. `meanwhile` has
    the times of leaves about the entry that are before its end.
    """

    state: Takedown = Takedown.NOT_STARTED
    notice_at: str = ""
    is_confirmed: bool = False
    held_from: str = ""
    held_until: str = ""
    held_for: str = ""
    meanwhile: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """An entry enters (with its commitment) or leaves its list. A withdrawal alone can be held."""

    index: int
    entry: str
    commitment: str | None
    is_withdrawal: bool = False
    is_protected: bool = False


class Past(NamedTuple):
    """What a version of the day brought, as a brake counts it."""

    at: datetime
    added: int
    withdrawn: int


@dataclass
class Trial:
    """The newest version of a list with canaries, until it goes on to all; `added` is what it took up."""

    version: int
    added: frozenset[str]
    is_staged: bool = False
    is_failed: bool = False


@dataclass
class List:
    """A list: its policies by position, its versions' digests, its entries at the newest version.

    `changes` are those that no version took up yet, `words` the given releases of a held difference,
    `released` that difference, which `is_let_out` once its brake ended for it, `engaged` the brakes that no
    release ended (policy and reason), `recent` what the versions of a day brought. `before` leads from the
    newest version, made at `position` (its leaf is `newest`), back to the one before: others than canaries
    may still have that one.
    """

    name: str
    policy: Policy
    policies: list[tuple[int, Policy]] = field(default_factory=list)
    scopes: frozenset[str] = frozenset()
    is_bound: bool = False
    versions: dict[int, str] = field(default_factory=dict)
    listed: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    words: list[tuple[str, str, str]] = field(default_factory=list)
    released: str | None = None
    is_let_out: bool = False
    contents: dict[int, str] = field(default_factory=dict)
    trial: Trial | None = None
    engaged: list[tuple[Policy, str]] = field(default_factory=list)
    recent: list[Past] = field(default_factory=list)
    newest: int = -1
    position: int = 0
    before: dict[str, str | None] = field(default_factory=dict)

    def adopt(self, index: int, policy: Policy) -> None:
        """The policy in force from this leaf on, and what of it each submission is held against."""
        self.policy, self.scopes = policy, frozenset(scope.value for scope in policy.quorum)
        self.is_bound = bool(policy.jurisdiction or policy.reserved_grounds)
        self.policies.append((index, policy))

    def policy_at(self, log_size: int) -> Policy:
        """The policy that was in force at a position."""
        return next(policy for index, policy in reversed(self.policies) if index < log_size)

    def take_up(self, log_size: int, is_held: bool) -> tuple[brake.Difference, bool]:
        """Bring `listed` to a version at that position; returns what a brake would look at.

        That is the difference, and whether an addition covers a protected host. A held version takes up
        nothing that can wait: additions and withdrawals stay for a later one.
        """
        ready = [change for change in self.changes if change.index < log_size]
        hastened = {
            change.entry for change in ready if change.commitment is None and not change.is_withdrawal
        }
        kept = [one for one in ready if is_held and one.is_withdrawal and one.entry not in hastened]
        taken = [one for one in ready if one not in kept] if kept else ready
        self._remember(taken, log_size)
        for change in taken:
            if change.commitment is None:
                self.listed.pop(change.entry, None)
            else:
                self.listed[change.entry] = change.commitment
        self.changes = kept + [change for change in self.changes if change.index >= log_size]
        added = tuple(one.entry for one in taken if one.commitment and one.entry in self.listed)
        removed = tuple(one.entry for one in taken if one.is_withdrawal and one.entry not in hastened)
        is_protected = any(one.is_protected for one in taken if one.commitment)
        return brake.Difference(added, removed), is_protected

    def _remember(self, taken: list[Change], log_size: int) -> None:
        """Only a list with canaries has two versions out at once."""
        is_needed = bool(self.policy_at(log_size).canaries)
        self.before = {one.entry: self.listed.get(one.entry) for one in taken} if is_needed else {}
        self.position = log_size


@dataclass(frozen=True)
class Published:
    """A version as its `list.published` leaf at `index` has it."""

    index: int
    at: str
    list: str
    version: int
    content_sha256: str
    manifest_sha256: str


Checks = Callable[[int, str, str, dict[str, str]], None]
"""Takes (leaf, entry, compact JWS, public JWK) and raises Deviation, now or when its keeper says, unless the
signature holds."""


def check_signature(index: int, entry: str, token: str, jwk: dict[str, str]) -> None:
    """Verify the decision's signature at once. Raises Deviation."""
    try:
        signature.verify(token, jwk)
    except jose.Invalid as fault:
        raise Deviation(index, f"expected a valid signature: {fault}", entry) from None


@dataclass(frozen=True)
class Reported:
    """A transparency report as its `report.published` leaf at `index` has it."""

    index: int
    period: str
    sha256: str


class World:
    """Everything that the leaves so far say. `size` is how many there were.

    Of entries, `took_part` has who decided on one besides the votes that count, `upheld` those of upheld
    appeals, `expiring` those that may expire and `returning` those that may come back.
    """

    def __init__(
        self,
        on_published: Callable[[Published, Mapping[str, str]], None] = lambda *_: None,
        check: Checks = check_signature,
    ) -> None:
        self.size = 0
        self.published: list[Published] = []
        self.on_published, self.check = on_published, check
        self.organisations: dict[str, Organisation] = {}
        self.clients: dict[str, Organisation] = {}
        self.keys: dict[str, tuple[str, dict[str, str]]] = {}
        self.revoked_clients: set[str] = set()
        self.conflicts: set[tuple[str, str]] = set()
        self.flags: set[tuple[str, str]] = set()
        self.recipients: dict[str, str] = {}
        self.authority: Authority | None = None
        self.opened: Authority | None = None
        """The register's first keys, which TUF's root names."""
        self.register = Register()
        self.reviewers: dict[str, Reviewer] = {}
        self.lists: dict[str, List] = {}
        self.entries: dict[str, Entry] = {}
        self.holds: dict[tuple[str, str], str] = {}
        self.removals: dict[str, Removal] = {}
        self.contacts: dict[str, tuple[int, str]] = {}
        self.list_readers: set[tuple[str, str]] = set()
        self.took_part: dict[str, set[str]] = {}
        self.appeals: dict[str, Appeal] = {}
        self.upheld: set[str] = set()
        self.expiring: set[str] = set()
        self.returning: set[str] = set()
        self.tally = Tally()
        self.reports: list[Reported] = []

    def fail(self, expected: str, entry: str | None = None) -> NoReturn:
        """End the replay at the present leaf. Raises Deviation."""
        raise Deviation(self.size, f"expected {expected}", entry)

    def actor(self, leaf: Leaf, kind: Kind) -> Organisation:
        """Who acts: a client of an organisation of this kind, in force. Raises Deviation."""
        acting = self.clients.get(leaf["client"])
        if acting is None or acting.id != leaf["organisation"] or acting.kind is not kind:
            self.fail(f"a client of a {kind.value}", leaf.get("entry"))
        if acting.is_suspended or leaf["client"] in self.revoked_clients:
            self.fail("an organisation that is not suspended", leaf.get("entry"))
        return acting

    def counts(self, vote: tuple[str, str, str]) -> bool:
        """Whether a vote still counts: its body is not suspended, its client not revoked."""
        organisation, _, client = vote
        return not self.organisations[organisation].is_suspended and client not in self.revoked_clients

    def involved_in(self, entry: str) -> set[str]:
        """Who submitted or decided on an entry, votes that count no longer and second opinions included."""
        found = self.entries[entry]
        voted = {organisation for organisation, _, _ in found.votes}
        return voted | found.submitters | self.took_part.get(entry, set())

    def dependent_on(self, organisation: str) -> set[str]:
        """Organisations in conflict with this one, itself included."""
        pairs = (pair for pair in self.conflicts if organisation in pair)
        return {organisation}.union(*pairs)
