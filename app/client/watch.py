"""Keeping one list in force for as long as the program runs: the last good list stays through anything.

The held poll is only a hint that there is news; what is installed comes by TUF. A step never waits and never
raises: it says what it did and when the next is due.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import structlog

from app.client import state
from app.client.brake import Brake
from app.client.content import Damaged
from app.client.force import CheckFailed, Force, ReloadFailed
from app.client.health import Board, Condition, Standing
from app.client.newest import Candidate
from app.client.outputs import Outputs
from app.client.session import Connection, Failed
from app.client.store import Store
from app.client.sync import NotWritten, Refused, Source, alone, explained
from app.client.trusted import Trust
from app.core.manifest import Manifest

REFRESH_SECONDS = 300.0
"""How long a held poll's word that there is nothing new is taken, before the signed metadata is asked."""
_FIRST_BACKOFF_SECONDS, _LAST_BACKOFF_SECONDS, _LONGEST_ASKED_SECONDS = 2.0, 300.0, 3600.0
_STALE_SECONDS = 86400.0
_logger = structlog.get_logger("watch")


class Did(StrEnum):
    """What a step came to."""

    INSTALLED = "installed"
    UNCHANGED = "unchanged"
    RENDERED = "rendered"
    NO_VERSION = "no_version"
    HELD = "held"
    CHECK_FAILED = "check_failed"
    RELOAD_FAILED = "reload_failed"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    NOT_WRITTEN = "not_written"


_FINE = (Did.INSTALLED, Did.UNCHANGED, Did.RENDERED, Did.NO_VERSION)


@dataclass(frozen=True)
class Step:
    """`version` is in force now; `wait_seconds` until the next step is due; `words` say what is wrong."""

    did: Did
    version: int | None
    wait_seconds: float
    words: str | None = None

    @property
    def is_fine(self) -> bool:
        """Whether the newest version is in force, as far as is known."""
        return self.did in _FINE


@dataclass(frozen=True)
class _Wrong:
    did: Did
    words: str
    retry_after_seconds: float = 0.0


