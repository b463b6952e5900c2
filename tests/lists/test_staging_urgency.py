"""What must leave does not wait for canaries, not even while they have a version; every such log replays."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import rfc8785

from app.client.session import Connection
from app.core.replay import Deviation, Replay
from app.core.terms import Kind
from app.lists import brakes, snapshots, staging
from tests.lists.test_staging import SNAPSHOTS, Stage, stage
from tests.programs.service import LIST, leaf_bodies, leaves, replay

__all__ = ["stage"]


@pytest.fixture
def on_trial(stage: Stage) -> Iterator[tuple[Stage, list[str], list[str]]]:
    """Two entries served to all in version 2, and two that only the canary has, in version 3."""
    served = stage.list_them("https://b.example.test/", "https://c.example.test/")
    stage.report(stage.canary, 2, "applied")
    added = stage.list_them("https://d.example.test/", "https://e.example.test/")
    assert stage.seen() == (3, 2)
    yield stage, served, added


def emergency(stage: Stage, *ids: str) -> None:
    stage.operator.request("POST", "/v1/entries/emergency-delisting", json={"entries": list(ids)})
    stage.service.publisher.round()


def content(client: Connection) -> set[str]:
    version = client.request("GET", f"{SNAPSHOTS}/latest").json()["version"]
    lines = client.request("GET", f"{SNAPSHOTS}/{version}/jsonl").text.splitlines()
    return {json.loads(line)["entry"] for line in lines}


def test_an_urgent_removal_while_staged_reaches_everybody(
    on_trial: tuple[Stage, list[str], list[str]],
) -> None:
    stage, served, added = on_trial
    emergency(stage, served[0])
    assert stage.seen() == (4, 4)
    for client in (stage.canary, stage.other):
        assert not {served[0], *added} & content(client)
        assert served[1] in content(client)
    assert stage.brake() == (False, None)
    assert (stage.sync(stage.canary, is_canary=True), stage.sync(stage.other)) == (4, 4)
    stage.service.publish()
    assert stage.seen() == (5, 4)
    stage.report(stage.canary, 5, "applied")
    assert set(added) <= content(stage.other)
    assert replay(stage.service).lists[LIST].trial is None


def test_an_addition_on_trial_that_must_leave_reaches_nobody_else(
    on_trial: tuple[Stage, list[str], list[str]],
) -> None:
    stage, _, added = on_trial
    emergency(stage, added[0])
    assert stage.seen() == (4, 4)
    assert not set(added) & (content(stage.canary) | content(stage.other))
    stage.service.publish()
    assert stage.seen() == (5, 4)
    assert added[1] in content(stage.canary)
    assert added[0] not in content(stage.canary)
    assert replay(stage.service).size > 20


def test_an_addition_withdrawn_while_on_trial_reaches_nobody_else(
    on_trial: tuple[Stage, list[str], list[str]],
) -> None:
    stage, served, added = on_trial
    stage.hotline.request("POST", f"/v1/entries/{added[0]}/withdrawal")
    stage.hotline.request("POST", f"/v1/entries/{served[1]}/withdrawal")
    stage.service.publish()
    assert stage.seen() == (3, 2)
    emergency(stage, served[0])
    assert stage.seen() == (4, 4)
    assert not {*added, served[0]} & content(stage.other)
    assert served[1] in content(stage.other)
    assert stage.entry(added[0])["delisted_in"] == 4
    stage.service.publish()
    assert stage.seen() == (5, 4)
    assert served[1] not in content(stage.canary)
    assert (stage.sync(stage.canary, is_canary=True), stage.sync(stage.other)) == (5, 4)
    assert replay(stage.service).size > 20


def test_what_is_urgent_goes_to_all_before_what_is_new_is_staged(stage: Stage) -> None:
    (served,) = stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "applied")
    (added,) = stage.submit("https://c.example.test/")
    emergency(stage, served)
    assert stage.seen() == (3, 3)
    assert not {served, added} & content(stage.canary)
    stage.service.publish()
    assert stage.seen() == (4, 3)
    assert added in content(stage.canary)
    assert replay(stage.service).size > 20


def test_an_erased_addition_goes_from_the_files_of_the_version_that_was_taken_back(
    on_trial: tuple[Stage, list[str], list[str]],
) -> None:
    stage, _, added = on_trial
    stage.report(stage.canary, 3, "failed")
    url = stage.entry(added[0])["canonical_url"].encode()
    files = stage.service.settings.public / "targets" / "lists" / LIST
    assert any(url in path.read_bytes() for path in files.rglob("*.*") if path.is_file())
    reason = {"reason": "victim_request"}
    stage.operator.request("POST", f"/v1/entries/{added[0]}/erasure", json=reason)
    stage.service.publish()
    stage.service.publish()
    assert not any(url in path.read_bytes() for path in files.rglob("*.*") if path.is_file())
    assert stage.seen() == (4, 4)
    assert replay(stage.service).size > 20


def test_an_erasure_waits_until_all_are_without_the_entry(
    on_trial: tuple[Stage, list[str], list[str]],
) -> None:
    stage, served, _ = on_trial
    stage.report(stage.canary, 3, "applied")
    stage.hotline.request("POST", f"/v1/entries/{served[0]}/withdrawal")
    stage.service.publish()
    assert stage.seen() == (4, 3)
    with stage.service.database.reading() as session:
        assert not snapshots.is_served(session, LIST, 4)
    stage.operator.request("POST", f"/v1/entries/{served[0]}/erasure", json={"reason": "victim_request"})
    stage.service.publish()
    assert served[0] in content(stage.other)
    stage.report(stage.canary, 4, "applied")
    stage.service.publish()
    assert served[0] not in content(stage.other)
    assert replay(stage.service).size > 20


@pytest.mark.parametrize(
    ("step", "expected"), [("staged", (2, 1)), ("promoted", (2, 2)), ("taken back", (4, 4))]
)
def test_a_publisher_killed_in_the_middle_finishes_the_work(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, step: str, expected: tuple[int, int]
) -> None:
    enter = stage.submit if step == "staged" else stage.list_them
    (first,) = enter("https://b.example.test/")
    if step == "taken back":
        stage.report(stage.canary, 2, "applied")
        stage.list_them("https://c.example.test/")
    acts: dict[str, Callable[[], object]] = {
        "staged": stage.service.publish,
        "promoted": lambda: stage.report(stage.canary, 2, "applied"),
        "taken back": lambda: emergency(stage, first),
    }
    with monkeypatch.context() as dying:
        dying.setattr(stage.service.publisher._repository, "publish", _dies)
        with pytest.raises(KeyboardInterrupt):
            acts[step]()
    stage.service.publisher.round()
    assert stage.seen() == expected
    assert stage.sync(stage.other) == expected[1]
    assert replay(stage.service).size > 20


def _dies(*_: Any) -> None:
    raise KeyboardInterrupt


def test_every_step_on_the_way_replays(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "failed")
    with stage.service.connect(Kind.OPERATOR) as second:
        for operator in (stage.operator, second):
            operator.request("POST", f"/v1/lists/{LIST}/brake/release")
    stage.service.publish()
    stage.service.clock.ahead += timedelta(minutes=10)
    stage.service.publish()
    with stage.service.database.reading() as session:
        found = [leaf["type"] for leaf in leaves(session)]
    assert found[found.index("receipt") + 1 :][:2] == ["entry.taken_back", "brake.engaged"]
    assert replay(stage.service).lists[LIST].listed.keys() == content(stage.other)


def _replayed_until(bodies: list[bytes], kind: str) -> tuple[Replay, dict[str, Any]]:
    """Everything before the last leaf of this type, and that leaf."""
    at = max(index for index, body in enumerate(bodies) if json.loads(body)["type"] == kind)
    replayed = Replay()
    for body in bodies[:at]:
        replayed.feed(body)
    return replayed, json.loads(bodies[at])


def refused(replayed: Replay, leaf: dict[str, Any]) -> str:
    with pytest.raises(Deviation) as found:
        replayed.feed(rfc8785.dumps(leaf))
    return found.value.expected


def test_a_log_that_serves_what_failed_is_found(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "failed")
    bodies = leaf_bodies(stage.service)
    replayed, leaf = _replayed_until(bodies, "entry.taken_back")
    promoted = {"at": leaf["at"], "list": LIST, "type": "list.promoted", "version": 2}
    assert "failed at no canary" in refused(replayed, promoted)


def test_a_log_that_skips_the_canaries_is_found(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "applied")
    stage.list_them("https://c.example.test/")
    replayed, leaf = _replayed_until(leaf_bodies(stage.service), "list.staged")
    assert leaf["version"] == 3
    promoted = {**leaf, "type": "list.promoted"}
    assert "a staged version" in refused(replayed, promoted)


def test_a_server_that_stages_nothing_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.service.publisher, "_stage", stage.service.publisher._serve)
    stage.list_them("https://b.example.test/")
    stage.list_them("https://c.example.test/")
    with pytest.raises(Deviation, match="version 2 to be staged first"):
        replay(stage.service)


def test_a_server_that_keeps_what_was_on_trial_is_found(
    on_trial: tuple[Stage, list[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, served, added = on_trial
    monkeypatch.setattr(staging, "take_back", lambda *_: True)
    emergency(stage, served[0])
    assert set(added) <= content(stage.other)
    with pytest.raises(Deviation, match="never served to all"):
        replay(stage.service)


def test_a_server_that_lets_out_what_failed_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "failed")
    monkeypatch.setattr(brakes, "judge", lambda *_: brakes.Verdict(False))
    monkeypatch.setattr(brakes, "needs_a_look", lambda *_: True)
    stage.service.publish()
    assert stage.seen() == (4, 3)
    with pytest.raises(Deviation, match="two people of two organisations"):
        replay(stage.service)


def test_an_entry_that_all_have_cannot_be_taken_back(
    on_trial: tuple[Stage, list[str], list[str]],
) -> None:
    stage, served, _ = on_trial
    replayed = replay(stage.service)
    leaf = {"at": "2026-01-02T03:04:05Z", "entry": served[0], "list": LIST, "type": "entry.taken_back"}
    assert "only canaries have" in refused(replayed, leaf)


def test_nothing_changes_for_a_list_without_canaries(stage: Stage) -> None:
    stage.change_policy(canaries=[])
    (served,) = stage.list_them("https://b.example.test/")
    stage.submit("https://c.example.test/")
    emergency(stage, served)
    assert stage.seen() == (3, 3)
    assert len(content(stage.other)) == 2
    with stage.service.database.reading() as session:
        found = {leaf["type"] for leaf in leaves(session)}
    assert not {"list.staged", "list.promoted"} & found
