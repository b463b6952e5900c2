"""The copy in an object store is whole at any moment, and what goes here goes there."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import LocalStore
from pydantic import ValidationError
from tuf.ngclient import Updater

from app.client.session import Connection
from app.core.manifest import Manifest, latest_path
from app.core.terms import Kind
from app.lists.publisher import Publisher
from app.main import DUTIES
from app.platform.leader import Superseded
from app.platform.mirror import Mirror
from app.platform.pointers import CHECKPOINT, TIMESTAMP, Differs
from app.platform.settings import Settings
from app.platform.store import Behind, Pointers
from tests.programs.reading import FromFolder
from tests.programs.service import LIST, Service, approve, new_entry, running


@dataclass
class Copied:
    """A service whose publisher copies what it publishes to a folder."""

    service: Service
    store: Path
    hotline: Connection
    reviewer: Connection

    def approve(self, url: str) -> str:
        """An entry that waits for a version."""
        entry = self.hotline.request("POST", "/v1/entries", json=new_entry(url)).json()
        approve(self.reviewer, entry)
        return str(entry["id"])

    def restarted(self) -> Publisher:
        """A publisher that knows nothing of the store."""
        up = self.service
        return Publisher(up.settings, up.database, up.keyring, up.clock, DUTIES)

    def keys(self, folder: Path) -> set[str]:
        """Every published file below a folder."""
        found = (path for root in ("tuf", "log") for path in (folder / root).rglob("[!.]*") if path.is_file())
        return {path.relative_to(folder).as_posix() for path in found}

    def is_a_copy(self) -> bool:
        """Whether the store is what the folder is, byte for byte."""
        home = self.service.settings.home
        keys = self.keys(home)
        same = all((self.store / key).read_bytes() == (home / key).read_bytes() for key in keys)
        return keys == self.keys(self.store) and same

    def installed(self, folder: Path) -> Manifest:
        """What a TUF client of the store gets, with every file its metadata names."""
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("metadata", "targets"):
            (folder / name).mkdir(parents=True)
        client = Updater(
            metadata_dir=str(folder / "metadata"),
            metadata_base_url=f"file://{self.store}/tuf/metadata/",
            target_dir=str(folder / "targets"),
            target_base_url=f"file://{self.store}/tuf/targets/",
            fetcher=FromFolder(),
            bootstrap=self.service.root,
        )
        client.refresh()
        leads = client.get_targetinfo(latest_path(LIST))
        assert leads
        manifest = Manifest.model_validate_json(Path(client.download_target(leads)).read_bytes())
        for artefact in (manifest.delta, *manifest.artefacts.values()):
            target = client.get_targetinfo(artefact.path)
            assert target
            client.download_target(target)
        return manifest


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Copied]:
    store = tmp_path / "store"
    with running(Service(tmp_path / "home", store=f"file://{store}")) as up:
        up.add_list()
        with up.connect(Kind.HOTLINE) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer:
            made = Copied(up, store, hotline, reviewer)
            made.approve("https://a.example.test/")
            up.publish()
            yield made


class Faulty:
    """The store's calls, of which one fails; counts those that change it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: Any) -> None:
        self.count = 0
        for name in ("put", "delete"):
            monkeypatch.setattr(obstore, name, self._counted(getattr(obstore, name), fails))

    def _counted(self, real: Any, fails: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            if fails(self.count):
                raise GenericError("the store is away")
            return real(*arguments, **named)

        return call


def test_the_copy_is_the_folder(copied: Copied, tmp_path: Path) -> None:
    assert copied.is_a_copy()
    assert copied.installed(tmp_path / "isp").version == 1


def test_wherever_a_push_stops_the_copy_is_whole(
    copied: Copied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store fails from the n-th call on, for each n; a client of it sees version 1 or 2, whole."""
    before, versions = tmp_path / "before", []
    shutil.copytree(copied.store, before)
    copied.approve("https://b.example.test/")
    copied.service.publish()
    for stop in range(1, 100):
        shutil.rmtree(copied.store)
        shutil.copytree(before, copied.store)
        with monkeypatch.context() as patch:
            Faulty(patch, lambda number, stop=stop: number >= stop)
            try:
                Mirror(LocalStore(prefix=copied.store), copied.service.settings.home).tidy()
            except GenericError:
                versions.append(copied.installed(tmp_path / "isp").version)
            else:
                break
    assert copied.is_a_copy()
    assert copied.installed(tmp_path / "isp").version == 2
    assert versions == sorted(versions)
    assert versions.count(1) > 10


def test_a_store_that_is_away_stops_nobody_here_and_catches_up(
    copied: Copied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied.approve("https://b.example.test/")
    with monkeypatch.context() as patch:
        Faulty(patch, lambda _number: True)
        with pytest.raises(GenericError):
            copied.service.publish()
    served = (copied.service.settings.public / "latest" / f"{LIST}.json").read_bytes()
    assert Manifest.model_validate_json(served).version == 2
    assert copied.installed(tmp_path / "isp").version == 1
    shutil.rmtree(copied.store / "log")
    copied.service.publisher.round()
    assert copied.is_a_copy()
    assert copied.installed(tmp_path / "isp").version == 2


def test_what_is_there_is_not_sent_again(copied: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    faulty = Faulty(monkeypatch, lambda _number: False)
    copied.service.publisher.round()
    assert faulty.count == 0
    copied.restarted().round()
    metadata = {key for key in copied.keys(copied.store) if key.startswith("tuf/metadata/")}
    pointers = {TIMESTAMP, "log/checkpoint", f"tuf/latest/{LIST}.json", f"tuf/latest/{LIST}.canary.json"}
    assert faulty.count == len(metadata | pointers)


def test_what_is_erased_vanishes_from_the_store(copied: Copied) -> None:
    entry = copied.approve("https://erase-me.example.test/")
    copied.service.publish()
    forms = [b"erase-me"]
    assert any(
        form in (copied.store / key).read_bytes() for key in copied.keys(copied.store) for form in forms
    )
    with copied.service.connect(Kind.OPERATOR) as operator:
        operator.request("POST", f"/v1/entries/{entry}/erasure", json={"reason": "victim_request"})
    for _ in range(3):
        copied.service.publish()
    found = {path for path in copied.store.rglob("*") if path.is_file()}
    assert not [path for path in found if any(form in path.read_bytes() for form in forms)]
    assert copied.is_a_copy()


def test_another_installations_bytes_are_never_replaced(copied: Copied) -> None:
    """As after a restored backup: what clients may have seen stays, and nothing leads to the other."""
    copied.approve("https://b.example.test/")
    newest = max(
        int(path.name.split(".")[0]) for path in (copied.store / "tuf/metadata").glob("*.snapshot.json")
    )
    foreign = copied.store / "tuf" / "metadata" / f"{newest + 1}.snapshot.json"
    foreign.write_bytes(b"{}")
    before = (copied.store / TIMESTAMP).read_bytes()
    with pytest.raises(Differs):
        copied.service.publish()
    assert foreign.read_bytes() == b"{}"
    assert (copied.store / TIMESTAMP).read_bytes() == before


def test_nothing_newer_is_ever_replaced(copied: Copied, tmp_path: Path) -> None:
    """Another machine's folder, of a version ago: whatever it sends, in whatever order, the store stays."""
    late = tmp_path / "late"
    shutil.copytree(copied.service.settings.home, late)
    copied.approve("https://b.example.test/")
    copied.service.publish()
    before = {key: (copied.store / key).read_bytes() for key in copied.keys(copied.store)}
    with pytest.raises(Behind):
        Mirror(LocalStore(prefix=copied.store), late).tidy()
    for key in (TIMESTAMP, CHECKPOINT, f"tuf/latest/{LIST}.json"):
        with pytest.raises(Behind):
            Pointers(LocalStore(prefix=copied.store)).put(key, (late / key).read_bytes(), {})
    assert {key: (copied.store / key).read_bytes() for key in copied.keys(copied.store)} == before


def test_the_same_number_with_other_content_is_refused(copied: Copied) -> None:
    store = LocalStore(prefix=copied.store)
    key = f"tuf/latest/{LIST}.json"
    other = (copied.store / key).read_bytes().replace(b'"entry_count":1', b'"entry_count":2')
    with pytest.raises(Differs, match="same number"):
        Pointers(store).put(key, other, {})


def test_who_is_superseded_deletes_nothing(copied: Copied, tmp_path: Path) -> None:
    def require() -> None:
        raise Superseded

    late = tmp_path / "late"
    shutil.copytree(copied.service.settings.home, late)
    gone = next((late / "tuf" / "targets" / "lists" / LIST / "1").glob("*.list.csv"))
    gone.unlink()
    kept = copied.keys(copied.store)
    with pytest.raises(Superseded):
        Mirror(LocalStore(prefix=copied.store), late, require).tidy()
    assert copied.keys(copied.store) == kept
    Mirror(LocalStore(prefix=copied.store), late).tidy()
    assert kept - copied.keys(copied.store) == {gone.relative_to(late).as_posix()}


def test_nothing_is_deleted_for_a_folder_that_is_not_there(copied: Copied, tmp_path: Path) -> None:
    kept = copied.keys(copied.store)
    Mirror(LocalStore(prefix=copied.store), tmp_path / "not-mounted").tidy()
    assert copied.keys(copied.store) == kept


@pytest.mark.parametrize(
    "store", ["https://192.0.2.1/bucket", "s3://", "s3://key:secret@bucket", "file://relative", "bucket"]
)
def test_a_store_that_cannot_be_meant_is_refused_at_start(store: str) -> None:
    with pytest.raises(ValidationError, match="store"):
        Settings(store=store)
