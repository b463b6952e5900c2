"""The newest manifest as a file: right before anybody is told of a version, and again after any crash."""

import json
from datetime import timedelta
from pathlib import Path

from app.core.terms import Kind
from app.lists.publisher import Publisher
from app.main import DUTIES
from tests.lists.test_staging import SNAPSHOTS, Stage, stage
from tests.programs.service import LIST, Service

__all__ = ["stage"]


def seen(service: Service) -> tuple[int, int]:
    """The versions in the file for all and in that for canaries."""
    folder = service.settings.public / "latest"
    found = [json.loads((folder / f"{LIST}{view}.json").read_bytes())["version"] for view in ("", ".canary")]
    return found[0], found[1]


def validators(folder: Path) -> set[int]:
    return {path.stat().st_mtime_ns for path in folder.glob("[!.]*")}


def files_of(service: Service, version: int) -> set[str]:
    """The kinds of files that a version has on the disk."""
    folder = service.settings.public / "targets" / "lists" / LIST / str(version)
    return {path.name.split(".", 1)[1] for path in folder.iterdir()}


def test_the_files_follow_a_version_from_the_canaries_to_all(stage: Stage) -> None:
    assert seen(stage.service) == (1, 1)
    stage.list_them("https://b.example.test/")
    assert seen(stage.service) == (1, 2)
    stage.report(stage.canary, 2, "applied")
    assert seen(stage.service) == (2, 2) == stage.seen()


def test_the_files_say_what_the_service_says_after_a_failed_trial(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "failed")
    stage.service.publish()
    assert seen(stage.service) == stage.seen() == (3, 3)


def test_the_list_of_a_version_that_was_taken_back_is_deleted_everywhere(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    assert {"list.jsonl", "list.csv"} <= files_of(stage.service, 2)
    stage.report(stage.canary, 2, "failed")
    stage.service.publish()
    assert files_of(stage.service, 2) == {"manifest.json", "delta.jsonl"}
    assert {"list.jsonl", "list.csv"} <= files_of(stage.service, 1)
    assert stage.canary.send("GET", f"{SNAPSHOTS}/2/jsonl").status_code == 410
    assert stage.sync(stage.canary) == 3


def test_whoever_is_told_of_a_version_finds_it_in_the_file(stage: Stage) -> None:
    service, told = stage.service, []
    publisher = Publisher(
        service.settings,
        service.database,
        service.keyring,
        service.clock,
        DUTIES,
        lambda _name: told.append(seen(service)),
    )
    stage.submit("https://b.example.test/")
    service.clock.ahead += timedelta(seconds=1)
    publisher.round()
    assert told == [(1, 2)]


def test_a_file_that_a_crash_left_behind_is_right_after_the_next_round(stage: Stage) -> None:
    service = stage.service
    folder = service.settings.public / "latest"
    old = {path: path.read_bytes() for path in folder.iterdir()}
    stage.list_them("https://b.example.test/")
    for path, body in old.items():
        path.write_bytes(body)
    again = Publisher(service.settings, service.database, service.keyring, service.clock, DUTIES)
    again.round()
    assert seen(service) == (1, 2)
    for path in folder.iterdir():
        path.unlink()
    again.round()
    assert seen(service) == (1, 2)


def test_versions_of_one_second_have_different_validators(stage: Stage) -> None:
    """A web server's validator has whole seconds: the time of each file is its version's alone."""
    folder = stage.service.settings.public / "latest"
    stage.change_policy(canaries=[])
    times = [validators(folder)]
    stage.service.clock.still_at = stage.service.clock()
    with stage.service.connect(Kind.OPERATOR) as operator:
        for url in ("https://b.example.test/", "https://c.example.test/"):
            (entry,) = stage.list_them(url)
            times.append(validators(folder))
            operator.request("POST", "/v1/entries/emergency-delisting", json={"entries": [entry]})
            stage.service.publisher.round()
            times.append(validators(folder))
    assert seen(stage.service) == (5, 5)
    assert times == [{number * 10**9} for number in range(1, 6)]
