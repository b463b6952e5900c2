"""Entries that try to break a format: whatever hosts and paths `admit` lets through."""

import hashlib
import string
import uuid
from collections.abc import Iterable
from contextlib import suppress
from functools import cache

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.core import commitment, url
from app.core.terms import EntryScope
from app.lists.formats.sheet import Sheet

Entry = tuple[EntryScope, str]
"""A scope and a canonical URL."""
_LABEL = st.text(string.ascii_lowercase + string.digits + "-_" + "!\"$&'()*+,;=`{}~" + "аоéß☃", max_size=9)
_FIXED_LABEL = st.sampled_from(
    ("*", "$origin", "$include", "xn--e1afmkfd", "а", "a'b", 'a"b', "a;b", "a(b", "rpz-ip", "a" * 63)
)
_TOP = st.sampled_from(("example.test", "b.example.test", "example", "test", "a.rpz-client-ip", "rpz-nsip"))
_HOST = st.tuples(st.lists(_LABEL | _FIXED_LABEL, min_size=1, max_size=4), _TOP).map(
    lambda parts: ".".join((*parts[0], parts[1]))
)
_PIECE = st.sampled_from(
    (
        *("a", "b", "/", "//", ".", "..", "?", "&", "=", '"', "'", "\\", "$", "^", "|", "(", ")", "[", "]"),
        *(
            "{",
            "}",
            "*",
            "+",
            ";",
            ",",
            "%20",
            "%20%23",
            "%22",
            "%0A",
            "%0d%0A",
            "%00",
            "%09",
            "%25",
            "%2525",
        ),
        *("%3F", "%5C", "%7f", "%C3%A9", "%ff", "é", "☃", "а", "[[:alpha:]]", "(?i)", "\\d", "$1", "#", "-i"),
    )
) | st.text(max_size=4)
_LONG = st.sampled_from(("a" * 1990, "%22" * 600, ".*" * 900, "%C3" * 600, "a/" * 900))
_PATH = st.lists(_PIECE, max_size=12).map("".join) | _LONG
_RAW = st.builds(
    "{}://{}/{}".format, st.sampled_from(("http", "https")), _HOST | st.just("plain.example.test"), _PATH
)


def raw_urls() -> st.SearchStrategy[str]:
    """Texts that often are URLs of a kind."""
    return _RAW


def entries() -> st.SearchStrategy[Entry]:
    """Admitted entries of every scope."""
    admitted = _RAW.map(_admitted).filter(bool).map(str)
    return st.tuples(st.sampled_from(list(EntryScope)), admitted)


@cache
def batch(count: int) -> list[Entry]:
    """Different entries, the same in each run: a daemon is started once for all of them."""
    found = dict[Entry, None]()

    @settings(
        max_examples=2 * count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(EntryScope), _RAW)
    def collect(scope: EntryScope, raw: str) -> None:
        with suppress(url.Refused):
            found.setdefault((scope, url.admit(raw)))

    collect()
    return list(found)[:count]


def sheet_of(listed: Iterable[Entry], **changes: object) -> Sheet:
    """A version that holds these entries."""
    lines = [_line(number, *one) for number, one in enumerate(listed)]
    given_ones = {"list": "national-url", "version": 7, "match_key": bytes(range(32)), **changes}
    return Sheet(lines=sorted(lines), **given_ones)  # type: ignore[arg-type]


def _line(number: int, scope: EntryScope, canonical: str) -> bytes:
    key = hashlib.sha256(b"%d" % number).digest()
    entry = str(uuid.UUID(bytes=key[:16], version=4))
    return commitment.list_line(key, entry=entry, scope=scope.value, url=canonical)


def _admitted(raw: str) -> str | None:
    with suppress(url.Refused):
        return url.admit(raw)
    return None
