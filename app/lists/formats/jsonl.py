"""The reference form: one canonical line per entry, sorted. Source: design section 7."""

from collections.abc import Iterator

from app.lists.formats.sheet import Sheet

_LINES = 1000


def render(sheet: Sheet) -> Iterator[bytes]:
    """Each line ended by a newline."""
    for start in range(0, len(sheet.lines), _LINES):
        yield b"\n".join(sheet.lines[start : start + _LINES]) + b"\n"
