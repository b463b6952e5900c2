"""The reference form: one canonical line per entry, sorted. Source: design section 7."""

from collections.abc import Iterable, Iterator


def render(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Each line ended by a newline."""
    for line in lines:
        yield line + b"\n"
