"""Which WARDLIST_* variables something reads: one that nothing reads is a slip of the pen."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from app.platform.key_files import variable_of
from app.platform.key_forms import LIST, ONLINE, PIN
from app.platform.keyring import FILES
from app.platform.settings import Settings

_PREFIX = "WARDLIST_"
_KEYS = tuple(variable_of(role) for role in (*FILES, *ONLINE, PIN))
_LISTS = variable_of(LIST)
_SETTINGS = tuple(_PREFIX + name.upper() for name in Settings.model_fields)
_WORDS = [name.removeprefix(_PREFIX) for name in (*_SETTINGS, *_KEYS)]
_OF_TESTS = ("WARDLIST_TEST_", "WARDLIST_BENCH_", "WARDLIST_SEQUENCES", "WARDLIST_HISTORIES")
"""What the suite and the benchmarks read."""


def slips(environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that nothing reads, with the name that may be meant."""
    held = _holding_keys(environment)
    for name in sorted(environment):
        # Settings are found in small letters too.
        known = name.upper()
        if not known.startswith(_PREFIX) or known in _SETTINGS or name in (*_KEYS, *held):
            continue
        if not name.startswith((_LISTS, *_OF_TESTS)):
            near = get_close_matches(known.removeprefix(_PREFIX), _WORDS, n=1)
            yield f"{name} is no setting" + (f"; {_PREFIX}{near[0]}?" if near else "")


def _holding_keys(environment: Mapping[str, str]) -> list[str]:
    """Variables that a key stands in, as `WARDLIST_KEY_...=env:NAME` says."""
    places = [
        part.strip()
        for name, text in environment.items()
        if name in _KEYS or name.startswith(_LISTS)
        for part in text.split(",")
    ]
    return [place.removeprefix("env:") for place in places if place.startswith("env:")]
