"""Cursors: opaque to the caller, a place in an ordered table to us. Links: RFC 8288."""

import base64
from collections.abc import Mapping
from urllib.parse import urlencode

from app.platform.problems import at_field

_LARGEST = 2**31 - 1
"""Of PostgreSQL's integers, which places are."""


def cursor(place: int) -> str:
    """The cursor that continues after this place."""
    return base64.urlsafe_b64encode(str(place).encode()).rstrip(b"=").decode()


def place(text: str | None) -> int:
    """The place of a cursor, 0 without one. Raises a 422 problem naming `cursor`."""
    if text is None:
        return 0
    try:
        number = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if not number.isdigit() or len(number) > 19 or int(number) > _LARGEST:
            raise ValueError
    except ValueError:
        raise at_field(
            "invalid-input", "cursor", "use the cursor of the page before, or leave it out"
        ) from None
    return int(number)


def next_link(path: str, query: Mapping[str, object], following: str) -> str:
    """The `Link` header to the next page."""
    kept = {name: value for name, value in query.items() if value is not None and name != "cursor"}
    return f'<{path}?{urlencode({**kept, "cursor": following})}>; rel="next"'
