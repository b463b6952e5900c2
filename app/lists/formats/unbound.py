"""Local zones for Unbound: a file for `include:` in the `server:` clause.

A `domain` entry's name and all below it do not exist (`always_nxdomain`), or lead to the list's walled garden
(`redirect` with a CNAME). A `host` entry's zone is `transparent` and holds one TXT record: the very name then
has no address, and names below it resolve as ever. A walled garden is not for these, because Unbound follows
a CNAME of its own in `redirect` zones only, and those cover all below. Left out and counted: `url` and `path`
entries, which are less than a host, and names with a label `*`. Source: unbound.conf(5), local-zone.
"""

from collections.abc import Iterator

from app.lists.formats.names import Names, escaped, has_wildcard, heading, in_chunks
from app.lists.formats.sheet import Sheet

_TTL_SECONDS = 60


def render(sheet: Sheet) -> Iterator[bytes]:
    """The zones by name, `host` entries first."""
    names = Names.of(sheet, lambda name: not has_wildcard(name)).uncovered()
    yield heading(
        sheet,
        "#",
        (
            f"left out: {names.narrow} entries of scope url or path (a zone holds whole hosts only),",
            f"  {names.unfit} names with a label *; names below a listed domain are in that domain's zone",
        ),
    ).encode()
    yield from in_chunks(_host(escaped(name)) for name in names.hosts)
    yield from in_chunks(_domain(escaped(name), sheet.walled_garden) for name in names.domains)


def _host(name: str) -> str:
    return f'local-zone: "{name}." transparent\nlocal-data: \'{name}. {_TTL_SECONDS} IN TXT "blocked"\'\n'


def _domain(name: str, walled_garden: str | None) -> str:
    if walled_garden is None:
        return f'local-zone: "{name}." always_nxdomain\n'
    return f'local-zone: "{name}." redirect\nlocal-data: "{name}. {_TTL_SECONDS} IN CNAME {walled_garden}."\n'
