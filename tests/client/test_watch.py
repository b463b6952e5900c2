"""The daemon step by step: what is put in force, what is held, and what stays when something fails."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from app.client import state
from app.client.brake import Brake
from app.client.session import Connection, Failed
from app.client.watch import Did, Step
from tests.client.filter import Filter, grow

STRICT = Brake(percent=30, free=2)


def test_a_version_is_put_in_force_with_the_own_canary_entries(behind: Filter) -> None:
    watcher = behind.watcher()
    assert watcher.step().did is Did.INSTALLED
    assert behind.entries == set(behind.at.entries)
    assert behind.file.read_text().count("owned.example") == len(behind.at.store.canary_lines(behind.at.name))
    assert behind.at.told(1) == "applied"
    grow(behind.at, 1)
    step = watcher.step()
    assert (step.did, step.version, behind.at.told(2)) == (Did.INSTALLED, 2, "applied")
    assert watcher.step().did is Did.UNCHANGED


def test_nothing_is_told_twice_over_restarts(behind: Filter) -> None:
    behind.watcher().step()
    behind.at.wire.asked.clear()
    assert behind.watcher().step().did is Did.UNCHANGED
    assert not [path for path in behind.at.wire.asked if path.endswith("/receipts")]


def test_an_implausible_version_is_held_until_the_operator_lets_it_in(behind: Filter) -> None:
    watcher = behind.watcher(STRICT)
    watcher.step()
    grow(behind.at, 8)
    step = watcher.step()
    assert (step.did, step.version, behind.at.told(2)) == (Did.HELD, 1, "held")
    assert behind.entries == set(behind.at.entries)
    assert (behind.shown()["state"], behind.shown()["held_version"]) == ("degraded", 2)
    assert not watcher.is_released
    held = state.State.read(state.path_of(behind.at.store, behind.at.name)).held
    assert held
    state.approve(behind.at.store, behind.at.name, held.content_sha256)
    assert watcher.is_released
    assert (watcher.step().did, behind.at.told(2)) == (Did.INSTALLED, "applied")
    assert (behind.shown()["state"], behind.shown()["held_version"]) == ("ok", None)


def test_an_approval_is_for_one_content_only(behind: Filter) -> None:
    watcher = behind.watcher(STRICT)
    watcher.step()
    state.approve(behind.at.store, behind.at.name, "0" * 64)
    grow(behind.at, 8)
    assert watcher.step().did is Did.HELD


def test_a_later_plausible_version_ends_a_hold(behind: Filter) -> None:
    watcher = behind.watcher(STRICT)
    watcher.step()
    new = grow(behind.at, 8)
    assert watcher.step().did is Did.HELD
    behind.at.withdraw(*new[:6])
    behind.at.publish()
    step = watcher.step()
    assert (step.did, step.version) == (Did.INSTALLED, 3)


def test_too_many_removals_go_in_after_a_day_too_many_additions_do_not(
    behind: Filter, later: Callable[[timedelta], None]
) -> None:
    watcher = behind.watcher(STRICT)
    watcher.step()
    behind.at.withdraw(*behind.at.entries[:5])
    behind.at.publish()
    assert watcher.step().did is Did.HELD
    later(timedelta(hours=23))
    assert watcher.step().did is Did.HELD
    later(timedelta(hours=1))
    assert watcher.step().did is Did.INSTALLED
    grow(behind.at, 8)
    assert watcher.step().did is Did.HELD
    later(timedelta(hours=25))
    assert watcher.step().did is Did.HELD


def test_the_first_version_is_never_held_nor_anything_at_100_percent(behind: Filter) -> None:
    assert behind.watcher(Brake(percent=1, free=0)).step().did is Did.INSTALLED
    behind.at.withdraw(*behind.at.entries)
    behind.at.publish()
    assert behind.watcher(Brake(percent=100, free=0)).step().did is Did.INSTALLED


def test_a_file_that_was_lost_or_changed_is_written_again(behind: Filter) -> None:
    watcher = behind.watcher()
    watcher.step()
    good = behind.file.read_bytes()
    behind.file.write_bytes(b"entry\n")
    assert watcher.step().did is Did.RENDERED
    behind.file.unlink()
    behind.at.wire.broken.add("/tuf/")
    assert watcher.step().did is Did.UNREACHABLE
    behind.at.wire.broken.clear()
    assert behind.file.read_bytes() == good


@pytest.mark.parametrize("line", ["swap", "point", "tell_filter"])
def test_a_crash_at_any_line_is_made_good_at_the_next_start(
    behind: Filter, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (behind.folder / "passes.reload").touch()
    behind.watcher(reload=True).step()
    new = grow(behind.at, 1)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    owner = "store.Store" if line == "point" else "outputs.Outputs"
    with monkeypatch.context() as patch:
        patch.setattr(f"app.client.{owner}.{line}", crash)
        with pytest.raises(KeyboardInterrupt):
            behind.watcher(reload=True).step()
    assert behind.at.told(2) is None
    step = behind.watcher(reload=True).step()
    assert (step.is_fine, step.version, behind.at.told(2)) == (True, 2, "applied")
    assert behind.entries == {*behind.at.entries, *new}
    assert behind.reloads.read_text() == "\n\n"


def test_receipts_wait_for_the_service(behind: Filter) -> None:
    behind.at.wire.broken.add("/receipts")
    assert behind.watcher().step().did is Did.INSTALLED
    assert behind.at.told(1) is None
    behind.at.wire.broken.clear()
    behind.watcher().step()
    assert behind.at.told(1) == "applied"


def test_a_receipt_that_is_refused_is_not_sent_for_ever(behind: Filter) -> None:
    behind.at.wire.answers["/receipts"] = httpx.Response(422, json={"title": "No", "detail": "never"})
    watcher = behind.watcher()
    watcher.step()
    behind.at.wire.asked.clear()
    watcher.step()
    assert not [path for path in behind.at.wire.asked if path.endswith("/receipts")]


def test_a_service_that_fails_is_asked_less_and_less_and_as_it_asks(behind: Filter) -> None:
    watcher = behind.watcher()
    watcher.step()
    behind.at.wire.broken.add("/tuf/")
    waits = [watcher.step().wait_seconds for _ in range(10)]
    assert waits[:3] == [2, 4, 8]
    assert max(waits) == 300
    behind.at.wire.broken.clear()
    headers = {"Retry-After": "1234"}
    behind.at.wire.answers["/tuf/"] = httpx.Response(503, json={"title": "Later"}, headers=headers)
    assert watcher.step().wait_seconds == 1234
    behind.at.wire.answers.clear()
    assert (watcher.step().did, watcher.step().wait_seconds) == (Did.UNCHANGED, 300)


def test_health_and_metrics_say_how_it_fares(behind: Filter) -> None:
    watcher = behind.watcher()
    behind.at.wire.broken.add("/tuf/")
    watcher.step()
    shown = behind.shown()
    assert (shown["state"], shown["version"], shown["last_success"]) == ("failing", None, None)
    assert "does not answer" in shown["last_error"]
    behind.at.wire.broken.clear()
    watcher.step()
    shown = behind.shown()
    assert (shown["state"], shown["version"], shown["entries"], shown["last_error"]) == ("ok", 1, 12, None)
    text = behind.metrics.read_text()
    assert f'wardlist_client_version{{list="{behind.at.name}"}} 1.0' in text
    assert f'wardlist_client_failures_total{{kind="unreachable",list="{behind.at.name}"}} 1.0' in text
    for shown_to_all in (text, behind.health.read_text()):
        assert "http" not in shown_to_all


def test_a_wrong_clock_is_named(behind: Filter) -> None:
    credentials, clock = behind.at.provider.credentials, behind.at.service.clock
    day = timedelta(days=1).total_seconds()
    with Connection(credentials, clock=lambda: clock().timestamp() + day) as ahead:
        step: Step = behind.watcher(connection=ahead).step()
    assert step.did is Did.UNREACHABLE
    days = (clock.ahead.total_seconds() + day) / day
    assert f"clock is {days:.1f} days ahead of the service's" in str(step.words)


def test_a_held_poll_tells_news_from_none(behind: Filter) -> None:
    watcher = behind.watcher()
    watcher.step()
    assert not watcher.hear(1)
    assert not watcher.hear(1)
    grow(behind.at, 1)
    assert watcher.hear(1)
    watcher.step()
    assert not watcher.hear(1)
    behind.at.wire.broken.add("/snapshots/latest")
    with pytest.raises(Failed):
        watcher.hear(1)
