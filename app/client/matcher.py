"""Whether installed entries cover a URL, held in memory.

The answer is always that of `app.core.url.covering` on the canonical form; this provider's made-up entries
count as entries. Most addresses are of hosts that no entry names. When such an address is written plainly,
its host is its canonical host and the answer is known without making the canonical form; anything that is
written otherwise goes the whole way.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from app.client.store import DROPPED, Damaged, Store
from app.core import url
from app.core.terms import EntryScope

_LABEL = r"[a-z0-9_-]+"
_HOST = rf"(?![a-z0-9._-]*xn--)(?P<host>(?:{_LABEL}\.)*(?P<tail>{_LABEL}\.[a-z][a-z0-9_-]*))"
# A last label that starts with a letter is no number, so the host is no IPv4 address in an odd notation.
_PLAIN_HOST = re.compile(rf"https?://{_HOST}(?=[/?#]|\Z)")
_SIGN = r"A-Za-z0-9_~!$&()*+,;=:@\-"
# No segment that is empty or starts with a dot, nothing that is or may become a percent-escape.
_PATH = rf"/(?:[{_SIGN}][{_SIGN}.]*/)*(?:[{_SIGN}][{_SIGN}.]*)?"
_PLAIN_REST = re.compile(rf"{_PATH}(?:\?[{_SIGN}./?]*)?(?=#|\Z)")


class Match(NamedTuple):
    """An installed entry that covers a URL."""

    list: str
    version: int
    entry: str
    scope: str


class NoAddress(ValueError):
    """What was asked about is no web address."""

    def __init__(self) -> None:
        super().__init__("this is not a web address")


_Found = dict[str, tuple[Match, ...]]


class Matcher:
    """An index of entries. Nothing changes it once it is made, so threads may share it."""

    def __init__(self, entries: Iterable[tuple[str, int, bytes]]) -> None:
        """`entries` are (list, version, canonical line). Raises Damaged."""
        self._found: dict[str, _Found] = {scope.value: {} for scope in EntryScope}
        self._hosts: set[str] = set()
        self._hosts_with_paths: set[str] = set()
        try:
            for name, version, line in entries:
                self._add(name, version, orjson.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Damaged("an installed line is not an entry; sync again") from None
        self._urls, self._domains = self._found[EntryScope.URL], self._found[EntryScope.DOMAIN]
        self._tails = {_tail(host) for host in self._hosts}

    @classmethod
    def of(cls, store: Store, only: str | None = None) -> "Matcher":
        """Of every installed list, or of one. Raises Damaged."""
        return cls(_installed(store, [only] if only else store.names()))

    def __len__(self) -> int:
        return sum(len(several) for found in self._found.values() for several in found.values())

    def matches(self, address: str | bytes, is_typed: bool = False) -> list[Match]:
        """Entries that cover a URL, narrowest first. Raises NoAddress.

        The canonical form gives any words a host, as browsers do. Of what a person typed, a host with signs
        that no name has is a slip, and not an address that is not listed.
        """
        text = address if isinstance(address, str) else address.decode("latin-1")
        plain = _PLAIN_HOST.match(text)
        if plain and (plain["tail"] not in self._tails or not self._knows(plain["host"])):
            return []
        rest = _PLAIN_REST.match(text, plain.end()) if plain else None
        if plain and rest:
            return list(self._covering(plain["host"], text[plain.start("host") : rest.end()]))
        canonical = url.canonicalise(address)
        if canonical is None:
            raise NoAddress
        host = url.host_of(canonical)
        found = list(self._covering(host, canonical.split("://", 1)[1]))
        if is_typed and not found and "%" in host:
            raise NoAddress
        return found

    def matches_host(self, authority: str | bytes) -> list[Match]:
        """Entries that cover all of a host, for who knows `host:port` and no path. Raises NoAddress."""
        raw = authority.encode("utf-8", "surrogatepass") if isinstance(authority, str) else authority
        canonical = url.canonicalise(b"http://" + raw + b"/")
        if canonical is None:
            raise NoAddress
        return list(self._wide(url.host_of(canonical)))

    def _add(self, name: str, version: int, entry: dict[str, str]) -> None:
        scope, address = entry["scope"], entry["url"]
        found, expression = self._found[scope], url.expression(address, scope)
        found[expression] = (*found.get(expression, ()), Match(name, version, entry["entry"], scope))
        host = url.host_of(address)
        self._hosts.add(host)
        if scope == EntryScope.PATH:
            self._hosts_with_paths.add(host)

    def _knows(self, host: str) -> bool:
        return host in self._hosts or any(parent in self._domains for parent in _parents(host))

    def _covering(self, host: str, expression: str) -> Iterator[Match]:
        """`expression` is the canonical URL without scheme."""
        if host in self._hosts_with_paths:
            for scope, one in url.covering(f"http://{expression}"):
                yield from self._found[scope].get(one, ())
            return
        yield from self._urls.get(expression, ())
        yield from self._wide(host)

    def _wide(self, host: str) -> Iterator[Match]:
        yield from self._found[EntryScope.HOST].get(host, ())
        yield from self._domains.get(host, ())
        for parent in _parents(host):
            found = self._domains.get(parent)
            # What ends like a name that is listed may still be an address: it has no names above it.
            if found and not url.is_ip(host):
                yield from found


def stamp(store: Store) -> tuple[tuple[str, int, int], ...]:
    """Another value once another version, or subscriber's file, is installed, or dropped. Raises OSError."""
    links = sorted((store.folder / "lists").glob("*/current"))
    files = [(link / "manifest.json", link / "subscriber.json", link.parent / DROPPED) for link in links]
    return tuple(_stamp(file) for of_list in files for file in of_list)


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return str(path), 0, 0
    return str(path), found.st_ino, found.st_mtime_ns


def _installed(store: Store, names: Iterable[str]) -> Iterator[tuple[str, int, bytes]]:
    for name in names:
        manifest = None if store.is_dropped(name) else store.current(name)
        if manifest:
            for lines in (store.lines(name), store.canary_lines(name)):
                yield from ((name, manifest.version, line) for line in lines)


def _parents(host: str) -> Iterator[str]:
    """Names above a host, of two labels at least."""
    labels = host.split(".")
    for at in range(1, len(labels) - 1):
        yield ".".join(labels[at:])


def _tail(host: str) -> str:
    """The last two labels; every name that `covering` looks for has the same ones."""
    return ".".join(host.split(".")[-2:])
