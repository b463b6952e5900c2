"""A stranger replays the log: the honest history holds; a forged decision, or a return without one, not."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import rfc8785

from app.client.session import Connection
from app.core import jose
from app.core.replay import Deviation, Replay
from app.core.terms import Kind
from tests.appeals.people import URL, decide, file, listed
from tests.programs.service import Service, leaves, running

Leaves = list[dict[str, Any]]


@dataclass
class Story:
    """One appeal upheld, one overdue and then denied; and who could have signed something else."""

    honest: Leaves
    judge: Connection
    reviewer: Connection

    def at(self, kind: str, nth: int = 0) -> int:
        """Where the nth leaf of a type is."""
        return [index for index, leaf in enumerate(self.honest) if leaf["type"] == kind][nth]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with running(Service(tmp_path_factory.mktemp("history") / "home")) as up:
        up.add_list()
        with (
            up.connect(Kind.HOTLINE) as hotline,
            up.connect(Kind.REVIEW_BODY) as reviewer,
            up.connect(Kind.REVIEW_BODY) as judge,
        ):
            listed(up, hotline, reviewer)
            listed(up, hotline, reviewer, f"{URL}/2")
            late, wrong = file(up), file(up, f"{URL}/2")
            up.publish()
            assert decide(up, judge, wrong, "upheld").status_code == 201
            up.clock.ahead += timedelta(days=16)
            up.publish()
            assert decide(up, judge, late, "denied").status_code == 201
            with up.database.reading() as session:
                yield Story(leaves(session), judge, reviewer)


def feed(found: Leaves) -> None:
    replayed = Replay()
    for leaf in found:
        replayed.feed(rfc8785.dumps(leaf))


def resigned(leaf: dict[str, Any], jwk: dict[str, str], **changes: Any) -> dict[str, Any]:
    """The decision's leaf, signed anew over what it says, but for `changes` of the signed statement."""
    claims = jose.claims(jose.unverified(leaf["signature"]))
    claims |= {name: leaf[name] for name in ("outcome", "appeal", "entries") if name in leaf} | changes
    return {**leaf, "signature": jose.sign(rfc8785.dumps(claims), jwk)}


def drop(kind: str, nth: int = 0) -> Callable[[Story, Leaves], None]:
    return lambda story, found: found.__delitem__(story.at(kind, nth))


def change(**members: Any) -> Callable[[Story, Leaves], None]:
    """Members of the upheld appeal's decision."""
    return lambda story, found: found[story.at("appeal.decided")].update(members)


def by_who_voted(story: Story, found: Leaves) -> None:
    leaf = found[story.at("appeal.decided")]
    voted = next(one for one in found if one["type"] == "entry.reviewed")
    leaf |= {"client": voted["client"], "organisation": voted["organisation"]}
    found[story.at("appeal.decided")] = resigned(leaf, story.reviewer.credentials.private_jwk)


def by_a_key_of_nobody(story: Story, found: Leaves) -> None:
    place = story.at("appeal.decided")
    kid = story.judge.credentials.private_jwk["kid"]
    found[place] = resigned(found[place], jose.generate() | {"kid": kid})


def signed_long_before(story: Story, found: Leaves) -> None:
    place = story.at("appeal.decided")
    found[place] = resigned(found[place], story.judge.credentials.private_jwk, iat=1)


def with_more_in_the_statement(story: Story, found: Leaves) -> None:
    leaf = found[story.at("appeal.decided")]
    claims = jose.claims(jose.unverified(leaf["signature"])) | {"note": "x"}
    leaf["signature"] = jose.sign(rfc8785.dumps(claims), story.judge.credentials.private_jwk)


def in_conflict(story: Story, found: Leaves) -> None:
    leaf, place = found[story.at("appeal.decided")], story.at("appeal.decided")
    hotline = next(one["organisation"] for one in found if one["type"] == "entry.submitted")
    pair = sorted((leaf["organisation"], hotline))
    declared = {"at": leaf["at"], "organisations": pair, "reason": "funding", "type": "conflict.declared"}
    found.insert(place, declared)


def twice(story: Story, found: Leaves) -> None:
    found.append(found[story.at("appeal.decided", 1)])


