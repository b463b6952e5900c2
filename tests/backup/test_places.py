"""Wherever what was published can be seen, a restore looks there; and a database that came back otherwise."""

import json
from pathlib import Path

from app.backup import copying
from app.core import age
from app.core.lifecycle import Status
from app.core.terms import Confidentiality
from tests.backup.drill import Drill, Rebuilt
from tests.programs.service import LIST, Service, running


def test_a_running_service_shows_what_is_ahead(drill: Drill, rebuilt: Rebuilt) -> None:
    """Its manifests are for subscribers: what they say must be shown by another place."""
    drill.listed()
    drill.service.publish()
    backup = drill.backup()
    drill.listed()
    drill.service.publish()
    refused = drill.restore(backup, rebuilt, "--published", drill.service.address, code=1)
    assert any("leaves of the log" in what for what in refused["behind"])
    stepping = ("--published", drill.service.address, "--step-forward")
    assert "does not show its manifest" in drill.restore(backup, rebuilt, *stepping, code=1)["error"]
    home = str(drill.service.settings.home)
    drill.restore(backup, rebuilt, *stepping, "--published", f"file://{home}", code=0)


def test_a_place_that_shows_less_than_another_is_not_enough(
    drill: Drill, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    drill.listed()
    drill.service.publish()
    backup = drill.backup()
    drill.listed()
    drill.service.publish()
    home = drill.service.settings.home
    mark = json.loads(drill.service.settings.mark.read_text())
    ahead = tmp_path / "mark.json"
    ahead.write_text(json.dumps({**mark, "size": mark["size"] + 1}))
    words = ("restore", str(backup), "--identity", str(drill.identity_file), *rebuilt.words, "--json")
    done = drill.run(*words, "--published", str(home), "--step-forward", WARDLIST_LOG_MARK=str(ahead))
    assert done.exit_code == 1
    assert "more was published than the place shows" in json.loads(done.stdout)["error"]


def test_a_database_put_back_by_other_means_is_found_out_and_stepped_forward(
    drill: Drill, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    drill.listed()
    drill.service.publish()
    older = f"sqlite:///{tmp_path / 'older.db'}"
    copying.copy(drill.service.database, older)
    drill.listed()
    drill.service.publish()
    place = {"WARDLIST_DATABASE_URL": older}
    done = drill.run("restore", "--check", "--json", **place)
    assert done.exit_code == 1
    assert "more was published than is here" in json.loads(done.stdout)["error"]
    backup = tmp_path / "of-the-older"
    done = drill.run("backup", "--out", str(backup), "--recipient", drill.recipient, **place)
    assert done.exit_code == 0, done.output
    home = str(drill.service.settings.home)
    said = drill.restore(backup, rebuilt, "--published", home, "--step-forward")
    assert said["stepped"]["versions"] == {LIST: 1}
    assert drill.run("restore", "--check", **rebuilt.environment).exit_code == 0


def test_a_sealed_list_goes_on_for_its_subscribers(tmp_path: Path, rebuilt: Rebuilt) -> None:
    """Keys of hashes made after the backup are lost: the next has another number, and clients take it."""
    service = Service(tmp_path / "home")
    service.add_list(confidentiality=Confidentiality.SEALED, formats=["jsonl", "hashes"])
    with running(service):
        own, recipient = age.generate()
        drill = Drill(service, tmp_path, sealed_to=recipient)
        (tmp_path / "isp.age").write_text(own)
        kept = drill.listed()
        service.publish()
        backup = drill.backup()
        lost = drill.listed()
        service.publish()
        before = drill.sync("--identity", str(tmp_path / "isp.age"))
    assert before["version"] == 2
    drill.restore(backup, rebuilt, "--published", str(service.settings.home), "--step-forward")
    with rebuilt.serving(service):
        after = drill.synced_after(2, "--identity", str(tmp_path / "isp.age"))
    assert after["removed"] == 1
    assert drill.statuses(rebuilt) == {kept: Status.LISTED.name, lost: Status.DELISTED.name}
    drill.close()