class Watcher:
    """Of one list. `jitter` picks a number between its two arguments.

    `drop_after`: nothing is in force once the service was silent for so long; None: never.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        store: Store,
        trust: Trust,
        outputs: Outputs | None = None,
        brake: Brake | None = None,
        board: Board | None = None,
        jitter: Callable[[float, float], float] = random.uniform,
        drop_after: timedelta | None = None,
    ) -> None:
        self.name, self._connection, self._store = name, connection, store
        self._board, self._jitter = board or Board(), jitter
        self._source = Source(connection, name, store, trust)
        self._force = Force(connection, store, name, outputs or Outputs(), brake or Brake(), drop_after)
        self._standing, self._tries = Standing(name), 0
        self._offered: Manifest | None = None
        self._etag: str | None = None

    def step(self) -> Step:
        """Bring the list up to date once, as far as that can be done."""
        did, wrong = self._attempt(self._take_in)
        settled, also = self._attempt(self._settle)
        wrong = self._both(wrong, also)
        if wrong is None and did is Did.UNCHANGED:
            did = settled
        if wrong is None or wrong.did is not Did.UNREACHABLE:
            self._send_receipts()
        return self._shown(did, wrong)

    def hear(self, seconds: int = 55) -> bool:
        """Hold a poll until there is another version than the last offered; False when there is none.

        Raises Failed.
        """
        with explained(self._connection):
            found = self._is_news(seconds)
            # Without the newest validator the service answers at once; with it, it waits.
            return bool(self._is_news(seconds)) if found is None else found

    def not_heard(self, failure: Failed) -> Step:
        """A poll failed; when to try again."""
        return self._shown(None, _unreachable(failure))

    def try_again(self) -> None:
        """The operator wants what failed to be tried at the next step, not later."""
        self._force.try_again()
        self._tries = 0

    @property
    def is_released(self) -> bool:
        """Whether the operator let in the very version that is held."""
        held = self._force.state.held
        return held is not None and state.approved(self._store, self.name) == held.content_sha256

    @property
    def least_wait_seconds(self) -> float:
        """How long to leave the service alone after a poll that it did not hold."""
        return float(self._offered.min_poll_seconds) if self._offered else 60.0

    def _is_news(self, seconds: int) -> bool | None:
        """None: it is what is known already, and its validator is known only now."""
        headers = {"Prefer": f"wait={seconds}"} | ({"If-None-Match": self._etag} if self._etag else {})
        path = f"/v1/lists/{self.name}/snapshots/latest"
        answer = self._connection.request("GET", path, headers=headers)
        if answer.status_code == 304:
            return False
        self._etag = answer.headers.get("ETag")
        try:
            version = int(answer.json()["version"])
        except (ValueError, KeyError, TypeError):
            raise Failed("the service answered a poll with something else") from None
        return True if self._offered is None or version != self._offered.version else None

    def _take_in(self) -> Did:
        with alone(self._store):
            found = self._source.newest(self._force.installed)
            if found is None:
                return Did.NO_VERSION
            self._offered = found.manifest
            self._force.hear()
            if found.notice:
                _logger.warning("notice", list=self.name, words=found.notice)
            if not found.is_new:
                return self._same(found)
            if self._force.is_held(found):
                return Did.HELD
            self._force.take(found)
            return Did.INSTALLED

    def _same(self, found: Candidate) -> Did:
        if found.subscriber:
            self._store.put_subscriber(self.name, *found.subscriber)
        self._force.nothing_new()
        return Did.UNCHANGED

    def _settle(self) -> Did:
        with alone(self._store):
            self._force.reckon_silence()
            did = Did.RENDERED if self._force.keep_rendered() else Did.UNCHANGED
        self._force.tell_filter()
        return did

    def _attempt(self, act: Callable[[], Did]) -> tuple[Did, _Wrong | None]:
        try:
            with explained(self._connection):
                did = act()
        except Failed as failure:
            wrong = _unreachable(failure)
        except NotWritten as failure:
            wrong = _Wrong(Did.NOT_WRITTEN, str(failure))
        except Refused as refused:
            wrong = _Wrong(Did.REFUSED, str(refused))
        except CheckFailed as failure:
            wrong = _Wrong(Did.CHECK_FAILED, str(failure))
        except ReloadFailed as failure:
            wrong = _Wrong(Did.RELOAD_FAILED, str(failure))
        else:
            held = self._force.state.held
            if did is not Did.HELD or held is None:
                return did, None
            words = f"version {held.version} adds {held.added} and removes {held.removed} entries, it is held"
            wrong = _Wrong(Did.HELD, f"{words}; `wardlist isp release` lets it in")
        return wrong.did, wrong

    def _both(self, wrong: _Wrong | None, also: _Wrong | None) -> _Wrong | None:
        """Of a list that did not come, and files that were not written, both are told."""
        if wrong is None or also is None or also.words == wrong.words:
            return wrong or also
        self._standing.failures[also.did.value] += 1
        return replace(wrong, words=f"{wrong.words}; {also.words}")

    def _send_receipts(self) -> None:
        try:
            with explained(self._connection):
                for words in self._force.send_receipts():
                    _logger.warning("receipt_refused", list=self.name, words=words)
        except (Failed, Refused) as failure:
            _logger.warning("receipt_not_sent", list=self.name, words=str(failure))

    def _shown(self, did: Did | None, wrong: _Wrong | None) -> Step:
        step = self._stepped(did, wrong)
        now, standing = self._connection.clock(), self._standing
        if wrong:
            standing.failures[wrong.did.value] += 1
        if step.is_fine:
            standing.last_success = now
        standing.last_error, standing.next_try = step.words, now + step.wait_seconds
        standing.state = self._condition(step, now)
        held = self._force.state.held
        standing.held_version, standing.seconds_behind = held.version if held else None, self._behind(now)
        standing.is_dropped = self._force.is_dropped
        standing.reload_pending_since = self._force.state.reload_due_since
        log = _logger.info if step.is_fine else _logger.warning
        details = {"version": step.version, "wait_seconds": round(step.wait_seconds, 1)}
        details |= {"dropped": True} if standing.is_dropped else {}
        log(step.did.value, list=self.name, **details, **({"words": step.words} if step.words else {}))
        try:
            self._board.show(standing)
        except OSError as failure:
            _logger.warning("health_not_written", file=failure.filename, words=failure.strerror)
        return step

    def _stepped(self, did: Did | None, wrong: _Wrong | None) -> Step:
        manifest = self._in_force()
        self._standing.version = manifest.version if manifest else None
        self._standing.entries = manifest.entry_count if manifest else 0
        if wrong is None:
            self._tries = 0
            return Step(did or Did.UNCHANGED, self._standing.version, REFRESH_SECONDS)
        return Step(wrong.did, self._standing.version, self._wait(wrong), wrong.words)

    def _wait(self, wrong: _Wrong) -> float:
        """Full jitter over a growing span; what waits for a person or a later version is not pressing."""
        rejected = self._force.state.rejected
        if wrong.did is Did.HELD:
            return REFRESH_SECONDS
        if wrong.did is Did.CHECK_FAILED and rejected:
            return max(0.0, rejected.again_at - self._connection.clock())
        span = min(_LAST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2 ** min(self._tries, 16))
        self._tries += 1
        return max(self._jitter(0.0, span), min(wrong.retry_after_seconds, _LONGEST_ASKED_SECONDS))

    def _condition(self, step: Step, now: float) -> Condition:
        if self._force.state.reload_due:
            return Condition.FAILING
        if step.is_fine and step.version:
            return Condition.OK
        last = self._standing.last_success
        is_stale = last is not None and now - last > _STALE_SECONDS
        return Condition.FAILING if is_stale or not step.version else Condition.DEGRADED

    def _behind(self, now: float) -> float:
        offered, version = self._offered, self._standing.version or 0
        pending = self._force.state.reload_due_since
        behind = 0.0 if pending is None else max(0.0, now - pending)
        if offered is None or offered.version <= version:
            return behind
        published = datetime.fromisoformat(offered.published_at).astimezone(UTC)
        return max(behind, now - published.timestamp())

    def _in_force(self) -> Manifest | None:
        with suppress(Damaged):
            return None if self._force.is_dropped else self._force.installed.manifest
        return None


def _unreachable(failure: Failed) -> _Wrong:
    return _Wrong(Did.UNREACHABLE, str(failure), failure.retry_after_seconds or 0.0)
