"""A change of keys that is stopped at any file: what signs is always known, and the next run goes on."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import Metadata, Root
from tuf.ngclient import FetcherInterface, Updater

from app.core import note
from app.lists import key_change, root_ceremony
from app.lists.repository import Repository
from app.lists.root_ceremony import Changes
from app.platform import signers
from app.platform.key_forms import LOG
from app.platform.keyring import Keyring
from app.platform.rotation import Rotator
from app.platform.signers import ONLINE, offline_signer
from tests.keys.stopping import every_place

NAME, ORIGIN = "national-url", "wardlist.example/log"


class FromFolder(FetcherInterface):
    """Serves a repository's metadata without a server."""

    def __init__(self, public: Path) -> None:
        self._public = public

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = self._public / url.removeprefix("http://tuf.test/")
        if not path.exists():
            raise DownloadHTTPError("not here", 404)
        yield path.read_bytes()


class Client:
    """A TUF client pinned at the first root, that keeps what it saw."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self._repository, self._folder = repository, folder
        folder.mkdir()

    def refresh(self) -> int:
        """The version of the root it arrives at. Raises what the TUF client raises."""
        updater = Updater(
            metadata_dir=str(self._folder),
            metadata_base_url="http://tuf.test/metadata/",
            target_base_url="http://tuf.test/targets/",
            fetcher=FromFolder(self._repository.metadata.parent),
            bootstrap=self._repository.roots.path(1).read_bytes(),
        )
        updater.refresh()
        updater.get_targetinfo(f"lists/{NAME}/latest/manifest.json")
        return Metadata[Root].from_file(str(self._folder / "root.json")).signed.version


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def repository(tmp_path: Path, now: datetime) -> Repository:
    made = Repository(tmp_path / "tuf", tmp_path / "keys")
    made.create(tmp_path / "offline", now)
    made.add_list(NAME, now)
    return made


def signed_root(
    repository: Repository, offline: Path, roles: tuple[str, ...], now: datetime
) -> Metadata[Root]:
    for role in roles:
        signers.make_next(repository.signers.file("").parent.parent, role)
    wanted = {role: repository.signers.wanted(role).public_key for role in ONLINE}
    proposal = root_ceremony.propose(repository.roots.newest, Changes(wanted), now)
    for number in (1, 3):
        root_ceremony.sign(proposal, offline_signer(str(offline / f"root-{number}.pem")))
    return proposal


@pytest.mark.parametrize("role", ["token", "manifest", LOG])
def test_by_a_clock_that_was_set_back_the_new_key_is_in_force_too(
    role: str, tmp_path: Path, now: datetime
) -> None:
    Keyring.create(tmp_path / "keys")
    done = Rotator(tmp_path / "keys").rotate(role, now - timedelta(hours=1), timedelta(minutes=10))
    in_force = Keyring(tmp_path / "keys").public[role].in_force()
    assert in_force
    assert in_force.id == Keyring(tmp_path / "keys").tell(role) == done.id


@pytest.mark.parametrize("role", ["token", "manifest", LOG])
def test_a_rotation_stopped_anywhere_is_gone_on_with(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    Keyring.create(tmp_path / "first")
    before = Keyring(tmp_path / "first").private_text(role)
    places = 0
    work = tmp_path / "work"
    shutil.copytree(tmp_path / "first", work)
    for _ in every_place(monkeypatch, lambda: Rotator(work).rotate(role, now, timedelta(minutes=10))):
        places += 1
        keyring = Keyring(work)
        signing = keyring.tell(role)
        assert signing in {one.id for one in keyring.public[role].all()}, "what signs is published"
        known = keyring.public[role]
        in_force = known.in_force()
        assert in_force
        if keyring.private_text(role) == before or in_force.id != signing:
            Rotator(work).rotate(role, now, timedelta(minutes=10))
        assert known.in_force() == known.all()[1]
        assert len(known.all()) == 2, "one new key, not two"
        assert Keyring(work).private_text(role) != before
        assert not list((work / "next").glob("*"))
        if role == LOG:
            assert len(Keyring(work).log_signers(ORIGIN)) == 2
        shutil.rmtree(work)
        shutil.copytree(tmp_path / "first", work)
    assert places >= 4


def test_the_log_s_old_key_is_gone_once_it_is_ended(tmp_path: Path, now: datetime) -> None:
    Keyring.create(tmp_path)
    old = Keyring(tmp_path).private_text(LOG)
    Rotator(tmp_path).rotate(LOG, now, None)
    checkpoint = note.Checkpoint(ORIGIN, 0, b"0" * 32)
    both = note.sign(checkpoint.text(), *Keyring(tmp_path).log_signers(ORIGIN))
    Rotator(tmp_path).end_log(now)
    keyring = Keyring(tmp_path)
    assert len(keyring.log_signers(ORIGIN)) == 1
    assert not any(old.strip() in path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert len(note.read(both, keyring.log_verifiers(ORIGIN))[1]) == 2, "its checkpoints are read still"


def test_a_list_key_taken_up_is_stopped_anywhere(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    client, keys = Client(repository, tmp_path / "client"), tmp_path / "keys"
    client.refresh()
    signers.make_next(keys, f"list-{NAME}")
    wanted = repository.signers.wanted(f"list-{NAME}").public_key.keyid

    def take_up() -> None:
        key_change.take_up(Repository(tmp_path / "tuf", keys), now)

    places = 0
    for _ in every_place(monkeypatch, take_up):
        places += 1
        client.refresh()
    key_change.take_up(repository, now)
    client.refresh()
    delegations = repository.role("targets").delegations
    assert delegations
    assert delegations.roles
    assert delegations.roles[NAME].keyids == [wanted]
    assert [one.public_key.keyid for one in repository.signers.at_hand(f"list-{NAME}")] == [wanted]
    assert places >= 6


def test_a_root_taken_up_is_stopped_anywhere_and_no_client_is_left_behind(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    keys = tmp_path / "keys"
    client, early = (Client(repository, tmp_path / name) for name in ("client", "early"))
    early.refresh()
    proposal = signed_root(repository, tmp_path / "offline", ONLINE, now)
    repository.roots.staged_path.write_bytes(root_ceremony.written(proposal))
    places = 0
    for _ in every_place(monkeypatch, lambda: key_change.take_up(Repository(tmp_path / "tuf", keys), now)):
        places += 1
        assert client.refresh() in (1, 2)
    key_change.take_up(repository, now)
    assert (client.refresh(), early.refresh()) == (2, 2)
    assert places >= 12
    _without_root_2_all_holds(repository, tmp_path)
    hour = timedelta(hours=1, minutes=1)
    key_change.take_up(repository, now + hour)
    for role in ONLINE:
        wanted = repository.roots.newest.roles[role].keyids
        assert [one.public_key.keyid for one in repository.signers.at_hand(role)] == wanted


def _without_root_2_all_holds(repository: Repository, tmp_path: Path) -> None:
    """A client that fetched the root before the change and the timestamp after it."""
    with _hidden(repository.roots.path(2)):
        assert Client(repository, tmp_path / "between").refresh() == 1


@contextmanager
def _hidden(path: Path) -> Iterator[None]:
    beside = path.with_name("hidden")
    path.rename(beside)
    try:
        yield
    finally:
        beside.rename(path)
