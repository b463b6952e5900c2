"""A service that gives no verified word: how long what is installed stays in force."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app.client.matcher import Matcher
from app.client.squid import Newest
from app.client.watch import Did
from app.lists import service as lists
from tests.client.filter import Filter, grow

WEEK, HOUR = timedelta(days=7), timedelta(hours=1)
Later = Callable[[timedelta], None]


def test_without_a_limit_a_list_stays_in_force(behind: Filter, later: Later) -> None:
    behind.watcher().step()
    behind.at.wire.broken.add("/tuf/")
    later(timedelta(days=400))
    step = behind.watcher().step()
    assert (step.did, step.version, behind.entries) == (Did.UNREACHABLE, 1, set(behind.at.entries))
    assert behind.shown()["dropped"] is False


def test_after_its_limit_nothing_is_in_force_and_the_filter_is_told(behind: Filter, later: Later) -> None:
    (behind.folder / "passes.reload").touch()
    watcher = behind.watcher(drop_after=WEEK, reload=True)
    watcher.step()
    behind.at.wire.broken.add("/tuf/")
    later(WEEK - HOUR)
    assert (watcher.step().version, behind.entries) == (1, set(behind.at.entries))
    later(HOUR)
    with capture_logs() as logged:
        step = watcher.step()
    assert (step.did, step.version, behind.entries) == (Did.UNREACHABLE, None, set())
    assert [line["dropped"] for line in logged if line["event"] == "unreachable"] == [True]
    assert "owned.example" not in behind.file.read_text()
    assert behind.reloads.read_text() == "\n\n"
    assert len(Matcher.of(behind.at.store)) == 0
    shown = behind.shown()
    assert (shown["dropped"], shown["state"], shown["version"], shown["entries"]) == (
        True,
        "failing",
        None,
        0,
    )
    assert f'wardlist_client_dropped{{list="{behind.at.name}"}} 1.0' in behind.metrics.read_text()
    watcher.step()
    assert behind.reloads.read_text() == "\n\n"


def test_its_first_word_puts_the_list_back_or_a_newer_one(behind: Filter, later: Later) -> None:
    behind.watcher(drop_after=WEEK).step()
    behind.at.wire.broken.add("/tuf/")
    later(WEEK)
    assert behind.watcher(drop_after=WEEK).step().version is None
    behind.at.wire.broken.clear()
    step = behind.watcher(drop_after=WEEK).step()
    assert (step.did, step.version, behind.entries) == (Did.RENDERED, 1, set(behind.at.entries))
    behind.at.wire.broken.add("/tuf/")
    later(WEEK)
    behind.watcher(drop_after=WEEK).step()
    new = grow(behind.at, 1)
    behind.at.wire.broken.clear()
    step = behind.watcher(drop_after=WEEK).step()
    assert (step.did, step.version, behind.shown()["dropped"]) == (Did.INSTALLED, 2, False)
    assert behind.entries == {*behind.at.entries, *new}


def test_the_silence_goes_on_over_restarts_and_begins_where_nothing_is_remembered(
    behind: Filter, later: Later
) -> None:
    behind.watcher(drop_after=WEEK).step()
    behind.at.wire.broken.add("/tuf/")
    later(WEEK / 2)
    behind.watcher(drop_after=WEEK).step()
    later(WEEK / 2)
    assert behind.watcher(drop_after=WEEK).step().version is None
    remembered = behind.at.store.home(behind.at.name) / "watch.json"
    state = json.loads(remembered.read_bytes())
    for lost in ({**state, "heard_at": None}, {**state, "heard_at": state["heard_at"] * 2}):
        remembered.write_text(json.dumps(lost))
        assert behind.watcher(drop_after=WEEK).step().version == 1
        later(WEEK)
        assert behind.watcher(drop_after=WEEK).step().version is None


def test_a_sync_puts_it_in_force_too(behind: Filter, later: Later) -> None:
    behind.watcher(drop_after=WEEK).step()
    behind.at.wire.broken.add("/tuf/")
    later(WEEK)
    behind.watcher(drop_after=WEEK).step()
    behind.at.wire.broken.clear()
    assert behind.at.sync().version == 1
    assert len(Matcher.of(behind.at.store)) >= len(behind.at.entries)


def test_a_provider_that_takes_its_limit_back_has_the_list_in_force_again(
    behind: Filter, later: Later
) -> None:
    behind.watcher(drop_after=WEEK).step()
    behind.at.wire.broken.add("/tuf/")
    later(WEEK)
    behind.watcher(drop_after=WEEK).step()
    step = behind.watcher().step()
    assert (step.did, step.version, behind.entries) == (Did.UNREACHABLE, 1, set(behind.at.entries))


def test_a_refusal_is_silence_too(behind: Filter, later: Later) -> None:
    """As for a provider that was unsubscribed, or whom somebody serves what is signed by nobody."""
    at = behind.at
    behind.watcher(drop_after=WEEK).step()
    with at.service.database.writing() as session:
        lists.unsubscribe(session, at.name, at.organisation, at.service.clock())
    later(WEEK - HOUR)
    step = behind.watcher(drop_after=WEEK).step()
    assert (step.did, step.version, behind.entries) == (Did.REFUSED, 1, set(at.entries))
    later(HOUR)
    step = behind.watcher(drop_after=WEEK).step()
    assert (step.did, step.version, behind.entries) == (Did.REFUSED, None, set())


def test_a_clock_that_was_wrong_for_a_while_ends_no_silence_early(behind: Filter, later: Later) -> None:
    """A machine without a clock of its own starts in the past, and without its network."""
    watcher = behind.watcher(drop_after=WEEK)
    watcher.step()
    behind.at.wire.broken.add("/tuf/")
    later(-WEEK * 100)
    assert behind.watcher(drop_after=WEEK).step().version == 1
    later(WEEK * 100)
    later(WEEK - HOUR)
    assert behind.watcher(drop_after=WEEK).step().version == 1
    later(HOUR)
    assert behind.watcher(drop_after=WEEK).step().version is None
    behind.at.wire.broken.clear()
    assert behind.watcher(drop_after=WEEK).step().version == 1
    assert (
        json.loads((behind.at.store.home(behind.at.name) / "watch.json").read_bytes())["unheard_since"]
        is None
    )


@pytest.mark.parametrize("damaged", ["list.jsonl", "subscriber.json"])
def test_a_list_that_is_damaged_is_dropped_too(behind: Filter, later: Later, damaged: str) -> None:
    behind.watcher(drop_after=WEEK).step()
    behind.at.wire.broken.add("/tuf/")
    (behind.at.store.home(behind.at.name) / "current" / damaged).write_bytes(b"{")
    later(WEEK)
    assert behind.watcher(drop_after=WEEK).step().did is Did.UNREACHABLE
    assert (behind.entries, "owned.example" in behind.file.read_text()) == (set(), False)
    behind.at.wire.broken.clear()
    assert behind.watcher(drop_after=WEEK).step().version == 1
    assert behind.entries == set(behind.at.entries)


def test_a_list_whose_manifest_is_damaged_is_dropped_for_squid_s_helper(behind: Filter, later: Later) -> None:
    behind.watcher(drop_after=WEEK).step()
    newest = Newest(behind.at.store, None, pytest.fail)
    newest.look()
    behind.at.wire.broken.add("/tuf/")
    (behind.at.store.home(behind.at.name) / "current" / "manifest.json").write_bytes(b"{")
    later(WEEK)
    assert "manifest cannot be read" in str(behind.watcher(drop_after=WEEK).step().words)
    newest.look()
    assert newest.matcher is not None
    assert len(newest.matcher) == 0


def test_a_check_that_fails_at_the_drop_is_told_here_and_not_to_the_service(
    behind: Filter, later: Later
) -> None:
    watcher = behind.watcher(drop_after=WEEK)
    watcher.step()
    remembered = behind.at.store.home(behind.at.name) / "watch.json"
    told = json.loads(remembered.read_bytes())["told"]
    behind.at.wire.broken.add("/tuf/")
    behind.passes.unlink()
    later(WEEK)
    step = watcher.step()
    assert step.did is Did.UNREACHABLE
    assert "does not answer" in str(step.words)
    assert "the check of csv ended with 1" in str(step.words)
    assert 'kind="check_failed",list=' in behind.metrics.read_text()
    assert behind.entries == set(behind.at.entries)
    state = json.loads(remembered.read_bytes())
    assert (state["told"], state["outbox"]) == (told, [])


def test_that_the_filter_took_files_without_entries_is_no_receipt_of_the_version(
    behind: Filter, later: Later
) -> None:
    watcher = behind.watcher(drop_after=WEEK, reload=True)
    for _ in range(2):
        assert watcher.step().did is Did.RELOAD_FAILED
    (behind.folder / "passes.reload").touch()
    behind.at.wire.broken.add("/tuf/")
    later(WEEK)
    watcher.step()
    remembered = behind.at.store.home(behind.at.name) / "watch.json"
    assert json.loads(remembered.read_bytes())["told"] == ["1 failed"]
    behind.at.wire.broken.clear()
    watcher.step()
    assert json.loads(remembered.read_bytes())["told"] == ["1 applied"]


def test_squid_s_helper_hears_of_it(behind: Filter, later: Later) -> None:
    behind.watcher(drop_after=WEEK).step()
    newest = Newest(behind.at.store, None, pytest.fail)
    newest.look()
    assert newest.matcher is not None
    assert len(newest.matcher) >= len(behind.at.entries)
    behind.at.wire.broken.add("/tuf/")
    later(WEEK)
    behind.watcher(drop_after=WEEK).step()
    newest.look()
    assert len(newest.matcher) == 0
    behind.at.wire.broken.clear()
    behind.watcher(drop_after=WEEK).step()
    newest.look()
    assert len(newest.matcher) >= len(behind.at.entries)
