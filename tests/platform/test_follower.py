"""A machine that shares no folder with the publisher has what was published, and never anything else."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from obstore.store import LocalStore

from app.client.session import Connection
from app.core.note import Malformed
from app.core.terms import Kind
from app.lists.outlet import follower_of
from app.platform import follower as following
from app.platform.follower import Follower
from app.platform.pointers import CHECKPOINT, TIMESTAMP, Differs
from tests.programs.reading import Reader
from tests.programs.service import LIST, Service, approve, new_entry, running


@dataclass
class Two:
    """A service that publishes to a store, and the folder of another machine."""

    service: Service
    store: Path
    other: Path
    hotline: Connection
    reviewer: Connection

    def publish(self, url: str) -> str:
        """One version more; its entry's id."""
        entry = self.hotline.request("POST", "/v1/entries", json=new_entry(url)).json()
        approve(self.reviewer, entry)
        self.service.publish()
        return str(entry["id"])

    def follower(self) -> Follower:
        """One that has just started."""
        up = self.service
        made = follower_of(up.settings.model_copy(update={"home": self.other}), up.database, up.keyring)
        assert made
        return made

    def is_the_same(self) -> bool:
        """Whether the other folder has all that the store has, but tiles that were not full."""
        return all(
            files(folder).items() >= {name: body for name, body in whole.items() if ".p/" not in name}.items()
            for folder, whole in ((self.store, files(self.other)), (self.other, files(self.store)))
        )


def files(folder: Path) -> dict[str, bytes]:
    found = (path for root in ("tuf", "log") for path in (folder / root).rglob("[!.]*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    store = tmp_path / "store"
    with running(Service(tmp_path / "home", store=f"file://{store}", store_follow=True)) as up:
        up.add_list()
        with up.connect(Kind.HOTLINE) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer:
            made = Two(up, store, tmp_path / "other", hotline, reviewer)
            made.publish("https://a.example.test/")
            yield made


def test_the_other_folder_is_what_was_published(two: Two, tmp_path: Path) -> None:
    follower = two.follower()
    assert follower.pull()
    assert two.is_the_same()
    assert not follower.pull()
    reader = Reader(f"file://{two.other}", two.service.root, tmp_path / "client")
    for number in range(3):
        two.publish(f"https://b{number}.example.test/")
    assert follower.pull()
    assert two.is_the_same()
    found = reader.installed(LIST)
    assert found
    assert found.version == 4


def test_what_is_erased_goes_from_the_other_folder(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_WHOLE_EVERY_SECONDS", 0.0)
    entry, follower = two.publish("https://erase-me.example.test/"), two.follower()
    follower.pull()
    assert any(b"erase-me" in body for body in files(two.other).values())
    with two.service.connect(Kind.OPERATOR) as operator:
        operator.request("POST", f"/v1/entries/{entry}/erasure", json={"reason": "victim_request"})
    for _ in range(3):
        two.service.publish()
        follower.pull()
    assert [name for name, body in files(two.other).items() if b"erase-me" in body] == []
    assert two.is_the_same()


def test_a_store_that_went_back_takes_nothing_back(two: Two, tmp_path: Path) -> None:
    shutil.copytree(two.store, tmp_path / "old")
    two.publish("https://b.example.test/")
    two.follower().pull()
    before = files(two.other)
    shutil.rmtree(two.store)
    shutil.copytree(tmp_path / "old", two.store)
    two.follower().pull()
    assert files(two.other) == before


@pytest.mark.parametrize(
    "kind",
    [
        "tuf/targets/lists/*/2/*.list.jsonl",
        "tuf/metadata/*.snapshot.json",
        f"tuf/metadata/*.{LIST}.json",
        TIMESTAMP,
        CHECKPOINT,
        f"tuf/latest/{LIST}.json",
        "log/tile/0/*",
        "log/tile/entries/*",
    ],
)
def test_a_store_gone_bad_changes_nothing_here(two: Two, kind: str) -> None:
    """One byte of any new file is another one: the folder stays as it was, then the right ones come."""
    follower = two.follower()
    follower.pull()
    before = files(two.other)
    two.publish("https://b.example.test/")
    names = [path.relative_to(two.store).as_posix() for path in two.store.glob(kind)]
    partial = [path.relative_to(two.store).as_posix() for path in two.store.glob(f"{kind}.p/*")]
    new = [name for name in names + partial if before.get(name) != files(two.store).get(name)]
    honest = {name: (two.store / name).read_bytes() for name in new if (two.store / name).is_file()}
    assert honest
    for name, body in honest.items():
        at = body.index(b":") + 1 if b":" in body[:20] else len(body) // 3
        (two.store / name).write_bytes(body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
    bad = {name: (two.store / name).read_bytes() for name in honest}
    for one in (follower, two.follower()):
        with pytest.raises((Differs, Malformed, ValueError)):
            one.pull()
        here = files(two.other)
        assert [name for name in bad if here.get(name) == bad[name]] == []
        assert {name: here[name] for name in (TIMESTAMP,)} == {TIMESTAMP: before[TIMESTAMP]}
    for name, body in honest.items():
        (two.store / name).write_bytes(body)
    follower.pull()
    assert two.is_the_same()


def test_a_store_that_loses_files_takes_none_from_here(two: Two, tmp_path: Path) -> None:
    two.follower().pull()
    two.publish("https://b.example.test/")
    two.follower().pull()
    shutil.rmtree(two.store / "tuf" / "targets")
    for path in (two.store / "tuf" / "metadata").glob("[0-9]*"):
        path.unlink()
    two.follower().pull()
    found = Reader(f"file://{two.other}", two.service.root, tmp_path / "client").installed(LIST)
    assert found
    assert found.version == 2


def test_a_list_never_gets_the_manifest_of_another(two: Two) -> None:
    latest = Path("tuf") / "latest"
    shutil.copy(two.store / latest / f"{LIST}.json", two.store / latest / "other-url.json")
    with pytest.raises(Differs):
        two.follower().pull()
    assert not (two.other / latest / "other-url.json").exists()


def test_a_version_on_trial_goes_to_canaries_alone(two: Two) -> None:
    """The store gives everybody what the list's canaries are to try first."""
    canary, path = two.service.organisation(Kind.ISP), f"/v1/lists/{LIST}/policy"
    two.service.subscribe(canary)
    with two.service.connect(Kind.OPERATOR) as operator:
        seen = operator.request("GET", path).json()
        new = {**seen["policy"], "canaries": [canary], "base_version": seen["version"]}
        operator.request("PUT", path, json=new)
    follower = two.follower()
    follower.pull()
    two.publish("https://b.example.test/")
    latest, early = (two.store / "tuf" / "latest" / f"{LIST}{kind}.json" for kind in ("", ".canary"))
    honest = latest.read_bytes()
    assert early.read_bytes() != honest
    latest.write_bytes(early.read_bytes())
    with pytest.raises(Differs):
        follower.pull()
    assert (two.other / "tuf" / "latest" / latest.name).read_bytes() == honest
    latest.write_bytes(honest)
    follower.pull()
    assert (two.other / "tuf" / "latest" / early.name).read_bytes() == early.read_bytes()


def test_a_key_that_leads_out_of_the_folder_is_refused(two: Two) -> None:
    follower = Follower(LocalStore(prefix=two.store), two.other, two.follower()._record)
    with pytest.raises(Differs, match="leads out"):
        follower._bring_targets({"tuf/targets/../../keys/x": 1})
