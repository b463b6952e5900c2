"""Access tokens at the door: verified once, known by their SHA-256 until they expire, and bad ones counted.

A verification costs more than all else that a poll needs, and anybody can make us do one: so whoever sends
too many tokens that do not verify has no new one verified for a while. What a token that was verified may do
is decided anew each time: here is nothing of clients and organisations.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

from app.core import jose
from app.identity.tokens import Issuer, Token
from app.platform.problems import Problem
from app.platform.strangers import Strangers

MOST = 20_000
"""Tokens known; past that the one unused for longest goes."""


class Gate:
    """For all threads of one process. `issuer` gives the one in force."""

    def __init__(self, issuer: Callable[[], Issuer]) -> None:
        self._issuer, self._lock = issuer, threading.Lock()
        self._known: OrderedDict[bytes, Token] = OrderedDict()
        self._strangers = Strangers(
            "too many tokens from your address did not verify; use one from /oauth/token"
        )

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
            found = known or self._verified(digest, token, address, now)
            found.require_in_force(now)
        except jose.Invalid as fault:
            detail = f"{fault}; get a new one from /oauth/token"
            raise unauthenticated(detail, ', error="invalid_token"') from None
        return found

    def _verified(self, digest: bytes, token: bytes, address: str, now: float) -> Token:
        issuer = self._issuer()
        text = token.decode("latin-1")
        issuer.require_form(text)
        self._strangers.admit(address, now)
        try:
            found = issuer.read(text)
        except jose.Invalid:
            self._strangers.count(address, now)
            raise
        with self._lock:
            self._known[digest] = found
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        return found


def unauthenticated(detail: str, parameters: str) -> Problem:
    """The 401 problem (RFC 6750, section 3): `parameters` follow the realm in its challenge."""
    challenge = f'Bearer realm="wardlist"{parameters}'
    return Problem("unauthenticated", detail, headers={"WWW-Authenticate": challenge})


def ended() -> Problem:
    """The 401 problem of a token whose client or organisation is no longer in force."""
    detail = "the client is revoked or its organisation suspended"
    return unauthenticated(detail, ', error="invalid_token"')
