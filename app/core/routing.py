"""Who is told of an entry in which turn, once it is known who fits: a pure choice. Source: docs/takedown.md.

1. Turn 0 is law enforcement, where the policy hears it before anybody else is told.
2. Abroad, the partner hotlines of the hosting country come one rank after the other; at home there is nobody
   between the list's own hotlines and the provider. A list without a jurisdiction is at home nowhere.
3. Providers by the name that was assessed, then by the host, then the network: the closest fit first, among
   equals the lowest rank. Abroad the policy says whether they are told: never, without a partner only, or at
   once with the first partner.
4. Everybody is told once, in the first turn that fits.
5. Nobody is called whose webhook or instance lies on the entry's registrable domain, for that would connect
   to a listed host. Mail goes through the operator's own server: a platform is told of what lies on itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, zip_longest

from app.core import suffixes
from app.core.policy import Policy
from app.core.terms import ProviderNotices, Rule

MOST = 50
"""Contacts of one entry; whoever would come after them is not told."""
_NEAREST = (Rule.PROVIDER_BY_NAME, Rule.PROVIDER_BY_HOST, Rule.NETWORK_BY_ADDRESS)


@dataclass(frozen=True)
class Fit:
    """A contact that an entry leads to, and the rule by which; `closeness` is how long what fits is."""

    contact: str
    rule: Rule
    rank: int = 0
    closeness: int = 0


def turns(fits: Iterable[Fit], policy: Policy, hosting_country: str) -> list[tuple[int, Fit]]:
    """Who is told in which turn: 0 is law enforcement, 1, 2, ... are those after it, without a gap."""
    known = sorted(fits, key=lambda fit: (-fit.closeness, fit.rank, fit.contact))
    first = _of(known, Rule.LAW_ENFORCEMENT_FIRST) if policy.law_enforcement_hours else []
    placed: dict[str, tuple[int, Fit]] = {fit.contact: (0, fit) for fit in first}
    turn = 0
    for group in _after(known, policy, hosting_country):
        turn += any(fit.contact not in placed for fit in group)
        for fit in group:
            placed.setdefault(fit.contact, (turn, fit))
    return list(placed.values())[:MOST]


def is_own(host: str, other: str) -> bool:
    """Whether both hosts belong to whoever registered the one: the same registrable domain."""
    return _registrable(host) == _registrable(other)


def _after(known: list[Fit], policy: Policy, hosting_country: str) -> Iterator[list[Fit]]:
    """Groups that are told at once, one after the other."""
    is_home = hosting_country == policy.jurisdiction
    partners = [] if is_home else _steps(_of(known, Rule.PARTNER_OF_COUNTRY))
    nearest = [group for rule in _NEAREST for group in _steps(_of(known, rule))]
    if is_home or not partners:
        is_told = is_home or policy.provider_notices is not ProviderNotices.NEVER
        yield from nearest if is_told else []
    elif policy.provider_notices is ProviderNotices.ALWAYS:
        nobody: list[Fit] = []
        for group, beside in zip_longest(partners, nearest, fillvalue=nobody):
            yield group + beside
    else:
        yield from partners


def _of(known: list[Fit], rule: Rule) -> list[Fit]:
    return [fit for fit in known if fit.rule is rule]


def _steps(fits: list[Fit]) -> list[list[Fit]]:
    """Those that fit alike, and are of one rank, together."""
    return [list(group) for _, group in groupby(fits, key=lambda fit: (fit.closeness, fit.rank))]


def _registrable(host: str) -> str:
    return suffixes.every().privatesuffix(host) or host
