"""Staged release: canaries get a version first, and what fails there never reaches the others."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.client.session import Connection
from app.client.store import Store
from app.client.sync import Refused, sync
from app.core import jose
from app.core import receipt as core
from app.core.manifest import canary_path, latest_path
from app.core.terms import Kind
from app.log.tiles import public_log
from app.platform.clock import instant
from tests.programs.service import LIST, Service, approve, leaves, new_entry, replay

SNAPSHOTS = f"/v1/lists/{LIST}/snapshots"
MINUTES = timedelta(minutes=10)


@dataclass
class Stage:
    """A list with one version served to all, and a canary and another provider that subscribe to it."""

    service: Service
    hotline: Connection
    reviewer: Connection
    canary: Connection
    other: Connection
    operator: Connection
    folder: Path

    def submit(self, *urls: str) -> list[str]:
        """Approved entries that wait for a version."""
        bodies = [new_entry(url) for url in urls]
        entries = self.hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()
        for entry in entries["entries"]:
            approve(self.reviewer, entry)
        return [entry["id"] for entry in entries["entries"]]

    def list_them(self, *urls: str) -> list[str]:
        ids = self.submit(*urls)
        self.service.publish()
        return ids

    def entry(self, entry_id: str) -> dict[str, Any]:
        view: dict[str, Any] = self.hotline.request("GET", f"/v1/entries/{entry_id}").json()
        return view

    def change_policy(self, **knobs: Any) -> None:
        path = f"/v1/lists/{LIST}/policy"
        seen = self.operator.request("GET", path).json()
        self.operator.request("PUT", path, json={**seen["policy"], **knobs, "base_version": seen["version"]})

    def report(self, client: Connection, version: int, outcome: str) -> None:
        """A receipt; the publisher then looks."""
        manifest = client.request("GET", f"{SNAPSHOTS}/{version}").json()
        body = {
            "applied_at": instant(self.service.clock()),
            "content_sha256": manifest["content_sha256"],
            "outcome": outcome,
            "version": version,
        }
        signature = jose.sign(core.statement(**body, in_list=LIST), client.credentials.private_jwk)
        client.request("POST", f"/v1/lists/{LIST}/receipts", json={**body, "signature": signature})
        self.service.publisher.round()

    def seen(self) -> tuple[int, int]:
        """The newest version of the canary and of the other."""
        return newest(self.canary), newest(self.other)

    def sync(self, client: Connection, is_canary: bool = False) -> int:
        """Install what is offered, backed by the log; its version."""
        name = "canary" if client is self.canary else "other"
        store, key = (
            Store(self.folder / name),
            public_log(self.service.settings, self.service.keyring).verifier,
        )
        return sync(client, LIST, store, self.service.root, log_key=key, is_canary=is_canary).version

    def brake(self) -> tuple[bool, str | None]:
        seen = self.operator.request("GET", f"/v1/lists/{LIST}/brake").json()
        return seen["engaged"], seen["reason"]


def newest(client: Connection) -> int:
    answer = client.send("GET", f"{SNAPSHOTS}/latest")
    return int(answer.json()["version"]) if answer.status_code == 200 else 0


def organisation_of(service: Service) -> str:
    organisation = service.organisation(Kind.ISP)
    service.subscribe(organisation)
    return organisation


@pytest.fixture
def stage(service: Service, hotline: Connection, reviewer: Connection, tmp_path: Path) -> Iterator[Stage]:
    early, late = organisation_of(service), organisation_of(service)
    with (
        service.connect(Kind.ISP, early) as canary,
        service.connect(Kind.ISP, late) as other,
        service.connect(Kind.OPERATOR) as operator,
    ):
        one = Stage(service, hotline, reviewer, canary, other, operator, tmp_path)
        one.list_them("https://a.example.test/")
        one.change_policy(canaries=[early])
        yield one


def test_canaries_see_a_version_before_the_others(stage: Stage) -> None:
    (added,) = stage.list_them("https://b.example.test/")
    assert stage.seen() == (2, 1)
    for path in (f"{SNAPSHOTS}/2", f"{SNAPSHOTS}/2/manifest.jws", f"{SNAPSHOTS}/2/jsonl"):
        assert stage.canary.send("GET", path).status_code == 200
        assert stage.other.send("GET", path).status_code == 404
    delta = f"/v1/lists/{LIST}/deltas/2"
    assert added in stage.canary.request("GET", delta).text
    assert stage.other.send("GET", delta).status_code == 404
    for client, versions in ((stage.canary, [2, 1]), (stage.other, [1])):
        page = client.request("GET", SNAPSHOTS).json()["snapshots"]
        assert [one["version"] for one in page] == versions
    assert newest(stage.hotline) == 1


def test_the_metadata_leads_each_to_its_version(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    assert (stage.sync(stage.canary, is_canary=True), stage.sync(stage.other)) == (2, 1)
    assert stage.sync(stage.other, is_canary=True) == 1
    with pytest.raises(Refused, match="older than the installed"):
        stage.sync(stage.canary)
    stage.report(stage.canary, 2, "applied")
    assert (stage.sync(stage.canary, is_canary=True), stage.sync(stage.other)) == (2, 2)


def test_others_cannot_fetch_what_the_public_metadata_names(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    home = stage.service.settings.public / "targets"
    early = [*(home / "lists" / LIST / "2").iterdir(), *(home / canary_path(LIST)).parent.iterdir()]
    assert len(early) >= 5
    for file in early:
        path = f"/tuf/targets/{file.relative_to(home)}"
        assert stage.canary.send("GET", path).status_code == 200
        assert stage.other.send("GET", path).status_code == 404
    pointer = next((home / latest_path(LIST)).parent.glob("*.manifest.json"))
    assert stage.other.send("GET", f"/tuf/targets/{pointer.relative_to(home)}").status_code == 200


def test_a_withdrawal_on_trial_leaves_the_others_version_whole(stage: Stage) -> None:
    (second,) = stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "applied")
    stage.hotline.request("POST", f"/v1/entries/{second}/withdrawal")
    stage.service.publish()
    assert stage.seen() == (3, 2)
    assert (stage.sync(stage.canary, is_canary=True), stage.sync(stage.other)) == (3, 2)
    assert len(Store(stage.folder / "other").entries(LIST)) == 2


def test_every_canary_s_word_lets_it_go_on(stage: Stage) -> None:
    second = organisation_of(stage.service)
    with stage.service.connect(Kind.ISP, second) as canary:
        policy = stage.operator.request("GET", f"/v1/lists/{LIST}/policy").json()["policy"]
        stage.change_policy(canaries=[*policy["canaries"], second])
        stage.list_them("https://b.example.test/")
        stage.report(stage.canary, 2, "applied")
        assert stage.seen() == (2, 1)
        stage.report(canary, 2, "applied")
        assert stage.seen() == (2, 2)
    with stage.service.database.reading() as session:
        found = [leaf["type"] for leaf in leaves(session) if leaf["type"].startswith("list.")]
    assert found[-3:] == ["list.published", "list.staged", "list.promoted"]
    assert replay(stage.service).lists[LIST].trial is None


def test_silence_lets_it_go_on_when_the_time_is_over(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    stage.service.clock.ahead += MINUTES - timedelta(seconds=5)
    stage.service.publisher.round()
    assert stage.seen() == (2, 1)
    stage.service.clock.ahead += timedelta(seconds=5)
    stage.service.publisher.round()
    assert stage.seen() == (2, 2)


def test_a_canary_that_holds_it_stops_the_clock(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "held")
    stage.service.clock.ahead += 2 * MINUTES
    stage.service.publisher.round()
    assert stage.seen() == (2, 1)
    stage.report(stage.canary, 2, "applied")
    assert stage.seen() == (2, 2)


def test_the_word_of_others_neither_stops_nor_hastens(stage: Stage) -> None:
    stage.report(stage.other, 1, "failed")
    stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 1, "failed")
    assert stage.seen() == (2, 1)
    assert stage.brake() == (False, None)


def test_new_entries_wait_while_a_version_is_on_trial(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    stage.list_them("https://c.example.test/")
    assert stage.seen() == (2, 1)
    stage.report(stage.canary, 2, "applied")
    stage.service.publish()
    assert stage.seen() == (3, 2)


def test_a_failure_at_a_canary_keeps_the_version_from_the_others(stage: Stage) -> None:
    added = stage.list_them("https://b.example.test/", "https://c.example.test/")
    stage.sync(stage.canary, is_canary=True)
    stage.report(stage.canary, 2, "failed")
    assert stage.seen() == (3, 3)
    manifests = [one.request("GET", f"{SNAPSHOTS}/latest").json() for one in (stage.canary, stage.other)]
    first = stage.other.request("GET", f"{SNAPSHOTS}/1").json()
    assert [one["content_sha256"] for one in manifests] == [first["content_sha256"]] * 2
    assert [stage.entry(one)["status"] for one in added] == ["approved"] * 2
    assert stage.entry(added[0])["listed_in"] is None
    assert stage.brake() == (True, "canary_failed")
    for client in (stage.canary, stage.other):
        assert client.send("GET", f"{SNAPSHOTS}/2/jsonl").status_code == 410
    assert (stage.sync(stage.canary, is_canary=True), stage.sync(stage.other)) == (3, 3)
    delta = stage.canary.request("GET", f"/v1/lists/{LIST}/deltas/3").text
    assert all(f'{{"entry":"{one}","op":"remove"}}' in delta for one in added)
    stage.service.publish()
    assert stage.seen() == (3, 3)
    assert replay(stage.service).lists[LIST].engaged


def test_two_operators_let_what_failed_out_again_to_the_canaries_first(stage: Stage) -> None:
    added = stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "failed")
    release = f"/v1/lists/{LIST}/brake/release"
    stage.operator.request("POST", release)
    stage.service.publish()
    assert stage.seen() == (3, 3)
    with stage.service.connect(Kind.OPERATOR) as second:
        second.request("POST", release)
    stage.service.publish()
    assert stage.seen() == (4, 3)
    assert stage.brake() == (False, None)
    stage.report(stage.canary, 4, "applied")
    assert stage.seen() == (4, 4)
    assert (stage.sync(stage.canary), stage.sync(stage.other)) == (4, 4)
    assert stage.entry(added[0])["status"] == "listed"
    assert not replay(stage.service).lists[LIST].engaged


def test_a_failure_after_all_have_it_comes_too_late(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "applied")
    stage.report(stage.canary, 2, "failed")
    stage.service.publish()
    assert stage.seen() == (2, 2)
    assert stage.brake() == (False, None)
    assert replay(stage.service).size > 20


def test_the_first_version_of_a_list_is_staged_too(stage: Stage) -> None:
    policy = stage.operator.request("GET", f"/v1/lists/{LIST}/policy").json()["policy"]
    stage.service.add_list("second")
    stage.service.subscribe(policy["canaries"][0], "second")
    path = "/v1/lists/second"
    body = {**policy, "base_version": 1}
    stage.operator.request("PUT", f"{path}/policy", json=body)
    entry = stage.hotline.request("POST", "/v1/entries", json=new_entry(list="second")).json()
    approve(stage.reviewer, entry)
    stage.service.publish()
    assert stage.canary.request("GET", f"{path}/snapshots/latest").json()["version"] == 1
    assert stage.hotline.send("GET", f"{path}/snapshots/latest").status_code == 404
    stage.service.clock.ahead += MINUTES
    stage.service.publisher.round()
    assert stage.hotline.request("GET", f"{path}/snapshots/latest").json()["version"] == 1


def test_without_canaries_left_a_staged_version_goes_on(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    stage.change_policy(canaries=[])
    stage.service.publisher.round()
    assert stage.seen() == (2, 2)
    stage.list_them("https://c.example.test/")
    assert stage.seen() == (3, 3)
    assert replay(stage.service).size > 20
