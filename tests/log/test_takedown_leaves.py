"""A stranger replays takedowns: the honest history holds, and each forged leaf after it is refused."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.client.session import Connection
from app.core.lifecycle import Takedown
from app.core.replay import Deviation, Replay
from app.core.terms import Kind
from app.platform.clock import instant
from tests.programs.service import LIST, Service, leaves, replay, running
from tests.takedown.stories import hold, policy, say, withdraw
from tests.takedown.told import PROVIDER, Post, answer, approved, contact, pass_time, submitted, token_of


@dataclass
class Story:
    """Entries by what became of them, who acts by name, and the log as it is in the end."""

    replayed: Replay
    honest: list[dict[str, Any]]
    entries: dict[str, str]
    actors: dict[str, dict[str, str]]
    now: Any

    def at(self, **ahead: float) -> str:
        """A moment after the end."""
        return instant(self.now + timedelta(**ahead))

    def leaf(self, kind: str, entry: str, actor: str = "", **members: Any) -> dict[str, Any]:
        """A leaf of that type about that entry, by that actor."""
        by = self.actors[actor] if actor else {}
        whole = {"type": f"takedown.{kind}", "at": self.at(), "entry": self.entries[entry], "list": LIST}
        return {**whole, **by, **members}

    def take(self, *forged: dict[str, Any]) -> Replay:
        """The log with these leaves at its end. Raises Deviation."""
        replayed = copy.deepcopy(self.replayed)
        for leaf in forged:
            replayed.take(leaf)
        return replayed

    def told(self, kind: str, entry: str, **members: Any) -> dict[str, Any]:
        """The leaf of a notice by the service."""
        notice = {"to": "provider", "channel": "mail", "begun_at": self.at(), **members}
        return self.leaf(kind, entry, **notice)


def person(connection: Connection, organisation: str) -> dict[str, str]:
    return {"client": connection.credentials.client_id, "organisation": organisation}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with running(Service(tmp_path_factory.mktemp("leaves") / "home")) as up:
        up.add_list(notice_first=True, notice_window_hours=24)
        post, ids, actors = Post(up), {}, {}
        for name, kind in {
            "hotline": Kind.HOTLINE,
            "stranger": Kind.HOTLINE,
            "police": Kind.LAW_ENFORCEMENT,
            "other police": Kind.LAW_ENFORCEMENT,
            "provider": Kind.ISP,
        }.items():
            ids[name] = up.organisation(kind)
            with up.connect(kind, ids[name]) as connection:
                actors[name] = person(connection, ids[name])
        with up.connect(Kind.HOTLINE, ids["hotline"]) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer:
            entries = _tell(up, hotline, reviewer, post)
        post.courier.close()
        with up.database.reading() as session:
            honest = leaves(session)
        actors["hotline"] = {**actors["hotline"]}
        yield Story(replay(up), honest, entries, actors, up.clock())


def _tell(up: Service, hotline: Connection, reviewer: Connection, post: Post) -> dict[str, str]:
    """One entry for each way a takedown may stand."""
    contact(up)
    url = "https://{}.example.test/1".format
    named = {name: approved(hotline, reviewer, url(name)) for name in ("told", "gone", "left", "free")}
    sent = {one.entry_id: one for one in post.deliver()}
    answer(up, token_of(sent[named["gone"]]), "removed").raise_for_status()
    withdraw(hotline, named["left"])
    hold(up, named["free"], 1, is_released=True)
    policy(up, law_enforcement_hours=2)
    named |= {name: approved(hotline, reviewer, url(name)) for name in ("held", "asked", "later")}
    up.publish()
    hold(up, named["asked"], 14 * 24)
    named["new"] = submitted(hotline, url("new"))
    pass_time(up, hours=1)
    say(hotline, submitted(hotline, url("own")), "notified")
    return named


def refused(story: Story, *forged: dict[str, Any]) -> str:
    """Why the last of these leaves is refused; those before it are not."""
    story.take(*forged[:-1])
    with pytest.raises(Deviation) as caught:
        story.take(*forged)
    return caught.value.expected


def test_the_honest_history_holds(story: Story) -> None:
    types = {leaf["type"] for leaf in story.honest}
    assert types >= {"takedown.notified", "takedown.removed", "takedown.held", "takedown.released"}
    assert not any("example.test" in str(leaf) for leaf in story.honest)
    states = {
        name: story.replayed.removals[entry].state for name, entry in story.entries.items() if name != "new"
    }
    assert (states["told"], states["gone"], states["later"]) == (
        Takedown.NOTIFIED,
        Takedown.REMOVED,
        Takedown.NOT_STARTED,
    )


def test_nobody_is_told_of_what_was_not_signed_off(story: Story) -> None:
    assert "was approved" in refused(story, story.told("notified", "new"))
    story.take(story.leaf("notified", "new", "hotline", channel="own"))


def test_nobody_is_told_after_the_entry_ended(story: Story) -> None:
    ended_at = story.replayed.entries[story.entries["left"]].ended_at
    assert "begun before that ended" in refused(story, story.told("reminded", "left"))
    story.take(story.told("reminded", "left", begun_at=ended_at))


def test_law_enforcement_is_not_asked_for_removal(story: Story) -> None:
    assert "asked for removal" in refused(story, story.told("reminded", "told", to="law_enforcement"))


@pytest.mark.parametrize("entry", ["asked", "held"])
def test_nobody_is_told_while_it_is_held(story: Story, entry: str) -> None:
    assert "law enforcement is heard" in refused(story, story.told("notified", entry))


@pytest.mark.parametrize(("seconds", "is_taken"), [(5, True), (6, False)])
def test_clocks_of_one_installation_may_be_five_seconds_apart(
    story: Story, seconds: int, is_taken: bool
) -> None:
    """Who sends dates a notice's begin; who takes in a hold or ends an entry dates the rest, elsewhere."""
    begun_at = story.at(seconds=seconds)
    held = (asks(story, "told", "police", days=1), {"at": begun_at, "begun_at": begun_at})
    ended_at = datetime.fromisoformat(str(story.replayed.entries[story.entries["left"]].ended_at))
    late = {"begun_at": instant(ended_at + timedelta(seconds=seconds)), "at": story.at(hours=1)}
    for before, entry, notice in ((held[0], "told", held[1]), (None, "left", late)):
        forged = [*filter(None, [before]), story.told("reminded", entry, **notice)]
        if is_taken:
            story.take(*forged)
        else:
            assert refused(story, *forged)


