"""Which tests a run takes. docs/testing.md says why.

A run is on one database and leaves out what is about the other. Of the two runs of `make test` the first,
WARDLIST_TEST_PART=quick, takes a draw of the files that take long. The second, WARDLIST_TEST_PART=database,
takes a draw of every file, and nothing that the first has shown for every database.
"""

import os
import re
import zlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.programs.databases import IS_POSTGRESQL

PART = os.environ.get("WARDLIST_TEST_PART", "")
if PART not in ("", "quick", "database"):
    raise ValueError("WARDLIST_TEST_PART is quick, database or nothing")
EVERY = int(os.environ.get("WARDLIST_TEST_EVERY", "1"))
"""A draw is one in so many tests of a file, always the same: the first, and those that their names pick."""
CASES = 3
"""How many cases of a parametrised test a draw takes: the first, the last, and between them."""
ONCE = (
    "core",
    "client",
    "deploy",
    "foreign",
    "keys/test_ceremony.py",
    "keys/test_hsm.py",
    "keys/test_sources.py",
    "keys/test_stopped.py",
    "lists/formats",
    "attacks/test_scans.py",
    "attacks/test_sequences_with_takedown.py",
    "attacks/test_threat_model.py",
    "log/test_documentation.py",
    "log/test_foreign.py",
    "platform/test_files.py",
    "platform/test_outgoing.py",
    "platform/test_tree.py",
    "takedown/test_courier_kills.py",
    "test_documents.py",
    "test_openapi.py",
    "test_witness.py",
    "web/test_accessible.py",
    "web/test_accessible_answers.py",
    "web/test_keyboard.py",
)
"""Folders and files that touch no database, or only by way of requests that other files make too."""
LONG = (
    "appeals/test_deadline.py",
    "appeals/test_lapse.py",
    "appeals/test_ways_around.py",
    "attacks/test_scans.py",
    "attacks/test_sequences_with_clocks.py",
    "attacks/test_sequences_with_takedown.py",
    "audit/test_exports.py",
    "backup/test_any_history.py",
    "backup/test_hostile.py",
    "backup/test_interrupted.py",
    "backup/test_lost_list_keys.py",
    "backup/test_places.py",
    "backup/test_refused.py",
    "backup/test_store.py",
    "backup/test_under_load.py",
    "cli/test_appeals.py",
    "cli/test_commands.py",
    "cli/test_listening.py",
    "cli/test_mishaps.py",
    "cli/test_monitoring.py",
    "client/test_daemon.py",
    "client/test_deltas.py",
    "client/test_faults.py",
    "client/test_filter_fails.py",
    "client/test_matcher.py",
    "client/test_sealed.py",
    "client/test_silence.py",
    "client/test_sync.py",
    "client/test_watch.py",
    "deploy/test_dockerfile.py",
    "deploy/test_store.py",
    "distribution/test_receipts.py",
    "distribution/test_taxii_paging.py",
    "distribution/test_waiting.py",
    "distribution/test_waiting_crowd.py",
    "lists/test_brakes.py",
    "lists/test_contents.py",
    "lists/test_staging.py",
    "lists/test_staging_time.py",
    "lists/test_staging_urgency.py",
    "keys/test_untidy.py",
    "log/test_kills.py",
    "takedown/test_bounces.py",
    "takedown/test_courier_kills.py",
    "takedown/test_events.py",
    "takedown/test_exchange.py",
    "takedown/test_exchange_answers.py",
    "takedown/test_gate.py",
    "takedown/test_mail.py",
    "takedown/test_notices.py",
    "takedown/test_resting.py",
    "takedown/test_routing.py",
    "takedown/test_story.py",
    "test_crash.py",
    "web/test_accessible.py",
    "web/test_accessible_answers.py",
    "web/test_appeal.py",
    "web/test_brakes.py",
    "web/test_exports.py",
    "web/test_live.py",
    "web/test_passkeys.py",
    "web/test_keyboard.py",
    "web/test_provider.py",
    "web/test_queries.py",
)
"""Files that take long: `make test-all` has them whole, `make test` a draw of them."""
HEAVY = (
    "attacks/test_sequences_with_clocks.py",
    "backup/test_any_history.py",
    "cli/test_commands.py",
    "cli/test_monitoring.py",
    "distribution/test_taxii_paging.py",
    "takedown/test_courier_kills.py",
    "web/test_queries.py",
)
"""Of those, files whose first test alone takes ten seconds or more: a draw has it only where it picks it."""
WHOLE = (
    "attacks/test_at_once.py",
    "attacks/test_two_writers.py",
    "attacks/test_zero_bytes.py",
    "platform/test_paging.py",
    "platform/test_reading.py",
    "test_migrations.py",
)
"""Files about what databases differ in: every test of theirs is taken on PostgreSQL."""
_TESTS = Path(__file__).resolve().parent.parent
_PROMISED = {
    name
    for document in ("threat-model.md", "legal-map.md")
    for name in re.findall(r"tests/\S+?\.py::\w+", (_TESTS.parent / "docs" / document).read_text())
}
"""Tests that show what documents say: none is left out on SQLite."""
_Item = TypeVar("_Item", bound=pytest.Item)


def times(whole: int, quick: int, database: int) -> int:
    """How often a test repeats what it does."""
    return {"": whole, "quick": quick, "database": database}[PART]


def taken(items: list[_Item]) -> list[_Item]:
    """Those that this run is made of, in their order."""
    other = "sqlite" if IS_POSTGRESQL else "postgresql"
    some = [item for item in items if not item.get_closest_marker(other)]
    if PART == "quick":
        return _drawn(some, is_drawn=_is_long)
    if PART == "database":
        return _drawn([item for item in some if not _is_among(ONCE, item.path)], is_drawn=_differs_little)
    return some


def _is_long(item: pytest.Item) -> bool:
    if _function(item) in _PROMISED:
        return False
    return _is_among(LONG, item.path) or item.get_closest_marker("long") is not None


def _differs_little(item: pytest.Item) -> bool:
    return not (item.get_closest_marker("postgresql") or _is_among(WHOLE, item.path))


def _is_among(places: tuple[str, ...], path: Path) -> bool:
    place = path.relative_to(_TESTS)
    return any(place.is_relative_to(one) for one in places)


def _drawn(items: list[_Item], is_drawn: Callable[[_Item], bool]) -> list[_Item]:
    """All but those of which there is a draw and which it does not pick."""
    first: dict[Path, str] = {}
    for item in items:
        first.setdefault(item.path, _function(item))
    picked = [item for item in items if is_drawn(item) and _is_picked(item, first[item.path])]
    keep = {item.nodeid for item in items if not is_drawn(item)}
    keep |= {item.nodeid for item in _some_cases(picked)}
    return [item for item in items if item.nodeid in keep]


def _is_picked(item: pytest.Item, first: str) -> bool:
    function = _function(item)
    is_first = function == first and not _is_among(HEAVY, item.path)
    return is_first or zlib.crc32(function.encode()) % EVERY == 0


def _function(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def _some_cases(items: list[_Item]) -> list[_Item]:
    cases: defaultdict[str, list[str]] = defaultdict(list)
    for item in items:
        cases[_function(item)].append(item.nodeid)
    keep = {one for several in cases.values() for one in _spread(several)}
    return [item for item in items if item.nodeid in keep]


def _spread(cases: list[str]) -> list[str]:
    if len(cases) <= CASES:
        return cases
    return [cases[place * (len(cases) - 1) // (CASES - 1)] for place in range(CASES)]
