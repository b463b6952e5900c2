"""`isp sync` against a running service, honest and not: what does not verify is not installed.

The attacker here holds everything the server holds (its folder, online keys where said), but not time and
not the root keys.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tuf.ngclient._internal.trusted_metadata_set as trusted
from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import Metadata, MetaFile, TargetFile, Timestamp
from tuf.ngclient import FetcherInterface, Updater

from app.client.matcher import Matcher
from app.client.session import Connection, Credentials, Failed
from app.client.store import Damaged, Store
from app.client.sync import Refused, sync
from app.core.manifest import latest_path
from app.core.terms import Kind
from app.lists.repository import Repository
from tests.programs.service import LIST, Service, approve, new_entry


class Isp:
    """A provider with one listed entry installed."""

    def __init__(
        self, service: Service, hotline: Connection, reviewer: Connection, provider: Connection, at: Path
    ):
        self.service, self.hotline, self.reviewer, self.provider = service, hotline, reviewer, provider
        self.store = Store(at)

    def list_one(self, url: str) -> dict[str, Any]:
        entry: dict[str, Any] = self.hotline.request("POST", "/v1/entries", json=new_entry(url)).json()
        approve(self.reviewer, entry)
        self.service.publish()
        return entry

    def sync(self, root: bytes | None = None) -> Any:
        return sync(self.provider, LIST, self.store, root or self.service.root)

    def installed(self) -> tuple[int, list[str]]:
        manifest = self.store.current(LIST)
        assert manifest
        assert self.store.is_whole(LIST, manifest)
        return manifest.version, sorted(self.store.entries(LIST))


@pytest.fixture
def isp(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection, tmp_path: Path
) -> Iterator[Isp]:
    one = Isp(service, hotline, reviewer, provider, tmp_path / "isp")
    one.list_one("https://a.example.test/1")
    one.sync()
    yield one


def refuses(isp: Isp, *words: str) -> None:
    """The sync is refused for this reason, and the installed list is as it was."""
    before = isp.installed()
    with pytest.raises(Refused) as refused:
        isp.sync()
    assert any(word in str(refused.value) for word in words), str(refused.value)
    assert isp.installed() == before
    assert Matcher.of(isp.store).matches("https://a.example.test/1")


def test_each_version_is_installed_and_counted(isp: Isp) -> None:
    isp.list_one("https://b.example.test/1")
    first = isp.hotline.request("GET", "/v1/entries?limit=1").json()["entries"][0]
    isp.hotline.request("POST", f"/v1/entries/{first['id']}/withdrawal")
    isp.service.publish()
    done = isp.sync()
    assert (done.previous_version, done.version, done.added, done.removed, done.entry_count) == (
        1,
        3,
        1,
        1,
        1,
    )
    again = isp.sync()
    assert (again.is_changed, again.version, again.added, again.removed) == (False, 3, 0, 0)
    assert not Matcher.of(isp.store).matches("https://a.example.test/1")
    assert Matcher.of(isp.store).matches("http://B.example.test:8080/1#x")[0].scope == "url"


def test_a_list_without_a_version(service: Service, provider: Connection, tmp_path: Path) -> None:
    service.publish()
    done = sync(provider, LIST, Store(tmp_path / "isp"), service.root)
    assert (done.version, done.is_changed) == (0, False)


def test_the_first_root_must_be_given_or_trusted_on_purpose(isp: Isp, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    with pytest.raises(Refused, match="--root"):
        sync(isp.provider, LIST, other, None)
    assert sync(isp.provider, LIST, other, None, trust_on_first_use=True).version == 1
    assert sync(isp.provider, LIST, other, None).version == 1


def test_another_root_is_refused(isp: Isp, tmp_path: Path) -> None:
    foreign = Repository(tmp_path / "foreign", tmp_path / "keys")
    foreign.create(tmp_path / "offline", isp.service.clock())
    root = (foreign.metadata / "1.root.json").read_bytes()
    store = Store(tmp_path / "other")
    with pytest.raises(Refused):
        sync(isp.provider, LIST, store, root)
    assert store.names() == []


@pytest.mark.parametrize("how", ["byte", "shorter", "longer", "empty", "missing", "another entry"])
def test_a_swapped_artefact_is_refused(isp: Isp, how: str) -> None:
    isp.list_one("https://b.example.test/1")
    folder = isp.service.settings.public / "targets" / "lists" / LIST / "2"
    path = next(folder.glob("*.list.jsonl"))
    next(folder.glob("*.delta.jsonl")).unlink()
    whole = path.read_bytes()
    changed = {
        "byte": whole.replace(b"b.example", b"c.example"),
        "shorter": whole[:-1],
        "longer": whole + b"\n",
        "empty": b"",
        "another entry": whole.splitlines(keepends=True)[0] * 2,
    }
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(changed[how])
    refuses(isp, "LengthOrHash", "DownloadLength", "404", "Length", "mismatch")
    path.write_bytes(whole)
    # The server may still be answering with the file as it was, and then ends the connection.
    with suppress(Failed):
        isp.sync()
    assert isp.sync().version == 2


def test_a_swapped_manifest_is_refused(isp: Isp) -> None:
    isp.list_one("https://b.example.test/1")
    path = max((isp.service.settings.public / "targets/lists" / LIST).glob("*.manifest.json"), key=_age)
    path.write_bytes(path.read_bytes().replace(b'"entry_count":2', b'"entry_count":3'))
    refuses(isp, "LengthOrHash")


def test_a_rolled_back_repository_is_refused(isp: Isp, tmp_path: Path) -> None:
    public = isp.service.settings.public
    shutil.copytree(public, tmp_path / "old")
    isp.list_one("https://b.example.test/1")
    isp.sync()
    shutil.rmtree(public)
    shutil.copytree(tmp_path / "old", public)
    refuses(isp, "BadVersion", "older", "must be")


def test_an_older_list_role_behind_a_fresh_snapshot_is_refused(isp: Isp) -> None:
    """Mix and match: the online snapshot and timestamp keys sign an old version of the list's role."""
    isp.list_one("https://b.example.test/1")
    isp.sync()
    repository = Repository(isp.service.settings.public, isp.service.settings.keys)
    meta = repository._meta()
    meta[f"{LIST}.json"] = MetaFile(meta[f"{LIST}.json"].version - 1)
    repository._publish_snapshot(meta, isp.service.clock())
    refuses(isp, "BadVersion", "Expected", "version")


