"""How often somebody may ask: a token bucket for each client, and for each address of who shows no token.

An IPv6 address counts as its first 64 bits. In memory only; each process counts for itself. Polls have limits
of their own (app/distribution/polls.py), and so have appeals and what does not verify. Source of the header
fields: draft-ietf-httpapi-ratelimit-headers.
"""

import math
import threading
from collections.abc import Mapping
from enum import StrEnum

from starlette.types import ASGIApp, Receive, Scope, Send

from app.platform.buckets import Bucket, Buckets
from app.platform.clock import Clock
from app.platform.problems import Problem
from app.platform.settings import Settings
from app.platform.strangers import network

MOST = 50_000
"""Buckets held of each group; past that the one unused for longest goes."""
FIELDS = "rate_fields"
"""Where a request's `state` holds the RateLimit fields of its answer."""
_TOKENS_AT = ("/v1/", "/taxii2/", "/tuf/targets/")
"""Where routes ask for a token. Elsewhere an Authorization header is nothing that anybody looks at."""
_PROBES = frozenset({"/healthz"})
"""What costs nothing and must be answered whatever else comes from that address."""


class Group(StrEnum):
    """What is counted together."""

    SIGN_INS = "sign-ins"
    PUBLIC = "public"
    LOG = "log"
    READS = "reads"
    WRITES = "writes"


class Rates:
    """For all threads of one process. `per_minute` is also how many may come at once."""

    def __init__(self, per_minute: Mapping[Group, int], clock: Clock) -> None:
        self._per_minute, self._clock, self._lock = dict(per_minute), clock, threading.Lock()
        self._held = {group: _buckets(most) for group, most in self._per_minute.items()}

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> "Rates":
        """As the settings say."""
        per_minute = {
            Group.SIGN_INS: settings.sign_ins_per_minute,
            Group.PUBLIC: settings.public_per_minute,
            Group.LOG: settings.log_per_minute,
            Group.READS: settings.reads_per_minute,
            Group.WRITES: settings.writes_per_minute,
        }
        return cls(per_minute, clock)

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def of_address(self, group: Group, address: str) -> dict[str, str]:
        """Count one request from an address. Returns the RateLimit fields. Raises a 429 problem."""
        return self._take(group, network(address), "your address asks too often")

    def of_client(self, method: str, client_id: str) -> dict[str, str]:
        """Count one request of a client or person. Returns the RateLimit fields. Raises a 429 problem."""
        group = Group.READS if method in ("GET", "HEAD") else Group.WRITES
        return self._take(group, client_id, "this client asks too often")

    def _take(self, group: Group, key: object, detail: str) -> dict[str, str]:
        most, now = self._per_minute[group], self._clock().timestamp()
        seconds_each = 60 / most
        with self._lock:
            bucket = self._held[group].of(key, now)
            is_there, left = bucket.take(seconds_each, now), int(bucket.tokens)
            wait = math.ceil(round(bucket.wait_seconds(seconds_each), 3))
        fields = {
            "RateLimit-Policy": f'"{group}";q={most};w=60',
            "RateLimit": f'"{group}";r={left};t={0 if left else max(1, wait)}',
        }
        if not is_there:
            raise Problem("too-many-requests", detail, headers={"Retry-After": str(max(1, wait)), **fields})
        return fields


class Paced:
    """ASGI middleware: counts sign-ins, and every request without a token, by where it comes from.

    Who shows a token is counted once it is known whose it is, by `of_client`.
    """

    def __init__(self, app: ASGIApp, rates: Rates) -> None:
        self.app, self._rates = app, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. Raises a 429 problem."""
        group = _group(scope) if scope["type"] == "http" else None
        if group is not None:
            address = scope["client"][0] if scope["client"] else ""
            scope.setdefault("state", {})[FIELDS] = self._rates.of_address(group, address)
        await self.app(scope, receive, send)


def _group(scope: Scope) -> Group | None:
    path: str = scope["path"]
    if path == "/oauth/token":
        return Group.SIGN_INS
    if path in _PROBES:
        return None
    if path.startswith(_TOKENS_AT) and any(name == b"authorization" for name, _ in scope["headers"]):
        return None
    return Group.LOG if path.startswith("/log/") else Group.PUBLIC


def _buckets(burst: int) -> Buckets[Bucket]:
    return Buckets(lambda now: Bucket(burst, now), MOST)
