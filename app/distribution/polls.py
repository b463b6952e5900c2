"""How often a client may ask for a list's newest version: the policy's `min_poll_seconds`, with a burst.

A token bucket for each client and list. Hearing of a version for the first time is free, and so is waiting
for one: what costs is asking again and again for nothing. Source of the header fields:
draft-ietf-httpapi-ratelimit-headers.
"""

import math

from app.distribution.answers import Header
from app.platform.buckets import Bucket, Buckets
from app.platform.problems import Problem

MOST = 50_000
"""Buckets held; past that the one unused for longest goes."""


class Poller(Bucket):
    """A client that asks for one list; `told` is the newest version it heard of."""

    __slots__ = ("told",)

    def __init__(self, burst: int, now: float) -> None:
        super().__init__(burst, now)
        self.told = 0

    def fields(self, seconds_each: int) -> tuple[Header, Header]:
        """RateLimit-Policy and RateLimit, as of the last look."""
        tokens = int(self.tokens)
        rest = math.ceil((tokens + 1 - self.tokens) * seconds_each) if tokens < self.burst else 0
        return (
            (b"ratelimit-policy", b'"polls";q=%d;w=%d' % (self.burst, self.burst * seconds_each)),
            (b"ratelimit", b'"polls";r=%d;t=%d' % (tokens, rest)),
        )

    def lines(self, seconds_each: int) -> bytes:
        """The same as they go over the wire."""
        return b"".join(b"%s: %s\r\n" % field for field in self.fields(seconds_each))


class PollLimits:
    """Of one process and one event loop. Times are seconds since 1970."""

    def __init__(self, burst: int) -> None:
        self._pollers: Buckets[Poller] = Buckets(lambda now: Poller(burst, now), MOST)

    def __len__(self) -> int:
        return len(self._pollers)

    def of(self, client_id: str, name: str, now: float) -> Poller:
        """The client's bucket for a list."""
        return self._pollers.of((client_id, name), now)

    def count(
        self, client_id: str, name: str, seconds_each: int, version: int | None, now: float
    ) -> tuple[Header, ...]:
        """Count a poll that tells of this version, or (None) of no other than the client has.

        Returns the RateLimit fields. Raises a 429 problem.
        """
        poller = self.of(client_id, name, now)
        if version is not None and version != poller.told:
            poller.fill(seconds_each, now)
            poller.told = version
        elif not poller.take(seconds_each, now):
            wait = max(1, math.ceil(round(poller.wait_seconds(seconds_each), 3)))
            fields = {name.decode(): value.decode() for name, value in poller.fields(seconds_each)}
            detail = f"this list is polled every {seconds_each} seconds; wait with `Prefer: wait=60` instead"
            raise Problem("too-many-requests", detail, headers={"Retry-After": str(wait), **fields})
        return poller.fields(seconds_each)

    def told(self, client_id: str, name: str, version: int, now: float) -> None:
        """A request that waited was told of this version."""
        self.of(client_id, name, now).told = version