def test_an_older_version_signed_anew_is_refused(isp: Isp) -> None:
    """Even with the list's own online key, version 1 cannot be served again as the newest."""
    repository = Repository(isp.service.settings.public, isp.service.settings.keys)
    home = isp.service.settings.public / "targets" / "lists" / LIST
    old = next(home.glob("*.manifest.json")).read_bytes()
    isp.list_one("https://b.example.test/1")
    isp.sync()
    newest = repository.targets.store(latest_path(LIST), (old,))
    repository.publish(LIST, [newest], isp.service.clock())
    refuses(isp, "older than the installed")


def test_another_content_under_the_same_version_is_refused(isp: Isp) -> None:
    repository = Repository(isp.service.settings.public, isp.service.settings.keys)
    home = isp.service.settings.public / "targets" / "lists" / LIST
    manifest = json.loads(next(home.glob("*.manifest.json")).read_bytes())
    manifest["entry_count"] = 0
    newest = repository.targets.store(latest_path(LIST), (json.dumps(manifest).encode(),))
    repository.publish(LIST, [newest], isp.service.clock())
    refuses(isp, "another version")


def test_a_manifest_that_does_not_describe_its_artefact_is_refused(isp: Isp) -> None:
    """The list's key signs a manifest whose counts and digests are not those of the file."""
    isp.list_one("https://b.example.test/1")
    repository = Repository(isp.service.settings.public, isp.service.settings.keys)
    home = isp.service.settings.public / "targets" / "lists" / LIST
    honest = json.loads(max(home.glob("*.manifest.json"), key=_age).read_bytes())
    role = repository.role(LIST).targets
    for name, value in (("entry_count", 7), ("content_sha256", "0" * 64), ("commitments_sha256", "0" * 64)):
        body = json.dumps({**honest, name: value}).encode()
        stored = repository.targets.store(latest_path(LIST), (body,))
        targets = {**role, stored.path: TargetFile(stored.length, {"sha256": stored.sha256}, stored.path)}
        _sign_targets(repository, targets, isp.service)
        refuses(isp, "manifest says", "commits to")


