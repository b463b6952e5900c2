"""The `wait` preference of a request (RFC 7240, sections 2 and 4.3).

A preference that cannot be read is ignored, as the RFC says; it never makes a request fail.
"""

import re
from collections.abc import Iterable

LONGEST_WAIT_SECONDS = 60

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PREFERENCE = re.compile(rf"(?:{_QUOTED}|[^,\"])+")
_WAIT = re.compile(r"\s*wait\s*=\s*(?P<quote>\"?)(?P<seconds>[0-9]{1,9})(?P=quote)\s*(?:;.*)?", re.IGNORECASE)
_NAMES_WAIT = re.compile(r"\s*wait\s*(?:[=;]|$)", re.IGNORECASE)


def wait_seconds(headers: Iterable[str]) -> int | None:
    """How long the caller wants to wait, cut to the longest; None without a readable preference.

    Only the first `wait` counts. `headers` are the values of all `Prefer` headers, in order.
    """
    preferences = (one for header in headers for one in _PREFERENCE.findall(header))
    first = next((one for one in preferences if _NAMES_WAIT.match(one)), "")
    found = _WAIT.fullmatch(first)
    seconds = int(found["seconds"]) if found else 0
    return min(seconds, LONGEST_WAIT_SECONDS) or None
