"""A version made from the one before is the version read whole, after anything that can happen to a list."""

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from app.client.session import Connection, Failed
from app.core import commitment, jose
from app.core import receipt as core
from app.core.terms import Kind
from app.entries import listing
from app.lists import snapshots
from app.lists.contents import Contents
from app.lists.formats.hashes import Hashed, of_lines
from app.lists.publisher import Publisher
from app.lists.targets import TargetFolder
from app.main import DUTIES
from app.platform.clock import instant
from tests.appeals import people
from tests.lists.sealed import Holder, SealedList
from tests.programs.service import leaves, replay

MINUTES, DAY = timedelta(minutes=10), timedelta(days=1)
KEY = bytes(range(32))


class Broken(Exception):
    """What the tests make fail."""


class Story:
    """What happens to one list; each of its versions is what the database says and its delta leads to."""

    def __init__(self, world: SealedList, name: str, chance: random.Random) -> None:
        self.world, self.name, self.chance = world, name, chance
        world.add_list(name, appeal_days=1, recheck_days=300)
        canary = world.holder(name)
        self.canary = world.service.connect(Kind.ISP, canary.organisation, world.inside)
        self.second = world.service.connect(Kind.OPERATOR, transport=world.inside)
        self.provider: Holder = world.holder(name)
        world.change_policy(name, canaries=[canary.organisation])
        self.entries: list[str] = []
        self.versions: dict[int, set[bytes]] = {0: set()}

    def add(self) -> None:
        self.entries += self.world.list_some(self.chance.randint(1, 3), self.name)

    def withdraw(self) -> None:
        self._on_one(lambda one: self.world.hotline.request("POST", f"/v1/entries/{one}/withdrawal"))

    def emergency(self) -> None:
        path = "/v1/entries/emergency-delisting"
        self._on_one(lambda one: self.world.operator.request("POST", path, json={"entries": [one]}))

    def erase(self) -> None:
        body = {"reason": "victim_request"}
        self._on_one(lambda one: self.world.operator.request("POST", f"/v1/entries/{one}/erasure", json=body))

    def overdue_appeal_denied(self) -> None:
        """The entry leaves while the appeal waits too long, and comes back."""
        self._on_one(self._appeal)

    def fails_at_the_canary(self) -> None:
        """What the version on trial added is taken back, and let out again by two."""
        latest = self.canary.send("GET", f"/v1/lists/{self.name}/snapshots/latest")
        if latest.status_code != 200:
            return
        manifest = latest.json()
        body = {
            "applied_at": instant(self.world.service.clock()),
            "content_sha256": manifest["content_sha256"],
            "outcome": "failed",
            "version": manifest["version"],
        }
        signed = jose.sign(core.statement(**body, in_list=self.name), self.canary.credentials.private_jwk)
        self._try(self.canary, f"/v1/lists/{self.name}/receipts", {**body, "signature": signed})
        self.round()
        for operator in (self.world.operator, self.second):
            self._try(operator, f"/v1/lists/{self.name}/brake/release", {})

    def passes(self) -> None:
        """The time of a trial."""
        self.world.service.clock.ahead += MINUTES
        self.round()

    def starts_anew(self) -> None:
        """Another process publishes from now on, which has read nothing yet."""
        one = self.world.service
        one.publisher = Publisher(one.settings, one.database, one.keyring, one.clock, DUTIES)

    def round(self) -> None:
        """Publish, and check the newest version."""
        self.world.service.publish()
        with self.world.service.database.reading() as session:
            last = snapshots.latest(session, self.name)
            if last is None or last.version in self.versions:
                return
            whole = Contents().of(session, self.world.service.keyring.epochs, last)
        kept = self.world.service.publisher._files._contents._known[self.name]
        assert (kept.version, kept.lines, kept.commitments) == (last.version, whole.lines, whole.commitments)
        assert (kept.added, kept.removed) == (whole.added, whole.removed)
        assert kept.hashes(KEY) == whole.hashes(KEY) == sorted(of_lines(KEY, whole.lines))
        manifest = self.world.manifest(last.version, self.name)
        assert manifest.content_sha256 == commitment.content_sha256(whole.lines)
        assert manifest.commitments_sha256 == whole.commitments_sha256
        assert self._after_delta(last.version) == set(whole.lines)

    def _after_delta(self, version: int) -> set[bytes]:
        """The version before with what the delta says, as the provider reads both."""
        lines = {json.loads(line)["entry"]: line for line in self.versions[version - 1]}
        (path,) = (path for file, path in self.world.files(version, self.name).items() if ".delta." in file)
        for line in (self.provider.opens(path) or b"").splitlines():
            change = json.loads(line)
            op = change.pop("op")
            assert (change["entry"] in lines) == (op == "remove")
            if op == "add":
                lines[change["entry"]] = json.dumps(change, separators=(",", ":"), sort_keys=True).encode()
            else:
                del lines[change["entry"]]
        self.versions[version] = set(lines.values())
        return self.versions[version]

    def _on_one(self, act: Callable[[str], object]) -> None:
        """On any of them; what its state does not allow is refused."""
        with contextlib.suppress(Failed):
            act(self.chance.choice(self.entries))

    def _try(self, client: Connection, path: str, body: dict[str, Any]) -> None:
        assert client.send("POST", path, json=body).status_code in (200, 201, 409)

    def _appeal(self, entry: str) -> None:
        view = self.world.hotline.request("GET", f"/v1/entries/{entry}").json()
        if view.get("canonical_url") is None:
            return
        body = {"url": view["canonical_url"], "statement": people.STATEMENT}
        with httpx.Client(base_url=self.world.service.address, transport=self.world.inside) as public:
            filed = public.post("/v1/appeals", json=body).json()
        self.world.service.clock.ahead += 2 * DAY
        self.round()
        self.passes()
        with self.world.service.connect(Kind.REVIEW_BODY, transport=self.world.inside) as body_that_decides:
            for shown in people.waiting(body_that_decides):
                if shown["reference"] == filed.get("reference"):
                    people.decide(self.world.service, body_that_decides, filed, "denied")