def test_a_frozen_repository_is_refused_once_its_hour_is_over(
    isp: Isp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody re-signs the timestamp: the client's own clock ends the freeze."""
    isp.list_one("https://b.example.test/1")
    _let_pass(monkeypatch, timedelta(minutes=61))
    refuses(isp, "out-of-date")


def test_an_expired_timestamp_is_refused(isp: Isp) -> None:
    past = datetime.now(UTC) - timedelta(hours=2)
    repository = Repository(isp.service.settings.public, isp.service.settings.keys)
    version = repository._files.timestamp.snapshot_meta.version
    repository._publish_timestamp(version, past)
    refuses(isp, "out-of-date")


@pytest.mark.parametrize("file", ["timestamp.json", "snapshot.json", "targets.json", f"{LIST}.json"])
@pytest.mark.parametrize("how", ["field", "signature", "no signature", "garbage", "missing"])
def test_tampered_metadata_is_refused(isp: Isp, file: str, how: str) -> None:
    isp.list_one("https://b.example.test/1")
    isp.service.settings.public.mkdir(exist_ok=True)
    folder = isp.service.settings.public / "metadata"
    if file == "targets.json":
        Repository(isp.service.settings.public, isp.service.settings.keys).add_list(
            "other", isp.service.clock()
        )
    path = max(folder.glob(f"*{file}"), key=lambda one: int(one.name.split(".")[0].replace("timestamp", "0")))
    value = json.loads(path.read_bytes())
    if how == "field":
        value["signed"]["expires"] = "2099-01-01T00:00:00Z"
    elif how == "signature":
        value["signatures"][0]["sig"] = "00" * 64
    elif how == "no signature":
        value["signatures"] = []
    path.write_bytes(b"garbage" if how == "garbage" else json.dumps(value).encode())
    if how == "missing":
        path.unlink()
    before = isp.installed()
    with pytest.raises(Refused):
        isp.sync()
    assert isp.installed() == before


def test_a_service_that_is_down_keeps_the_list(isp: Isp) -> None:
    before = isp.installed()
    closed = Credentials(
        "http://127.0.0.1:9", "http://127.0.0.1:9/oauth/token", "x", isp.provider.credentials.private_jwk
    )
    with Connection(closed) as nowhere, pytest.raises(Failed, match="does not answer"):
        sync(nowhere, LIST, isp.store, isp.service.root)
    assert isp.installed() == before


def test_without_a_subscription_nothing_is_installed(isp: Isp, tmp_path: Path) -> None:
    with isp.service.connect(Kind.ISP) as stranger, pytest.raises(Refused) as refused:
        sync(stranger, LIST, Store(tmp_path / "stranger"), isp.service.root)
    assert "404" in str(refused.value)
    assert "ask the operator to subscribe you" in str(refused.value)


def test_a_damaged_installation_is_repaired(isp: Isp) -> None:
    path = isp.store.folder / "lists" / LIST / "1" / "list.jsonl"
    path.write_bytes(b"")
    isp.sync()
    assert isp.installed()[0] == 1


def test_an_unreadable_installation_says_so(isp: Isp) -> None:
    (isp.store.folder / "lists" / LIST / "1" / "manifest.json").write_bytes(b"{")
    with pytest.raises(Refused, match="delete its folder"):
        isp.sync()
    with pytest.raises(Damaged):
        Matcher.of(isp.store).matches("https://a.example.test/1")


def test_a_crash_between_files_and_link_leaves_the_old_version(
    isp: Isp, monkeypatch: pytest.MonkeyPatch
) -> None:
    isp.list_one("https://b.example.test/1")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("app.client.store._point", crash)
        with pytest.raises(KeyboardInterrupt):
            isp.sync()
    assert isp.installed()[0] == 1
    assert isp.sync().version == 2


def test_a_plain_tuf_client_reads_the_repository(isp: Isp, tmp_path: Path) -> None:
    """Nothing of ours but the token: the repository is plain TUF."""

    class Fetcher(FetcherInterface):
        def _fetch(self, url: str) -> Iterator[bytes]:
            answer = isp.provider.send("GET", url)
            if answer.status_code != 200:
                raise DownloadHTTPError("no", answer.status_code)
            return iter([answer.content])

    (tmp_path / "m").mkdir()
    (tmp_path / "t").mkdir()
    updater = Updater(
        str(tmp_path / "m"),
        f"{isp.service.address}/tuf/metadata/",
        str(tmp_path / "t"),
        f"{isp.service.address}/tuf/targets/",
        fetcher=Fetcher(),
        bootstrap=isp.service.root,
    )
    info = updater.get_targetinfo(f"lists/{LIST}/1/manifest.json")
    assert info
    manifest = json.loads(Path(updater.download_target(info)).read_bytes())
    for stated in (*manifest["artefacts"].values(), manifest["delta"]):
        target = updater.get_targetinfo(stated["path"])
        assert target
        assert (target.length, target.hashes["sha256"]) == (stated["length"], stated["sha256"])
        updater.download_target(target)
    assert updater.get_targetinfo("lists/other/1/manifest.json") is None


def test_signatures_are_renewed_every_ten_minutes(isp: Isp) -> None:
    timestamp = isp.service.settings.public / "metadata" / "timestamp.json"
    first = timestamp.read_bytes()
    isp.service.publish()
    assert timestamp.read_bytes() == first
    isp.service.clock.ahead += timedelta(minutes=10)
    isp.service.publish()
    renewed = Metadata[Timestamp].from_bytes(timestamp.read_bytes()).signed
    assert renewed.version == Metadata[Timestamp].from_bytes(first).signed.version + 1
    assert timedelta(minutes=59) < renewed.expires - isp.service.clock() <= timedelta(hours=1)
    isp.service.clock.ahead += timedelta(days=20)
    isp.service.publish()
    isp.service.clock.ahead = timedelta()


def _age(path: Path) -> float:
    return path.stat().st_mtime


def _let_pass(monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + ahead

    monkeypatch.setattr(trusted.datetime, "datetime", Later)


def _sign_targets(repository: Repository, targets: dict[str, Any], service: Service) -> None:
    role = repository.role(LIST)
    role.targets = targets
    repository.resign({LIST: role}, service.clock())