def upheld_without_entries(story: Story, found: Leaves) -> None:
    place = story.at("appeal.decided")
    leaf = {**found[place], "entries": []}
    found[place] = resigned(leaf, story.judge.credentials.private_jwk)


def hastened_as_upheld(story: Story, found: Leaves) -> None:
    entry = found[story.at("appeal.overdue")]["entries"][0]
    leaf = {**found[story.at("entry.delisted", 1)], "entry": entry, "reason": "appeal_upheld"}
    found.insert(story.at("appeal.decided", 1), leaf | {"type": "entry.hastened"})


def withdrawn_then_back(story: Story, found: Leaves) -> None:
    """The one that an appeal ended comes back in the place of the one that expired."""
    ended = found[story.at("entry.delisted")]["entry"]
    found[story.at("entry.reinstated")]["entry"] = ended


def denied_by_who_voted(story: Story, found: Leaves) -> None:
    """Its leaf names no entry; the one that expired for it is known all the same."""
    place = story.at("appeal.decided", 1)
    voted = next(one for one in found if one["type"] == "entry.reviewed")
    leaf = found[place] | {"client": voted["client"], "organisation": voted["organisation"]}
    found[place] = resigned(leaf, story.reviewer.credentials.private_jwk)


def denied_with_its_entries_named(story: Story, found: Leaves) -> None:
    place = story.at("appeal.decided", 1)
    leaf = {**found[place], "entries": found[story.at("appeal.overdue")]["entries"]}
    found[place] = resigned(leaf, story.judge.credentials.private_jwk)


def denied_with_its_entries_in_the_statement(story: Story, found: Leaves) -> None:
    place = story.at("appeal.decided", 1)
    entries = found[story.at("appeal.overdue")]["entries"]
    found[place] = resigned(found[place], story.judge.credentials.private_jwk, entries=entries)


FORGERIES: list[tuple[Callable[[Story, Leaves], None], str]] = [
    (by_who_voted, "a body that took no part"),
    (denied_by_who_voted, "a body that took no part"),
    (denied_with_its_entries_named, "entries named by an upheld appeal, and by no other"),
    (denied_with_its_entries_in_the_statement, "a signature over this appeal"),
    (in_conflict, "a body that took no part"),
    (by_a_key_of_nobody, "a valid signature"),
    (signed_long_before, "a decision signed when it was taken in"),
    (with_more_in_the_statement, "a signature over this appeal"),
    (twice, "a known appeal that is not decided"),
    (upheld_without_entries, "an entry that the upheld appeal concerns"),
    (hastened_as_upheld, "an upheld appeal that names this entry"),
    (withdrawn_then_back, "an entry that expired while an appeal waited"),
    (change(outcome="denied"), "entries named by an upheld appeal, and by no other"),
    (change(outcome="maybe"), "a known outcome"),
    (change(appeal="another"), "a known appeal"),
    (change(entries=["another"]), "known entries"),
    (change(entries=[]), "an entry that the upheld appeal concerns"),
    (drop("appeal.filed"), "a known appeal"),
    (drop("appeal.decided"), "an upheld appeal that names this entry"),
    (drop("appeal.decided", 1), "an entry that expired while an appeal waited"),
    (drop("appeal.overdue"), "an overdue appeal that names this entry"),
]


def test_the_honest_history_holds(story: Story) -> None:
    kinds = {leaf["type"] for leaf in story.honest}
    assert kinds >= {"appeal.filed", "appeal.overdue", "appeal.decided", "entry.reinstated"}
    feed(story.honest)


@pytest.mark.parametrize(("forge", "expected"), FORGERIES, ids=[expected for _, expected in FORGERIES])
def test_a_forged_history_is_refused(
    story: Story, forge: Callable[[Story, Leaves], None], expected: str
) -> None:
    found = copy.deepcopy(story.honest)
    forge(story, found)
    with pytest.raises(Deviation, match=expected):
        feed(found)


def test_a_decision_resigned_as_it_was_holds(story: Story) -> None:
    """The tool of these forgeries makes what replay accepts, so that a refusal is for the forgery."""
    found = copy.deepcopy(story.honest)
    place = story.at("appeal.decided")
    found[place] = resigned(found[place], story.judge.credentials.private_jwk)
    feed(found)
