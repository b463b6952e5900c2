"""Replaying the public log: whoever holds the leaves can see that each version had its sign-off.

Nothing but the leaves is trusted here: states are run through the lifecycle again, signatures are verified
with keys that a registered review body certified (a register version carries its own offline signatures),
quorums are counted under the policy that the log recorded, and each version's `commitments_sha256` is
computed anew. Source: design sections 3 and 7; docs/log.md.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
import rfc8785

from app.core import commitment, decision, jose, lifecycle, register
from app.core.lifecycle import Event, Status
from app.core.register import Authority, Register, Reviewer
from app.core.terms import Decision, ErasureReason, Kind

SIGNATURE_AGE = timedelta(minutes=5)
"""How far a decision's own time may lie from that of its leaf."""
Checks = Callable[[int, str, str, dict[str, str]], None]
"""Takes (leaf, entry, compact JWS, public JWK) and raises Deviation, now or when its keeper says, unless the
signature holds."""
_DECIDES = {"approved": (Event.APPROVE, "approve"), "rejected": (Event.REJECT, "reject")}


class Deviation(Exception):
    """A leaf that must not be there. `index` is its place, `expected` what should have been."""

    def __init__(self, index: int, expected: str, entry: str | None = None) -> None:
        super().__init__(f"leaf {index}: {expected}" + (f" (entry {entry})" if entry else ""))
        self.index, self.expected, self.entry = index, expected, entry


@dataclass(slots=True)
class Entry:
    """What the log says of an entry. Votes are by organisation; sets are shared until they grow."""

    list: "List"
    scope: str
    digests: bytes
    is_blocking: bool
    submitters: frozenset[str]
    votes: tuple[tuple[str, str], ...] = ()
    status: Status = Status.SUBMITTED

    @property
    def commitment(self) -> str:
        """The first of the two, in hex: one object of 64 bytes is smaller and sooner made than two."""
        return self.digests[:32].hex()

    @property
    def digest(self) -> str:
        """What reviewers sign, in hex."""
        return self.digests[32:].hex()


@dataclass
class Organisation:
    """An organisation, and itself as the set of submitters that a million of its entries share."""

    id: str
    kind: Kind
    is_suspended: bool = False

    def __post_init__(self) -> None:
        self.alone = frozenset((self.id,))


