"""How many appeals are taken: a token bucket for each address, and one for all of them together.

In memory only. An address is known by its HMAC under a key of this process; it is never stored or logged.
"""

import hashlib
import hmac
import ipaddress
import math
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

ALL = 50
"""How many times an address's share all addresses together have."""
MOST = 20_000
"""Buckets held; past that the one unused for longest goes."""
_HOUR = 3600.0


@dataclass
class _Bucket:
    """Holds `size` tokens when full and fills up in an hour. `at` is seconds since 1970."""

    size: int
    tokens: float
    at: float

    def fill(self, now: float) -> None:
        """Let in what time has brought."""
        self.tokens = min(self.size, self.tokens + max(0.0, now - self.at) * self.size / _HOUR)
        self.at = now

    def wait_seconds(self) -> int:
        """Until there is a token; 0 when there is one, give or take the error of a float."""
        return max(0, math.ceil(round((1 - self.tokens) * _HOUR / self.size, 3)))


class Throttle:
    """For all threads of one process."""

    def __init__(self, per_hour: int) -> None:
        self._per_hour, self._key = per_hour, secrets.token_bytes(32)
        self._all = _Bucket(per_hour * ALL, per_hour * ALL, 0.0)
        self._buckets: OrderedDict[bytes, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, address: str, now: datetime) -> int:
        """Take one token; 0 when it was there, otherwise the seconds until it will be."""
        name, seconds = hmac.digest(self._key, _network(address), hashlib.sha256), now.timestamp()
        with self._lock:
            own = self._buckets.get(name) or _Bucket(self._per_hour, self._per_hour, seconds)
            for bucket in (own, self._all):
                bucket.fill(seconds)
            wait = max(own.wait_seconds(), self._all.wait_seconds())
            if wait == 0:
                own.tokens -= 1
                self._all.tokens -= 1
                self._keep(name, own)
            return wait

    def _keep(self, name: bytes, bucket: _Bucket) -> None:
        """Only who was let in is remembered, so that refusals cost no memory."""
        self._buckets[name] = bucket
        self._buckets.move_to_end(name)
        if len(self._buckets) > MOST:
            self._buckets.popitem(last=False)


def _network(address: str) -> bytes:
    """The address; of IPv6 the first 64 bits, which one subscriber has to himself."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address.encode()
    return found.packed[:8] if found.version == 6 else found.packed