def test_no_notice_was_begun_later_than_it_arrived(story: Story) -> None:
    assert "law enforcement is heard" in refused(
        story, story.told("reminded", "told", begun_at=story.at(hours=1))
    )


@pytest.mark.parametrize("kind", ["reminded", "escalated"])
@pytest.mark.parametrize("entry", ["gone", "later"])
def test_who_was_not_told_is_not_told_again(story: Story, kind: str, entry: str) -> None:
    assert "waits for whoever was told" in refused(story, story.told(kind, entry))


@pytest.mark.parametrize("actor", ["stranger", "police", "provider"])
def test_only_a_hotline_of_the_entry_tells_by_its_own_means(story: Story, actor: str) -> None:
    assert "hotline" in refused(story, story.leaf("notified", "new", actor, channel="own"))
    assert refused(story, story.leaf("notified", "new", channel="own"))


@pytest.mark.parametrize(
    ("kind", "by", "actor"),
    [
        ("removed", "hotline", ""),
        ("removed", "hotline", "stranger"),
        ("removed", "hotline", "provider"),
        ("removed", "peer", ""),
        ("removed", "peer", "police"),
        ("removed", "provider", "hotline"),
        ("removed", "service", ""),
        ("acknowledged", "service", ""),
        ("refused", "service", ""),
        ("unreachable", "provider", ""),
        ("removed", "somebody", ""),
    ],
)
def test_an_answer_is_by_who_may_give_it(story: Story, kind: str, by: str, actor: str) -> None:
    assert refused(story, story.leaf(kind, "told", actor, by=by, reason="other"))


@pytest.mark.parametrize(("by", "actor"), [("provider", ""), ("service", ""), ("peer", "stranger")])
def test_only_a_hotline_of_the_entry_sees_it_again(story: Story, by: str, actor: str) -> None:
    assert refused(story, story.leaf("reopened", "gone", actor, by=by))
    story.take(story.leaf("reopened", "gone", "hotline", by="hotline"))


def test_a_refusal_has_a_reason_of_the_list(story: Story) -> None:
    assert refused(story, story.leaf("refused", "told", by="provider"))
    assert refused(story, story.leaf("refused", "told", by="provider", reason="no time"))
    story.take(story.leaf("refused", "told", by="provider", reason="not_hosted_here"))


def test_a_step_that_the_machine_does_not_have_is_refused(story: Story) -> None:
    assert "legal step" in refused(story, story.leaf("acknowledged", "later", by="provider"))
    assert "legal step" in refused(story, story.told("notified", "told"))


@pytest.mark.parametrize("actor", ["", "provider", "police"])
def test_only_a_hotline_confirms_and_only_what_was_said_to_be_removed(story: Story, actor: str) -> None:
    assert refused(story, story.leaf("confirmed", "gone", actor))
    assert "said to be removed" in refused(story, story.leaf("confirmed", "told", "hotline"))


def delisted(story: Story, entry: str) -> dict[str, Any]:
    whole = {"type": "entry.delisted", "at": story.at(), "entry": story.entries[entry], "list": LIST}
    return {**whole, "reason": "removed_at_source"}


def test_nothing_is_removed_at_source_without_a_hotlines_word(story: Story) -> None:
    for entry in ("told", "gone"):
        assert "a hotline that saw it" in refused(story, delisted(story, entry))
    story.take(story.leaf("confirmed", "gone", "hotline"), delisted(story, "gone"))
    again = story.leaf("reopened", "gone", "hotline", by="hotline")
    seen = story.leaf("confirmed", "gone", "hotline")
    assert "a hotline that saw it" in refused(story, seen, again, delisted(story, "gone"))
    story.take(story.leaf("removed", "told", "stranger", by="peer"), delisted(story, "told"))


