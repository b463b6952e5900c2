"""Access tokens at the door: verified once, known by their SHA-256 until they expire, and bad ones counted.

A verification costs more than all else that a poll needs, and anybody can make us do one: so whoever sends
too many tokens that do not verify has no new one verified for a while. What a token that was verified may do
is decided anew each time: here is nothing of clients and organisations.
"""

import hashlib
import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Callable

from app.core import jose
from app.identity.tokens import Issuer, Token
from app.platform.buckets import Bucket, Buckets
from app.platform.problems import Problem

MOST = 20_000
"""Tokens known, and addresses counted; past that the one unused for longest goes."""
BAD_AT_ONCE = 20
"""Tokens that do not verify, from one address (of IPv6 its first 64 bits),"""
SECONDS_A_BAD_ONE = 3.0
"""and how long until one more is looked at."""


class Gate:
    """For all threads of one process. `issuer` gives the one in force."""

    def __init__(self, issuer: Callable[[], Issuer]) -> None:
        self._issuer, self._lock = issuer, threading.Lock()
        self._known: OrderedDict[bytes, Token] = OrderedDict()
        self._bad: Buckets[Bucket] = Buckets(lambda now: Bucket(BAD_AT_ONCE, now), MOST)

    def __len__(self) -> int:
        return len(self._known)

    def admit(self, token: bytes, address: str, now: float) -> Token:
        """The token, verified and in force at `now` (seconds since 1970). Raises a 401 or 429 problem."""
        digest = hashlib.sha256(token).digest()
        with self._lock:
            known = self._known.get(digest)
            if known is not None:
                self._known.move_to_end(digest)
        try:
            found = known or self._verified(digest, token, network_of(address), now)
            found.require_in_force(now)
        except jose.Invalid as fault:
            detail = f"{fault}; get a new one from /oauth/token"
            raise unauthenticated(detail, ', error="invalid_token"') from None
        return found

    def _verified(self, digest: bytes, token: bytes, network: bytes, now: float) -> Token:
        issuer = self._issuer()
        text = token.decode("latin-1")
        issuer.require_form(text)
        with self._lock:
            self._refuse_many(network, now)
        try:
            found = issuer.read(text)
        except jose.Invalid:
            with self._lock:
                self._bad.of(network, now).tokens -= 1
            raise
        with self._lock:
            self._known[digest] = found
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        return found

    def _refuse_many(self, network: bytes, now: float) -> None:
        bucket = self._bad.of(network, now)
        bucket.fill(SECONDS_A_BAD_ONE, now)
        wait = math.ceil(bucket.wait_seconds(SECONDS_A_BAD_ONE))
        if wait:
            detail = "too many tokens from your address did not verify; use one from /oauth/token"
            raise Problem("too-many-requests", detail, headers={"Retry-After": str(wait)})


def unauthenticated(detail: str, parameters: str) -> Problem:
    """The 401 problem (RFC 6750, section 3): `parameters` follow the realm in its challenge."""
    challenge = f'Bearer realm="wardlist"{parameters}'
    return Problem("unauthenticated", detail, headers={"WWW-Authenticate": challenge})


def ended() -> Problem:
    """The 401 problem of a token whose client or organisation is no longer in force."""
    detail = "the client is revoked or its organisation suspended"
    return unauthenticated(detail, ', error="invalid_token"')


def network_of(address: str) -> bytes:
    """What an address is counted as: itself, of IPv6 its first 64 bits."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address.encode()
    if isinstance(found, ipaddress.IPv4Address):
        return found.packed
    return found.ipv4_mapped.packed if found.ipv4_mapped else found.packed[:8]
