"""The drill: what was published after the backup goes on, for clients that saw it, and nothing comes back."""

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from app.core import age
from app.core.audit import openings_of
from app.core.lifecycle import Status
from app.core.terms import Kind
from app.platform.database import Database
from tests.audit.test_exports import unpack
from tests.backup.drill import Drill, Rebuilt, bytes_below
from tests.programs.conditions import until
from tests.programs.service import LIST, Service, approve, running

GONE = "https://erased-after-the-backup.example.test/x"
LOST = "https://submitted-after-the-backup.example.test/x"


def _rows(rebuilt: Rebuilt, query: str) -> list[Any]:
    database = Database(rebuilt.database)
    with database.reading() as session:
        found = [tuple(row) for row in session.execute(text(query))]
    database.close()
    return found


def _version(drill: Drill) -> int:
    """Of the newest manifest that the service answers."""
    answer = drill.provider.request("GET", f"/v1/lists/{LIST}/snapshots/latest")
    return int(answer.json()["version"])


def _until_version(drill: Drill, version: int) -> None:
    ends = time.monotonic() + 60
    while _version(drill) < version:
        assert time.monotonic() < ends, "no version came"
        time.sleep(0.2)


def _verify(drill: Drill, state: Path) -> int:
    done = drill.run(
        *("log", "verify", drill.service.address, "--vkey", drill.vkey, "--state", str(state), "--json")
    )
    assert done.exit_code == 0, done.output
    return int(json.loads(done.stdout)["size"])


def test_the_drill(tmp_path: Path, rebuilt: Rebuilt) -> None:
    service = Service(tmp_path / "home")
    service.add_list()
    with running(service):
        drill = Drill(service, tmp_path)
        kept, erased, withdrawn = drill.listed(), drill.listed(GONE), drill.listed()
        open_one = drill.submit()
        service.publish()
        assert drill.sync()["version"] == 1
        backup = drill.backup()
        drill.erase(erased)
        drill.withdraw(withdrawn)
        approve(drill.reviewer, open_one)
        lost, unread = drill.listed(LOST), drill.submit()["id"]
        service.publish()
        service.publish()
        assert drill.sync()["version"] == 2
        seen = _verify(drill, tmp_path / "seen.json")
    before = service.settings.home
    refused = drill.restore(backup, rebuilt, "--published", str(before), code=1)
    assert "--step-forward" in refused["error"]
    assert any("leaves of the log" in what for what in refused["behind"])
    assert not rebuilt.home.exists() or not list(rebuilt.home.iterdir())
    said = drill.restore(backup, rebuilt, "--published", str(before), "--step-forward")
    assert said["stepped"]["versions"] == {LIST: 1}
    assert said["stepped"]["lost_entries"] == 2
    assert said["stepped"]["submit_again"] == {drill.owner: sorted([lost, unread])}
    assert said["stepped"]["erased"] == [erased]
    states = dict(_rows(rebuilt, "SELECT id, status FROM entry"))
    assert states == {
        kept: Status.LISTED.name,
        erased: Status.ERASED.name,
        withdrawn: Status.DELISTED.name,
        open_one["id"]: Status.LISTED.name,
        lost: Status.DELISTED.name,
        unread: Status.WITHDRAWN.name,
    }
    held = {entry for (entry,) in _rows(rebuilt, "SELECT entry_id FROM entry_key")}
    assert held == {kept, withdrawn, open_one["id"]}
    assert GONE.encode() not in bytes_below(rebuilt.home)
    with rebuilt.serving(service):
        _until_version(drill, 3)
        assert drill.sync()["version"] == 3
        assert _verify(drill, tmp_path / "seen.json") > seen
        checkpoint = httpx.get(f"{service.address}/log/checkpoint").text
        assert int(checkpoint.splitlines()[1]) > seen
    lines = _rows(rebuilt, f"SELECT entry_count FROM snapshot WHERE list = '{LIST}' ORDER BY version")
    assert [count for (count,) in lines] == [3, 3, 2]
    checked = drill.run("restore", "--check", "--published", str(before), "--json", **rebuilt.environment)
    assert checked.exit_code == 0, checked.output
    drill.close()


def test_what_is_to_be_submitted_again_is_named(drill: Drill, rebuilt: Rebuilt) -> None:
    drill.service.publish()
    backup = drill.backup()
    withdrawn = drill.submit()["id"]
    drill.withdraw(withdrawn)
    wanted = sorted(drill.submit()["id"] for _ in range(11))
    drill.service.publish()
    words = ("--published", str(drill.service.settings.home), "--step-forward")
    said = drill.run(
        *("restore", str(backup), "--identity", str(drill.identity_file), *rebuilt.words, *words)
    )
    assert said.exit_code == 0, said.output
    words_said = " ".join(said.stderr.split())
    assert (
        f"{drill.owner} submits again: {', '.join(wanted[:10])} and 1 more (--json names all)" in words_said
    )
    assert withdrawn not in words_said


def test_nothing_new_but_a_timestamp(drill: Drill, rebuilt: Rebuilt) -> None:
    """TUF's timestamp is signed anew every ten minutes: every backup is behind that soon."""
    drill.listed()
    drill.service.publish()
    backup = drill.backup()
    drill.service.clock.ahead += timedelta(minutes=11)
    drill.service.publish()
    home = str(drill.service.settings.home)
    refused = drill.restore(backup, rebuilt, "--published", home, code=1)
    assert [what.partition("TUF's ")[2].split(",")[0] for what in refused["behind"]] == ["timestamp"]
    said = drill.restore(backup, rebuilt, "--published", home, "--step-forward")
    assert (said["stepped"]["leaves"], said["stepped"]["versions"]) == (0, {LIST: 0})


def test_openings_are_exported_without_those_of_lost_entries(tmp_path: Path, rebuilt: Rebuilt) -> None:
    service, (opener, recipient) = Service(tmp_path / "home"), age.generate()
    service.add_list()
    with running(service):
        drill, organisation = Drill(service, tmp_path), service.organisation(Kind.AUDITOR)
        auditor = service.connect(Kind.AUDITOR, organisation)
        drill.run("audit", "allow", "--org", organisation, "--recipient", recipient)
        kept = drill.listed()
        service.publish()
        backup = drill.backup()
        drill.listed(LOST)
        service.publish()
    drill.restore(backup, rebuilt, "--published", str(service.settings.home), "--step-forward")
    with rebuilt.serving(service), auditor:
        made = auditor.request("POST", "/v1/audit/exports", json={"reveal": True}).json()
        export = f"/v1/audit/exports/{made['id']}"
        until(lambda: auditor.request("GET", export).status_code == 200)
        members = unpack(auditor.request("GET", export).content)
    assert list(openings_of(age.unseal_bytes(members["openings.age"], [opener]))) == [kept]
    drill.close()