def listed(story: Story, entry: str, **ahead: float) -> dict[str, Any]:
    commitment = story.replayed.entries[story.entries[entry]].commitment
    whole = {"type": "entry.listed", "at": story.at(**ahead), "entry": story.entries[entry], "list": LIST}
    return {**whole, "commitment": commitment, "version": 1}


def test_nothing_enters_without_a_notice_before_its_time_or_once_it_is_said_to_be_removed(
    story: Story,
) -> None:
    assert "policy's time after it" in refused(story, listed(story, "held", hours=100))
    assert "policy's time after it" in refused(story, listed(story, "told", hours=20))
    assert "nobody said is removed" in refused(story, listed(story, "gone", hours=100))
    story.take(listed(story, "told", hours=24))
    knobs = {**story.replayed.lists[LIST].policy.to_json(), "notice_first": False}
    number = len(story.replayed.lists[LIST].policies) + 1
    changed = {"type": "policy.changed", "at": story.at(), "list": LIST, "version": number, **knobs}
    story.take(changed, listed(story, "held"), listed(story, "gone"))


@pytest.mark.parametrize(
    ("reason", "actor"),
    [
        ("hostile_host", ""),
        ("hostile_host", "stranger"),
        ("hostile_host", "provider"),
        ("no_contact", "stranger"),
        ("law_enforcement_hold", ""),
        ("law_enforcement_hold", "hotline"),
        ("law_enforcement_hold", "police"),
        ("too late", "hotline"),
    ],
)
def test_an_excuse_is_given_by_who_may_give_it(story: Story, reason: str, actor: str) -> None:
    assert refused(story, story.leaf("excused", "later", actor, reason=reason))


def test_the_service_excuses_only_what_is_signed_off_and_in_force(story: Story) -> None:
    for entry in ("new", "left"):
        assert refused(story, story.leaf("excused", entry, reason="no_contact"))
    story.take(story.leaf("excused", "later", reason="no_contact"))
    story.take(story.leaf("excused", "new", "hotline", reason="hostile_host"))


def asks(story: Story, entry: str, actor: str, **ahead: float) -> dict[str, Any]:
    return story.leaf("held", entry, actor, reason="investigation", until=story.at(**ahead))


def test_a_hold_is_bounded(story: Story) -> None:
    story.take(asks(story, "told", "police", days=14))
    for ahead in ({"days": 14, "seconds": 1}, {"seconds": 0}, {"seconds": -1}):
        assert "ends in time" in refused(story, asks(story, "told", "police", **ahead))
    assert refused(story, asks(story, "told", "hotline", days=1))
    assert refused(story, {**asks(story, "told", "police", days=1), "reason": "because"})


def test_the_policys_hold_is_one_and_at_the_beginning(story: Story) -> None:
    hour = {"hours": 1}
    for entry in ("held", "free", "told", "new", "left"):
        assert "one hold by the policy" in refused(story, asks(story, entry, "", **hour))


def test_a_hold_of_one_organisation_is_not_cut_short_by_another(story: Story) -> None:
    asked = asks(story, "told", "police", days=10)
    assert "no other organisation's hold" in refused(
        story, asked, asks(story, "told", "other police", hours=1)
    )
    story.take(asked, asks(story, "told", "police", hours=1))
    assert refused(story, asked, story.leaf("released", "told", "other police"))
    assert refused(story, asked, story.leaf("released", "told", "hotline"))
    over = (asked, story.leaf("released", "told", "police"))
    story.take(*over)
    early = {"at": story.at(seconds=-2)}
    story.take(*over, {**asks(story, "told", "other police", hours=1), **early})
    assert "a hold in force" in refused(story, story.leaf("released", "free", "police"))


def test_the_time_before_a_renewed_hold_stays_held(story: Story) -> None:
    begun = story.replayed.removals[story.entries["held"]].held_from
    between = instant(story.now - timedelta(minutes=30))
    assert begun < between < story.at()
    notice = story.told("notified", "held", begun_at=between)
    assert "law enforcement is heard" in refused(story, asks(story, "held", "police", days=1), notice)


def test_contacts_have_one_history(story: Story) -> None:
    new = {
        "type": "contact.added",
        "at": story.at(),
        "contact": "c" * 32,
        "version": 1,
        "kind": PROVIDER["kind"],
    }
    changed = {**new, "type": "contact.changed", "version": 2}
    ended = {"type": "contact.ended", "at": story.at(), "contact": "c" * 32}
    story.take(new, changed, ended)
    for forged in ((new, new), (new, {**changed, "version": 3}), (changed,), (ended,), (new, ended, changed)):
        assert refused(story, *forged)
    assert refused(story, {**new, "kind": "friend"})
    assert refused(story, new, {**changed, "kind": "law_enforcement"})


def test_a_takedown_names_the_list_of_its_entry(story: Story) -> None:
    assert "the list of the entry" in refused(story, story.leaf("confirmed", "gone", "hotline", list="other"))
