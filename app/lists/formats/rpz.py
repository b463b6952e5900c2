"""A response policy zone as a master file, loadable under any zone name of at most 64 octets.

Owner names are relative. A `host` entry gives its name, a `domain` entry its name and `*.` before it (the
wildcard alone does not cover the name). The policy is that the name does not exist (`CNAME .`), or a CNAME to
the list's walled garden. Left out and counted: `url` and `path` entries, which are less than a host; names
too long below a zone name; names with a label `*`, which would be wildcards; and names whose last label a
policy zone gives another meaning to, as `rpz-client-ip`. Names below a listed domain get no rule of
their own, as that would end its wildcard; a name with a label `*` right below one is not covered. Sources:
draft-vixie-dnsop-dns-rpz-00, sections 3 to 5; RFC 1035, section 5; RFC 4592.
"""

from collections.abc import Iterator

from app.lists.formats.names import Names, escaped, has_wildcard, heading, in_chunks
from app.lists.formats.sheet import Sheet

LONGEST_ZONE = 64
"""Octets of a zone name on the wire that always fit."""
_LONGEST_NAME = 255 - LONGEST_ZONE - 2 - 1
"""Of a name's text: 255 octets on the wire hold the zone, `*` with its length, and a first length."""
_TTL_SECONDS = 60


def render(sheet: Sheet) -> Iterator[bytes]:
    """SOA (serial: the version), NS, then the rules by name, `host` entries first."""
    names = Names.of(sheet, _fits).uncovered()
    target = f"{sheet.walled_garden}." if sheet.walled_garden else "."
    yield heading(
        sheet,
        ";",
        (
            f"left out: {names.narrow} entries of scope url or path (a zone holds whole hosts only),",
            f"  {names.unfit} names that no policy zone can hold (too long below a zone name, or with a",
            "  label of a meaning of its own); names below a listed domain are in that domain's rules",
        ),
    ).encode()
    yield (
        f"$TTL {_TTL_SECONDS}\n"
        f"@ IN SOA localhost. nobody.invalid. {sheet.version} 300 60 604800 {_TTL_SECONDS}\n"
        "@ IN NS localhost.\n"
    ).encode()
    yield from in_chunks(f"{escaped(name)} CNAME {target}\n" for name in names.hosts)
    wide = (escaped(name) for name in names.domains)
    yield from in_chunks(f"{name} CNAME {target}\n*.{name} CNAME {target}\n" for name in wide)


def _fits(name: str) -> bool:
    reserved = name.rpartition(".")[2].startswith("rpz-")
    return len(name) <= _LONGEST_NAME and not reserved and not has_wildcard(name)
