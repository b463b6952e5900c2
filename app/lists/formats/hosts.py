"""A hosts file: `0.0.0.0 name` and `:: name`, as hosts(5) and dnsmasq's `addn-hosts` read it.

It holds the names of `host` and `domain` entries. A hosts file has no wildcards, so what lies below a
`domain` entry stays open. `url` and `path` entries are less than a host and are left out. Both are counted
in its comments.
"""

from collections.abc import Iterator

from app.lists.formats.names import Names, heading, in_chunks
from app.lists.formats.sheet import Sheet


def render(sheet: Sheet) -> Iterator[bytes]:
    """Two lines a name, sorted by name."""
    names = Names.of(sheet)
    yield heading(
        sheet,
        "#",
        (
            f"left out: {names.narrow} entries of scope url or path (a hosts file holds whole hosts only);",
            f"  what lies below the names of {len(names.domains)} domain entries is not covered",
        ),
    ).encode()
    every = sorted({*names.hosts, *names.domains})
    yield from in_chunks(f"0.0.0.0 {name}\n:: {name}\n" for name in every)
