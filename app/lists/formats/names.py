"""Host names as files of resolvers hold them: those of `host` and `domain` entries, and no others.

A `url` or `path` entry never becomes a name here: it would block a whole host.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from app.core.terms import EntryScope
from app.lists.formats.sheet import Sheet

_ODD = re.compile(r"[^a-z0-9_.-]")


@dataclass(frozen=True)
class Names:
    """`hosts` stand for themselves, `domains` for all below them too; sorted, each once.

    `narrow` is how many `url` and `path` entries, `unfit` how many names are left out.
    """

    hosts: list[str]
    domains: list[str]
    narrow: int
    unfit: int

    @classmethod
    def of(cls, sheet: Sheet, fits: Callable[[str], bool] = lambda _: True) -> "Names":
        """Every name of a sheet that fits the format."""
        hosts, domains = sheet.expressions(EntryScope.HOST), sheet.expressions(EntryScope.DOMAIN)
        fitting = sorted(filter(fits, hosts)), sorted(filter(fits, domains))
        narrow = sheet.count(EntryScope.URL, EntryScope.PATH)
        return cls(*fitting, narrow, len(hosts) + len(domains) - sum(map(len, fitting)))

    def uncovered(self) -> "Names":
        """Without names that a domain covers anyway.

        In DNS a name of its own ends the reach of the wildcard above it, and of a zone above it.
        """
        known = frozenset(self.domains)
        domains = [one for one in self.domains if known.isdisjoint(_above(one))]
        hosts = [one for one in self.hosts if one not in known and known.isdisjoint(_above(one))]
        return Names(hosts, domains, self.narrow, self.unfit)


def escaped(name: str) -> str:
    r"""The name with all but letters, digits, hyphen and underscore as `\DDD` (RFC 1035, section 5.1)."""
    return _ODD.sub(lambda odd: f"\\{ord(odd[0]):03d}", name)


def has_wildcard(name: str) -> bool:
    """Whether a label is `*`: the DNS has no spelling for that name alone (RFC 4592, section 2.1.1)."""
    return "*" in name and "*" in name.split(".")


def heading(sheet: Sheet, mark: str, remarks: Iterable[str]) -> str:
    """Comment lines at the start of a file."""
    lines = (f"wardlist: list {sheet.list}, version {sheet.version}", *remarks)
    return "".join(f"{mark} {line}\n" for line in lines)


def in_chunks(lines: Iterable[str]) -> Iterator[bytes]:
    """Lines, which end in newlines, as ASCII in pieces of some size."""
    kept, size = [], 0
    for line in lines:
        kept.append(line)
        size += len(line)
        if size > 65536:
            yield "".join(kept).encode("ascii")
            kept, size = [], 0
    yield "".join(kept).encode("ascii")


def _above(name: str) -> Iterator[str]:
    at = name.find(".")
    while at >= 0:
        name = name[at + 1 :]
        yield name
        at = name.find(".")
