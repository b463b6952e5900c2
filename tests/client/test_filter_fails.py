"""The filter's own programs fail: what stays, what is tried again and when, and who is told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.client.watch import Did
from tests.client.filter import Filter, grow


def test_what_the_filter_does_not_pass_is_not_put_in_force(
    behind: Filter, later: Callable[[timedelta], None]
) -> None:
    watcher = behind.watcher()
    watcher.step()
    before = behind.file.read_bytes()
    behind.passes.unlink()
    grow(behind.at, 1)
    step = watcher.step()
    assert (step.did, step.version, behind.at.told(2)) == (Did.CHECK_FAILED, 1, "failed")
    assert behind.file.read_bytes() == before
    assert [path.name for path in behind.folder.glob(".new-*")] == []
    behind.passes.touch()
    assert watcher.step().did is Did.CHECK_FAILED
    later(timedelta(seconds=step.wait_seconds + 1))
    assert (watcher.step().did, behind.at.told(2)) == (Did.INSTALLED, "applied")


def test_a_filter_that_is_not_reloaded_has_not_applied_it(behind: Filter) -> None:
    watcher = behind.watcher(reload=True)
    step = watcher.step()
    assert (step.did, step.version, behind.at.told(1)) == (Did.RELOAD_FAILED, 1, None)
    assert behind.entries == set(behind.at.entries)
    (behind.folder / "passes.reload").touch()
    assert (behind.watcher(reload=True).step().did, behind.at.told(1)) == (Did.UNCHANGED, "applied")
    assert behind.reloads.read_text() == "\n"


def test_a_start_tries_at_once_what_did_not_pass(behind: Filter) -> None:
    behind.passes.unlink()
    assert behind.watcher().step().did is Did.CHECK_FAILED
    behind.passes.touch()
    assert (behind.watcher().step().did, behind.at.told(1)) == (Did.INSTALLED, "applied")


def test_between_two_tries_it_says_when_the_next_is(behind: Filter) -> None:
    watcher = behind.watcher(check="false")
    step = watcher.step()
    again = datetime.fromtimestamp(behind.at.provider.clock() + step.wait_seconds, UTC)
    words = str(watcher.step().words)
    assert "the filter's check did not pass" in words
    assert any(
        f"not tried again before {again + timedelta(seconds=off):%H:%M} UTC" in words for off in (-2, 0)
    )


def test_a_failed_reload_shows_until_one_works(behind: Filter, later: Callable[[timedelta], None]) -> None:
    works = behind.folder / "passes.reload"
    works.touch()
    watcher = behind.watcher(reload=True)
    watcher.step()
    assert (behind.shown()["state"], behind.shown()["reload_pending_since"]) == ("ok", None)
    works.unlink()
    grow(behind.at, 1)
    step = watcher.step()
    since = behind.shown()["reload_pending_since"]
    assert (step.did, step.version, behind.shown()["state"]) == (Did.RELOAD_FAILED, 2, "failing")
    assert "the files are new and the filter is old" in behind.shown()["last_error"]
    later(timedelta(hours=1))
    behind.at.wire.broken.add("/tuf/")
    watcher = behind.watcher(reload=True)
    watcher.step()
    shown = behind.shown()
    assert (shown["state"], shown["reload_pending_since"]) == ("failing", since)
    assert 3600 <= shown["seconds_behind"] < 3700
    gauge = f'wardlist_client_reload_pending{{list="{behind.at.name}"}} '
    assert f"{gauge}1.0" in behind.metrics.read_text()
    behind.at.wire.broken.clear()
    works.touch()
    watcher.step()
    shown = behind.shown()
    assert (shown["state"], shown["reload_pending_since"], shown["seconds_behind"]) == ("ok", None, 0)
    assert f"{gauge}0.0" in behind.metrics.read_text()


def test_of_a_reload_that_fails_again_the_service_hears_once_and_of_the_next_that_works(
    behind: Filter,
) -> None:
    works = behind.folder / "passes.reload"
    watcher = behind.watcher(reload=True)
    told = []
    for passes in (False, False, False, True, True):
        if passes:
            works.touch()
        behind.at.wire.asked.clear()
        watcher.step()
        told.append((sum(path.endswith("/receipts") for path in behind.at.wire.asked), behind.at.told(1)))
    assert told == [(0, None), (1, "failed"), (0, "failed"), (1, "applied"), (0, "applied")]


def test_a_reload_that_fails_after_one_that_worked_is_told_too(
    behind: Filter, later: Callable[[timedelta], None]
) -> None:
    """The file was lost and written again, so that the filter is to read it again."""
    works = behind.folder / "passes.reload"
    works.touch()
    watcher = behind.watcher(reload=True)
    watcher.step()
    works.unlink()
    behind.file.unlink()
    told = []
    for passes in (False, False, True):
        later(timedelta(seconds=2))
        if passes:
            works.touch()
        told.append((watcher.step().did, behind.at.told(1)))
    failed = Did.RELOAD_FAILED
    assert told == [(failed, "applied"), (failed, "failed"), (Did.UNCHANGED, "applied")]


@pytest.mark.parametrize(
    ("program", "made", "words"),
    [
        ("check", None, "the check of csv could not be started: No such file or directory"),
        ("reload", 0o600, "the reload command could not be started: Permission denied"),
        ("check", 0o700, "ended with 3; `wardlist isp watch --once` in a terminal shows what it prints"),
    ],
)
def test_it_says_why_a_program_failed(
    behind: Filter, tmp_path: Path, program: str, made: int | None, words: str
) -> None:
    file = tmp_path / "program"
    if made is not None:
        file.write_text("#!/bin/sh\nexit 3\n")
        file.chmod(made)
    programs: dict[str, Any] = {"check": "true", program: str(file)}
    step = behind.watcher(**programs).step()
    assert words in str(step.words)
