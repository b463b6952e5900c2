"""Messages that were refused, counted by where they came from: who sends too many has no more opened.

To open one and to look at its signature costs us more than it costs whoever sends it. In memory only; each
process counts for itself.
"""

import math
import threading

from app.identity.gate import network_of
from app.platform.buckets import Bucket, Buckets
from app.platform.problems import Problem

REFUSED_AT_ONCE = 20
"""Messages that are refused, from one address (of IPv6 its first 64 bits),"""
SECONDS_A_REFUSED_ONE = 3.0
"""and how long until one more is looked at."""
_MOST = 20_000


class Strangers:
    """For all threads of one process. Times are seconds since 1970."""

    def __init__(self) -> None:
        self._held: Buckets[Bucket] = Buckets(lambda now: Bucket(REFUSED_AT_ONCE, now), _MOST)
        self._lock = threading.Lock()

    def admit(self, address: str, now: float) -> None:
        """Raises a 429 problem when too much from this address was refused."""
        with self._lock:
            bucket = self._held.of(network_of(address), now)
            bucket.fill(SECONDS_A_REFUSED_ONE, now)
            wait = math.ceil(bucket.wait_seconds(SECONDS_A_REFUSED_ONE))
        if wait:
            detail = "too many messages from your address were refused"
            raise Problem("too-many-requests", detail, headers={"Retry-After": str(wait)})

    def count(self, address: str, now: float) -> None:
        """One more was refused."""
        with self._lock:
            self._held.of(network_of(address), now).tokens -= 1
