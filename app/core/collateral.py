"""What else a host or domain entry would take down: shared hosting, protected hosts, public suffixes.

Sources: ECtHR Yildirim v. Turkey (3111/10) and Kharitonov v. Russia (10795/14): a block must not take whole
hosts of others with it. The Public Suffix List (PRIVATE section) names suffixes below which every name
belongs to somebody else; an operator adds more, and names hosts so important that a third body must look.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from app.core import suffixes
from app.core.policy import WIDE
from app.core.terms import EntryScope

SHARED = "*."


class SuffixClass(StrEnum):
    """What kind of suffix a host lies under."""

    REGISTRY = "registry"
    SHARED_HOSTING = "shared_hosting"


@dataclass(frozen=True)
class Protection:
    """A list's protected hosts and further shared suffixes, canonical host names."""

    hosts: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()

    def covers_protected(self, scope: EntryScope, host: str) -> bool:
        """Whether a wide entry covers a protected host, or lies below one."""
        if scope not in WIDE:
            return False
        below = any(name in self.hosts for name in _with_parents(host))
        return below or (scope is EntryScope.DOMAIN and _has_below(host, self.hosts))

    def is_shared_hosting(self, scope: EntryScope, host: str) -> bool:
        """Whether a wide entry covers a suffix below which names belong to others."""
        if scope not in WIDE:
            return False
        return host in self.shared or _has_below(host, self.shared) or host in _private_operators()

    def suffix_class(self, host: str) -> SuffixClass:
        """What the host lies under."""
        is_private = suffixes.every().publicsuffix(host) != suffixes.icann().publicsuffix(host)
        is_shared = is_private or any(name in self.shared for name in _with_parents(host))
        return SuffixClass.SHARED_HOSTING if is_shared else SuffixClass.REGISTRY


def _with_parents(host: str) -> Iterable[str]:
    labels = host.split(".")
    return (".".join(labels[at:]) for at in range(len(labels)))


def _has_below(host: str, names: frozenset[str]) -> bool:
    return any(name.endswith(f".{host}") for name in names)


@cache
def _private_operators() -> frozenset[str]:
    """Names of two labels or more above a PRIVATE suffix: the shared host's own name."""
    text = files("publicsuffixlist").joinpath("public_suffix_list.dat").read_text(encoding="utf-8")
    private = text.split("===BEGIN PRIVATE DOMAINS===", 1)[1].split("===END PRIVATE DOMAINS===", 1)[0]
    rules = (
        line.strip().lstrip("!*.") for line in private.splitlines() if line.strip()[:2] not in ("", "//")
    )
    above = {name for rule in rules for name in list(_with_parents(rule))[1:] if "." in name}
    return frozenset(name for name in above if suffixes.icann().publicsuffix(name) != name)
