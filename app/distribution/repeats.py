"""Polls that come again byte for byte, known by the SHA-256 of their bytes and answered before parsing.

A client that polls sends the same bytes until its token or the version it has changes. What such a request
means need not be found out twice. What it is answered holds for one standing, which is asked for each time;
the token's end and the bucket are looked at each time too. All that is not unchanged goes the longer way.
"""

from collections import OrderedDict

from app.distribution.addresses import Wanted
from app.distribution.answers import Headers
from app.distribution.desk import Desk, Unchanged
from app.distribution.figures import count
from app.distribution.standing import Standings
from app.identity.tokens import Token
from app.platform.clock import Clock

MOST = 20_000
"""Requests known; past that the one unused for longest goes."""


class _Known:
    """What a request means. It holds no token, only what the token said; None where none is needed."""

    __slots__ = ("offered", "token", "unchanged", "wanted")

    def __init__(self, wanted: Wanted, offered: bytes, token: Token | None) -> None:
        self.wanted, self.offered, self.token = wanted, offered, token
        self.unchanged: Unchanged | None = None


class Repeats:
    """Of one process and one event loop."""

    def __init__(self, desk: Desk, standings: Standings, clock: Clock) -> None:
        self._desk, self._standings, self._clock = desk, standings, clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def learn(self, digest: bytes, wanted: Wanted, headers: Headers, token: Token | None) -> None:
        """A request with these bytes was answered as unchanged."""
        if b"prefer" in headers:
            return
        self._known[digest] = _Known(wanted, headers[b"if-none-match"], token)
        if len(self._known) > MOST:
            self._known.popitem(last=False)

    def answer(self, digest: bytes) -> bytes | None:
        """Status line and headers, each line ended; None for a request that must be looked at."""
        known = self._known.get(digest)
        if known is None:
            return None
        self._known.move_to_end(digest)
        if known.token is None:
            lines = self._desk.still(known.wanted.file, known.offered)
            if lines:
                count(known.wanted, 304)
            return lines
        return self._of_list(known, known.token)

    def _of_list(self, known: _Known, token: Token) -> bytes | None:
        standing, now = self._standings.fresh(), self._clock().timestamp()
        if standing is None or not token.begins <= now < token.ends:
            return None
        found = known.unchanged
        if found is None or found.standing is not standing:
            found = known.unchanged = self._desk.unchanged(known.wanted, known.offered, token)
        if found is None or not found.poller.take(found.seconds_each, now):
            return None
        found.tally.number += 1
        return found.lines + found.poller.lines(found.seconds_each)