ACTS = [
    "add", "add", "round", "round", "passes", "withdraw", "emergency", "erase", "starts_anew",
    "fails_at_the_canary", "overdue_appeal_denied",
]  # fmt: skip
COME_BACK = [
    "add",
    "passes",
    "overdue_appeal_denied",
    "passes",
    "overdue_appeal_denied",
    "round",
    "erase",
    "passes",
]
FAIL = [
    "add",
    "round",
    "passes",
    "add",
    "round",
    "fails_at_the_canary",
    "emergency",
    "round",
    "round",
    "passes",
]
OVERTAKEN = ["add", "passes", "add", "round", "withdraw", "emergency", "starts_anew", "round", "passes"]


@pytest.fixture(scope="module")
def told(world: SealedList) -> Iterator[list[int]]:
    """How many versions each story had; in the end, that everything it is about came about."""
    counted: list[int] = []
    yield counted
    assert sum(counted) >= 15
    with world.service.database.reading() as session:
        types = {leaf["type"] for leaf in leaves(session)}
    assert types >= {
        "entry.delisted",
        "entry.erased",
        "entry.reinstated",
        "entry.taken_back",
        "list.promoted",
    }
    assert replay(world.service).size > 100


@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(acts=st.lists(st.sampled_from(ACTS), min_size=8, max_size=12), seed=st.integers(0, 2**16))
@example(acts=COME_BACK, seed=1)
@example(acts=FAIL, seed=2)
@example(acts=OVERTAKEN, seed=3)
def test_whatever_happens_to_a_list(world: SealedList, told: list[int], acts: list[str], seed: int) -> None:
    name = f"list-{len(told)}"
    story = Story(world, name, random.Random(seed))
    for act in ["add", "round", *acts, "passes"]:
        getattr(story, act)()
    told.append(len(story.versions) - 1)
    assert told[-1] > 0


def breaks_while_read(patch: pytest.MonkeyPatch) -> None:
    """The database goes away in mid-stream."""
    added_in = listing.added_in

    def breaks(*arguments: Any) -> Iterator[Any]:
        yield from list(added_in(*arguments))[:1]
        raise Broken

    patch.setattr(listing, "added_in", breaks)


def breaks_while_hashed(patch: pytest.MonkeyPatch) -> None:
    """Halfway through the change, when something of it is in."""

    def breaks(self: Hashed, added: Any, removed: Any) -> None:
        self.values.clear()
        raise Broken

    patch.setattr(Hashed, "change", breaks)


def breaks_while_written(patch: pytest.MonkeyPatch) -> None:
    """The disk is full after the first file."""
    store, left = TargetFolder.store, [1]

    def breaks(self: TargetFolder, *arguments: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Broken
        return store(self, *arguments)

    patch.setattr(TargetFolder, "store", breaks)


def breaks_while_put_on_record(patch: pytest.MonkeyPatch) -> None:
    """Every file is there, the manifest is not."""

    def breaks(*_: Any) -> Any:
        raise Broken

    patch.setattr(snapshots, "seal", breaks)


@pytest.mark.parametrize(
    "way", [breaks_while_read, breaks_while_hashed, breaks_while_written, breaks_while_put_on_record]
)
def test_a_failure_in_the_middle_leaves_no_wrong_memory(
    world: SealedList, name: str, way: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = world.holder(name)
    first = world.list_some(3, name)
    assert world.publish(name) == 1
    second = world.list_some(2, name)
    world.hotline.request("POST", f"/v1/entries/{first[0]}/withdrawal")
    with monkeypatch.context() as patch:
        way(patch)
        with pytest.raises(Broken):
            world.service.publish()
    assert world.publish(name) == 2
    lines = world.lines(holder, 2, name) or []
    assert {json.loads(line)["entry"] for line in lines} == {*first[1:], *second}
    world.own_parts(holder, name)
    assert len(world.guessed(holder, 2, name)) == 4
    there = {*first[1:], *second, *world.list_some(1, name)}
    assert world.publish(name) == 3
    assert {json.loads(line)["entry"] for line in world.lines(holder, 3, name) or []} == there
    assert world.manifest(3, name).entry_count == len(there)


def test_entries_that_are_not_as_many_as_their_version_says_stop_it(
    world: SealedList, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.list_some(2, name)
    with monkeypatch.context() as patch:
        patch.setattr(listing, "listed_at", lambda *_: iter(()))
        with pytest.raises(LookupError):
            world.service.publish()
    assert world.newest(name) == 0
    assert world.publish(name) == 1
