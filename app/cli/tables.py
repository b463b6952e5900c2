"""Tables for people, on stderr: ids and dates stand whole on one line, however narrow the terminal is."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from app.cli.output import err
from app.core.defang import unlinked

_NARROWEST_PROSE = 24


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], prose: bool = False) -> None:
    """Print rows of cells under their headings. With `prose` the last column is words, which may wrap.

    A table that is wider than the terminal is not cut: the terminal itself goes on in the next line, and what
    is copied from there, or read from a pipe, is whole.
    """
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
    if prose:
        widths[-1] = _NARROWEST_PROSE
    heads = [
        Column(name, no_wrap=True, overflow="ignore", min_width=width)
        for name, width in zip(columns, widths, strict=True)
    ]
    if prose:
        heads[-1] = Column(columns[-1], overflow="fold", min_width=_NARROWEST_PROSE)
    table = Table(*heads, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in cells:
        table.add_row(*map(Text, [*row[:-1], unlinked(row[-1])] if prose else row))
    needed = sum(widths) + 2 * len(widths)
    Console(stderr=True, highlight=False, width=max(err.width, needed)).print(table)


def plain(text: str) -> str:
    """Text of others for a terminal: a control character, which could steer it, is replaced."""
    return "".join(one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}" for one in text)
