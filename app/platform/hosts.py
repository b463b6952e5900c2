"""Under which names the service answers: its own, and any literal address.

A name that somebody else has point here (DNS rebinding) is not answered. Nothing is made of the name that a
request gives: every address that the service writes begins with its own. Sources: RFC 9110 section 7.2, RFC
9112 section 3.2.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.types import Scope

from app.platform.problems import Problem
from app.platform.settings import Settings

_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by what runs the service, under whatever name it has there. No answer of theirs is a secret."""
_LONGEST = 300


class Hosts:
    """The names in force, lower-case, without port: a proxy may listen on another than we do."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._more = {part.strip().lower() for part in settings.trusted_hosts.split(",") if part.strip()}

    def refusal(self, scope: Scope) -> Problem | None:
        """Why a request is not answered, if it is not: a 400 or 421 problem."""
        named = [value for name, value in scope["headers"] if name == b"host"]
        if len(named) > 1 or (not named and scope.get("http_version") != "1.0"):
            return Problem("host-missing", "send one Host header")
        if not named or scope["path"] in _PROBES or self._is_ours(named[0].decode("latin-1")):
            return None
        return Problem("host-unknown", "ask under the service's own name; WARDLIST_TRUSTED_HOSTS adds others")

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname if len(host) <= _LONGEST else None
        except ValueError:
            return False
        if name is None or "@" in host:
            return False
        return name in self._more or name in self._own or _is_address(name)

    @property
    def _own(self) -> set[str | None]:
        return {
            "localhost",
            *(urlsplit(one).hostname for one in (self._settings.address, self._settings.console)),
        }


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
