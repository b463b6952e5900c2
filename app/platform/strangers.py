"""What does not verify, counted by where it came from: who sends too much of it has no more looked at.

To look at a signature or open a seal costs us more than it costs whoever sends it. In memory only; each
process counts for itself.
"""

import ipaddress
import math
import threading

from app.platform.buckets import Bucket, Buckets
from app.platform.problems import Problem

REFUSED_AT_ONCE = 20
"""Refused ones from one address (of IPv6 its first 64 bits),"""
SECONDS_A_REFUSED_ONE = 3.0
"""and how long until one more is looked at."""
MOST = 20_000
"""Addresses counted; past that the one unused for longest goes."""


class Strangers:
    """For all threads of one process. `detail` tells who sent too much. Times are seconds since 1970."""

    def __init__(self, detail: str) -> None:
        self._detail = detail
        self._held: Buckets[Bucket] = Buckets(lambda now: Bucket(REFUSED_AT_ONCE, now), MOST)
        self._lock = threading.Lock()

    def admit(self, address: str, now: float) -> None:
        """Raises a 429 problem when too much from this address was refused."""
        with self._lock:
            bucket = self._held.of(network(address), now)
            bucket.fill(SECONDS_A_REFUSED_ONE, now)
            wait = math.ceil(bucket.wait_seconds(SECONDS_A_REFUSED_ONE))
        if wait:
            raise Problem("too-many-requests", self._detail, headers={"Retry-After": str(wait)})

    def count(self, address: str, now: float) -> None:
        """One more was refused."""
        with self._lock:
            self._held.of(network(address), now).tokens -= 1


def network(address: str) -> bytes:
    """What an address is counted as: itself, of IPv6 its first 64 bits, which one subscriber has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address.encode()
    if isinstance(found, ipaddress.IPv4Address):
        return found.packed
    return found.ipv4_mapped.packed if found.ipv4_mapped else found.packed[:8]