@dataclass
class List:
    """A list: its quorum by scope, its versions' digests, and its entries at the newest version."""

    name: str
    quorum: dict[str, int]
    versions: dict[int, str] = field(default_factory=dict)
    listed: dict[str, str] = field(default_factory=dict)
    changes: list[tuple[int, str, str | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Published:
    """A version as its `list.published` leaf at `index` has it."""

    index: int
    at: str
    list: str
    version: int
    content_sha256: str
    manifest_sha256: str


def check_signature(index: int, entry: str, token: str, jwk: dict[str, str]) -> None:
    """Verify the decision's signature at once. Raises Deviation."""
    try:
        jose.verify(token, jwk)
    except jose.Invalid as fault:
        raise Deviation(index, f"expected a valid signature: {fault}", entry) from None


def read(index: int, body: bytes) -> dict[str, Any]:
    """A leaf that is an object in RFC 8785 form. Raises Deviation."""
    try:
        leaf = orjson.loads(body)
        if isinstance(leaf, dict) and (
            orjson.dumps(leaf, None, orjson.OPT_SORT_KEYS) == body or _is_canonical(leaf, body)
        ):
            return leaf
    except ValueError:
        pass
    raise Deviation(index, "expected a leaf in RFC 8785 form")


class Replay:
    """Feed it every leaf in order; it raises Deviation at the first that is not as it must be.

    `on_published` hears of each version, with the listed entries' commitments by entry id. `check` is given
    each reviewer's signature; nothing else is put off, so a caller who checks later knows all the rest.
    """

    def __init__(
        self,
        on_published: Callable[[Published, Mapping[str, str]], None] = lambda *_: None,
        check: Checks = check_signature,
    ) -> None:
        self.size = 0
        self.published: list[Published] = []
        self._on_published, self._check = on_published, check
        self.organisations: dict[str, Organisation] = {}
        self.clients: dict[str, Organisation] = {}
        self.authority: Authority | None = None
        self.register = Register()
        self.reviewers: dict[str, Reviewer] = {}
        self.lists: dict[str, List] = {}
        self.entries: dict[str, Entry] = {}
        self.holds: dict[tuple[str, str], str] = {}
        self._rules: dict[str, Callable[[dict[str, Any]], None]] = {
            "organisation.added": self._organisation_added,
            "organisation.suspended": lambda leaf: self._suspend(leaf["organisation"], True),
            "organisation.readmitted": lambda leaf: self._suspend(leaf["organisation"], False),
            "client.added": self._client_added,
            "client.key_added": self._known_client,
            "client.key_revoked": lambda leaf: self._drop_reviewers(lambda kid, _: kid == leaf["kid"]),
            "client.revoked": lambda leaf: self._drop_reviewers(lambda _, who: who.client == leaf["client"]),
            "register.opened": self._register_opened,
            "register.published": self._register_published,
            "reviewer.certified": self._reviewer_certified,
            "reviewer.revoked": self._reviewer_revoked,
            "list.created": self._list_created,
            "list.subscribed": self._known_list,
            "list.unsubscribed": self._known_list,
            "list.published": self._published,
            "audit.reveal_allowed": self._known_organisation,
            "audit.reveal_ended": self._known_organisation,
            "export.made": self._export_made,
            "entry.submitted": self._submitted,
            "entry.corroborated": self._corroborated,
            "entry.reviewed": self._reviewed,
            "entry.approved": self._decided,
            "entry.rejected": self._decided,
            "entry.withdrawn": lambda leaf: self._move(leaf, Event.WITHDRAW),
            "entry.listed": self._listed,
            "entry.delisted": self._delisted,
            "entry.erased": self._erased,
            "hold.placed": self._hold_placed,
            "hold.lifted": self._hold_lifted,
        }

    def feed(self, body: bytes) -> None:
        """Take in the next leaf. Raises Deviation."""
        self.take(read(self.size, body))

    def take(self, leaf: dict[str, Any]) -> None:
        """Take in the next leaf, read by somebody who saw that it is in RFC 8785 form. Raises Deviation."""
        try:
            rule = self._rules[leaf["type"]]
        except (KeyError, TypeError):
            raise Deviation(self.size, "expected a leaf of a known type") from None
        try:
            rule(leaf)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._fail("a leaf with every member of its type")
        self.size += 1

    def listed_at(self, name: str, log_size: int) -> dict[str, str]:
        """Entries (id -> commitment) on a list at a position not before its newest version's."""
        found = self.lists[name]
        listed = dict(found.listed)
        _apply(listed, [change for change in found.changes if change[0] < log_size])
        return listed

    def _fail(self, expected: str, entry: str | None = None) -> None:
        raise Deviation(self.size, f"expected {expected}", entry)

    def _organisation_added(self, leaf: dict[str, Any]) -> None:
        if leaf["organisation"] in self.organisations or leaf["kind"] not in set(Kind):
            self._fail("a new organisation of a known kind")
        self.organisations[leaf["organisation"]] = Organisation(leaf["organisation"], Kind(leaf["kind"]))

    def _suspend(self, organisation: str, is_suspended: bool) -> None:
        self.organisations[organisation].is_suspended = is_suspended

    def _client_added(self, leaf: dict[str, Any]) -> None:
        if leaf["client"] in self.clients or leaf["organisation"] not in self.organisations:
            self._fail("a new client of a known organisation")
        self.clients[leaf["client"]] = self.organisations[leaf["organisation"]]

    def _known_client(self, leaf: dict[str, Any]) -> None:
        if leaf["client"] not in self.clients:
            self._fail("a key of a known client")

    def _register_opened(self, leaf: dict[str, Any]) -> None:
        if self.authority:
            self._fail("offline register keys that are fixed once")
        self.authority = Authority(dict(leaf["keys"]), int(leaf["threshold"]))
        if not 2 <= self.authority.threshold <= len(self.authority.keys):
            self._fail("a register that at least two keys must sign")

    def _register_published(self, leaf: dict[str, Any]) -> None:
        if self.authority is None:
            self._fail("a register that was opened first")
        else:
            try:
                self.register = register.read(leaf, self.authority, self.register.version)
            except register.Invalid as fault:
                self._fail(f"a register signed offline: {fault}")

    def _reviewer_certified(self, leaf: dict[str, Any]) -> None:
        try:
            reviewer = register.certified(leaf["certificate"], self.register)
        except register.Invalid as fault:
            raise Deviation(self.size, f"expected a body's certificate: {fault}") from None
        if (reviewer.client, reviewer.organisation) != (leaf["client"], leaf["organisation"]):
            self._fail("the client and organisation that the certificate names")
        owner = self.clients.get(reviewer.client)
        if owner is None or owner.id != reviewer.organisation:
            self._fail("a certificate for a client of the body")
        if reviewer.jwk["kid"] in self.reviewers:
            self._fail("a key that was not certified before")
        self.reviewers[reviewer.jwk["kid"]] = reviewer

    def _reviewer_revoked(self, leaf: dict[str, Any]) -> None:
        try:
            _, revoked = register.revoked(leaf["revocation"], self.register)
        except register.Invalid as fault:
            raise Deviation(self.size, f"expected a body's revocation: {fault}") from None
        self._drop_reviewers(lambda kid, _: kid == revoked)

    def _drop_reviewers(self, is_meant: Callable[[str, Reviewer], bool]) -> None:
        self.reviewers = {kid: who for kid, who in self.reviewers.items() if not is_meant(kid, who)}

    def _list_created(self, leaf: dict[str, Any]) -> None:
        quorum = {str(scope): int(needed) for scope, needed in leaf["quorum"].items()}
        if leaf["list"] in self.lists or not quorum or min(quorum.values()) < 1:
            self._fail("a new list with a quorum of at least one for each scope")
        self.lists[leaf["list"]] = List(leaf["list"], quorum)

    def _known_organisation(self, leaf: dict[str, Any]) -> None:
        if leaf["organisation"] not in self.organisations:
            self._fail("a known organisation")

    def _export_made(self, leaf: dict[str, Any]) -> None:
        owner = self.clients.get(leaf["client"])
        if owner is None or owner.id != leaf["organisation"]:
            self._fail("a client of the organisation that exports")

    def _known_list(self, leaf: dict[str, Any]) -> None:
        if leaf["list"] not in self.lists:
            self._fail("a list that was created")

    def _submitted(self, leaf: dict[str, Any]) -> None:
        hotline, name = self._actor(leaf, Kind.HOTLINE), leaf["entry"]
        found = self.lists.get(leaf["list"])
        if found is None or name in self.entries or leaf["scope"] not in found.quorum:
            raise Deviation(self.size, "expected a new entry of a scope that its list takes", name)
        digests = bytes.fromhex(leaf["commitment"] + leaf["digest"])
        if len(digests) != 64 or len(leaf["digest"]) != 64:
            self._fail("a commitment and a digest of 64 hex digits each", name)
        is_blocking = "blocking" in leaf["measures"]
        self.entries[name] = Entry(found, sys.intern(leaf["scope"]), digests, is_blocking, hotline.alone)

    def _corroborated(self, leaf: dict[str, Any]) -> None:
        self._actor(leaf, Kind.HOTLINE)
        entry = self.entries[leaf["entry"]]
        entry.submitters |= {leaf["organisation"]}

    def _reviewed(self, leaf: dict[str, Any]) -> None:
        entry, name = self.entries[leaf["entry"]], leaf["entry"]
        self._actor(leaf, Kind.REVIEW_BODY)
        if leaf["organisation"] in {*entry.submitters, *(who for who, _ in entry.votes)}:
            self._fail("one decision by an organisation that neither submitted nor voted", name)
        if entry.status is not Status.SUBMITTED:
            self._fail("a decision on an entry under review", name)
        self._check_signature(leaf, entry)
        entry.votes += ((leaf["organisation"], leaf["decision"]),)

    def _check_signature(self, leaf: dict[str, Any], entry: Entry) -> None:
        name = leaf["entry"]
        try:
            reviewer = self.reviewers.get(str(jose.header(leaf["signature"]).get("kid")))
            if reviewer is None or (reviewer.client, reviewer.organisation) != (
                leaf["client"],
                leaf["organisation"],
            ):
                raise Deviation(self.size, "expected a signature by a certified key of the reviewer", name)
            self._check(self.size, name, leaf["signature"], reviewer.jwk)
            payload = jose.unverified(leaf["signature"])
            signed = jose.claims(payload)
        except jose.Invalid as fault:
            raise Deviation(self.size, f"expected a valid signature: {fault}", name) from None
        if not register.may_sign(self.register, reviewer, entry.list.name, leaf["at"]):
            self._fail("a body that is registered for this list at this time", name)
        if (
            abs(datetime.fromisoformat(leaf["at"]).timestamp() - signed["iat"])
            > SIGNATURE_AGE.total_seconds()
        ):
            self._fail("a decision signed when it was taken in", name)
        stated = (signed["entry"], signed["entry_digest"], signed["list"], signed["decision"])
        if stated != (name, entry.digest, entry.list.name, leaf["decision"]) or not _is_canonical(
            signed, payload
        ):
            self._fail("a signature over this entry, its digest, its list and this decision", name)
        is_met = all(signed["criteria"][criterion] is True for criterion in decision.CRITERIA)
        if leaf["decision"] == Decision.APPROVE and not is_met:
            self._fail("an approval with every criterion met", name)

    def _decided(self, leaf: dict[str, Any]) -> None:
        entry = self.entries[leaf["entry"]]
        event, verdict = _DECIDES[leaf["type"].removeprefix("entry.")]
        votes = sum(vote == verdict for _, vote in entry.votes)
        needed = entry.list.quorum[entry.scope]
        if votes < needed:
            self._fail(f"{needed} decisions to {verdict}, there are {votes}", leaf["entry"])
        self._move(leaf, event)

    def _listed(self, leaf: dict[str, Any]) -> None:
        entry = self.entries.get(leaf["entry"])
        if entry is None or entry.status is not Status.APPROVED or not entry.is_blocking:
            self._fail("a listed entry that was submitted for blocking and approved", leaf["entry"])
        elif (leaf["list"], leaf["commitment"]) != (entry.list.name, entry.commitment):
            self._fail("the list and commitment of the submission", leaf["entry"])
        else:
            self._move(leaf, Event.LIST)
            entry.list.changes.append((self.size, leaf["entry"], entry.commitment))

    def _delisted(self, leaf: dict[str, Any]) -> None:
        entry = self.entries[leaf["entry"]]
        if entry.status is Status.LISTED:
            entry.list.changes.append((self.size, leaf["entry"], None))
        self._move(leaf, Event.DELIST)

    def _erased(self, leaf: dict[str, Any]) -> None:
        if leaf["reason"] not in set(ErasureReason):
            self._fail("an erasure for a known reason", leaf["entry"])
        if any(entry == leaf["entry"] and until > leaf["at"] for (entry, _), until in self.holds.items()):
            self._fail("no erasure while a legal hold is in force", leaf["entry"])
        self._move(leaf, Event.ERASE)

    def _hold_placed(self, leaf: dict[str, Any]) -> None:
        self._actor(leaf, Kind.LAW_ENFORCEMENT)
        if self.entries[leaf["entry"]].status is Status.ERASED or leaf["until"] <= leaf["at"]:
            self._fail("a hold that ends later, on an entry that is not erased", leaf["entry"])
        self.holds[leaf["entry"], leaf["organisation"]] = leaf["until"]

    def _hold_lifted(self, leaf: dict[str, Any]) -> None:
        self._actor(leaf, Kind.LAW_ENFORCEMENT)
        if self.holds.pop((leaf["entry"], leaf["organisation"]), None) is None:
            self._fail("a hold of this organisation", leaf["entry"])

    def _published(self, leaf: dict[str, Any]) -> None:
        self._known_list(leaf)
        found, version = self.lists[leaf["list"]], leaf["version"]
        if version != len(found.versions) + 1 or leaf["log_size"] > self.size:
            self._fail(f"version {len(found.versions) + 1} from a position before it")
        _apply(found.listed, [change for change in found.changes if change[0] < leaf["log_size"]])
        found.changes = [change for change in found.changes if change[0] >= leaf["log_size"]]
        computed = commitment.commitments_sha256(found.listed.values())
        if (leaf["entry_count"], leaf["commitments_sha256"]) != (len(found.listed), computed):
            self._fail(f"version {version} of {len(found.listed)} entries with commitments {computed}")
        found.versions[version] = computed
        shown = Published(
            self.size,
            leaf["at"],
            leaf["list"],
            version,
            leaf["content_sha256"],
            leaf["manifest_sha256"],
        )
        self.published.append(shown)
        self._on_published(shown, found.listed)

    def _actor(self, leaf: dict[str, Any], kind: Kind) -> Organisation:
        acting = self.clients.get(leaf["client"])
        if acting is None or acting.id != leaf["organisation"] or acting.kind is not kind:
            raise Deviation(self.size, f"expected a client of a {kind.value}", leaf["entry"])
        if acting.is_suspended:
            self._fail("an organisation that is not suspended", leaf["entry"])
        return acting

    def _move(self, leaf: dict[str, Any], event: Event) -> None:
        entry = self.entries[leaf["entry"]]
        try:
            entry.status = lifecycle.after(entry.status, event)
        except lifecycle.NotAllowed as refused:
            raise Deviation(self.size, f"expected a legal transition: {refused}", leaf["entry"]) from None


def _is_canonical(found: Any, raw: bytes) -> bool:
    """For ASCII names and whole numbers orjson's sorted form is that of RFC 8785, and far quicker."""
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS) == raw or rfc8785.dumps(found) == raw


def _apply(listed: dict[str, str], changes: list[tuple[int, str, str | None]]) -> None:
    for _, entry, opened in changes:
        if opened is None:
            listed.pop(entry, None)
        else:
            listed[entry] = opened
