"""How many appeals are taken: a token bucket for each address, and one for all of them together.

An IPv6 address counts as its first 64 bits, which one subscriber has, and again as its first 48, for a site
has 65,536 of those. A quarter of what all may file is kept for who filed nothing in the last hour, so that
a few cannot shut everybody out. In memory only. A network is known by its HMAC under a key of this process;
it is never stored or logged.
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
SITE = 4
"""How many times an IPv6 /64's share its /48 has."""
MOST = 20_000
"""Buckets held; past that the one unused for longest goes."""
_KEPT = 0.25
_HOUR = 3600.0


@dataclass
class _Bucket:
    """Holds `size` tokens when full and fills up in an hour. `at` and `used_at` are seconds since 1970."""

    size: int
    tokens: float
    at: float
    used_at: float = -math.inf

    def fill(self, now: float) -> None:
        """Let in what time has brought."""
        self.tokens = min(self.size, self.tokens + max(0.0, now - self.at) * self.size / _HOUR)
        self.at = now

    def wait_seconds(self, kept: float = 0.0) -> int:
        """Until there is a token besides those kept; 0 when there is, give or take the error of a float."""
        return max(0, math.ceil(round((1 + kept - self.tokens) * _HOUR / self.size, 3)))

    def take(self, now: float) -> None:
        """One token."""
        self.tokens -= 1
        self.used_at = now


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
        seconds = now.timestamp()
        with self._lock:
            own = {name: self._bucket(name, size, seconds) for name, size in self._names(address)}
            for bucket in (*own.values(), self._all):
                bucket.fill(seconds)
            is_known = any(bucket.used_at > seconds - _HOUR for bucket in own.values())
            kept = self._all.size * _KEPT if is_known else 0.0
            wait = max(self._all.wait_seconds(kept), *(bucket.wait_seconds() for bucket in own.values()))
            if wait == 0:
                for bucket in (*own.values(), self._all):
                    bucket.take(seconds)
                self._keep(own)
            return wait

    def _names(self, address: str) -> list[tuple[bytes, int]]:
        """The networks that an address counts for, as they are remembered, and what each may file."""
        sizes = [self._per_hour, self._per_hour * SITE]
        found = zip(_networks(address), sizes, strict=False)
        return [(hmac.digest(self._key, network, hashlib.sha256), size) for network, size in found]

    def _bucket(self, name: bytes, size: int, seconds: float) -> _Bucket:
        return self._buckets.get(name) or _Bucket(size, size, seconds)

    def _keep(self, own: dict[bytes, _Bucket]) -> None:
        """Only who was let in is remembered, so that refusals cost no memory."""
        for name, bucket in own.items():
            self._buckets[name] = bucket
            self._buckets.move_to_end(name)
        while len(self._buckets) > MOST:
            self._buckets.popitem(last=False)


def _networks(address: str) -> list[bytes]:
    """The address; of IPv6 the first 64 bits, and the first 48."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return [address.encode()]
    if isinstance(found, ipaddress.IPv4Address):
        return [found.packed]
    if found.ipv4_mapped:
        return [found.ipv4_mapped.packed]
    return [found.packed[:8], found.packed[:6]]
