"""Keys of lists that a backup does not have: the list gets a new one, and clients that saw the old go on."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.core import age
from app.core.lifecycle import Status
from app.core.terms import Confidentiality
from app.platform.database import Database
from tests.backup.drill import Drill, Rebuilt
from tests.programs.service import LIST, Service, approve, running

LATER = "later"
VARIABLE = "WARDLIST_KEY_LIST_NATIONAL_URL"


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Drill]:
    """An installation that does not run, whose provider can open what is sealed."""
    identity, recipient = age.generate()
    (tmp_path / "isp.age").write_text(identity)
    service = Service(tmp_path / "home")
    service.add_list()
    drill = Drill(service, tmp_path, sealed_to=recipient)
    yield drill
    drill.close()


def _synced(drill: Drill, name: str) -> dict[str, object]:
    return drill.sync("--identity", str(drill.folder / "isp.age"), name=name)


def _key_numbers(rebuilt: Rebuilt) -> list[int]:
    """Of the keys of hashes: the first one was made after the backup."""
    with closing(Database(rebuilt.database)) as database, database.reading() as session:
        found = session.execute(text("SELECT number FROM match_key WHERE list = :name"), {"name": LATER})
        return list(found.scalars())


def test_a_list_that_was_created_after_the_backup_goes_on(sealed: Drill, rebuilt: Rebuilt) -> None:
    service = sealed.service
    with running(service):
        kept = sealed.listed()
        service.publish()
        backup = sealed.backup()
        service.add_list(LATER, confidentiality=Confidentiality.SEALED, formats=["jsonl", "hashes"])
        service.subscribe(sealed.isp, LATER)
        lost = sealed.submit(list=LATER)
        approve(sealed.reviewer, lost)
        service.publish()
        assert _synced(sealed, LATER)["added"] == 1
    home = str(service.settings.home)
    said = sealed.restore(backup, rebuilt, "--published", home, "--step-forward")
    assert said["stepped"]["versions"] == {LIST: 0, LATER: 1}
    assert said["stepped"]["submit_again"] == {sealed.owner: [lost["id"]]}
    assert [note.partition(":")[0] for note in said["notes"]] == [
        "list later was created after the backup",
        "the key of list later is not in the backup, so it gets a new one with the next round (1)",
    ]
    named = sealed.run("list", "title", LATER, "What it was called", **rebuilt.environment)
    assert named.exit_code == 0, named.output
    with rebuilt.serving(service):
        after = sealed.synced_after(1, "--identity", str(sealed.folder / "isp.age"), name=LATER)
        assert after["removed"] == 1
        shown = sealed.provider.request("GET", f"/v1/lists/{LATER}").json()
        assert shown["title"] == "What it was called"
        assert _synced(sealed, LIST)["version"] == 1
    assert sealed.statuses(rebuilt) == {kept: Status.LISTED.name, lost["id"]: Status.DELISTED.name}
    assert _key_numbers(rebuilt) == [2]
    status = sealed.run("keys", "status", **rebuilt.environment)
    assert status.exit_code == 0, status.output


def test_a_list_key_that_was_changed_and_lost_is_followed_by_a_new_one(
    sealed: Drill, rebuilt: Rebuilt
) -> None:
    service = sealed.service
    key = service.settings.keys / "tuf" / f"list-{LIST}.pem"
    with running(service):
        sealed.listed()
        service.publish()
        olds = [key.read_bytes()]
        assert sealed.run("keys", "rotate", f"list-{LIST}").exit_code == 0
        backup = sealed.backup()
        service.publish()
        olds.append(key.read_bytes())
        assert sealed.run("keys", "rotate", f"list-{LIST}").exit_code == 0
        service.publish()
        sealed.listed()
        service.publish()
        assert _synced(sealed, LIST)["version"] == 2
    home = str(service.settings.home)
    said = sealed.restore(backup, rebuilt, "--published", home, "--step-forward")
    assert any(f"the key of list {LIST} is not in the backup" in note for note in said["notes"])
    with rebuilt.serving(service):
        after = sealed.synced_after(2, "--identity", str(sealed.folder / "isp.age"))
        assert after["removed"] == 1
    keys = rebuilt.home / "keys" / "tuf"
    assert not (keys / "next" / f"list-{LIST}.pem").exists()
    olds.append(key.read_bytes())
    assert len(set(olds)) == 3
    assert (keys / f"list-{LIST}.pem").read_bytes() not in olds


def test_a_list_key_that_the_settings_name_must_be_the_one_in_force(sealed: Drill, rebuilt: Rebuilt) -> None:
    service = sealed.service
    key = service.settings.keys / "tuf" / f"list-{LIST}.pem"
    with running(service):
        sealed.listed()
        service.publish()
        backup = sealed.backup()
        old = sealed.folder / "old.pem"
        old.write_bytes(key.read_bytes())
        assert sealed.run("keys", "rotate", f"list-{LIST}").exit_code == 0
        service.publish()
    asked = ("--published", str(service.settings.home), "--step-forward")
    refused = sealed.restore(backup, rebuilt, *asked, code=1, **{VARIABLE: f"file:{old}"})["error"]
    assert f"name it with {VARIABLE}, for the restore and for the service after it" in refused
    named: dict[str, Any] = {VARIABLE: f"file:{key}"}
    said = sealed.restore(backup, rebuilt, *asked, **named)
    assert said["notes"] == []
    assert sealed.run("keys", "status", **rebuilt.environment, **named).exit_code == 0
