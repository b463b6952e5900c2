"""The formats a snapshot is written in: each a pure function of the reference form's lines."""

from collections.abc import Callable, Iterable, Iterator

from app.lists.formats import csv, jsonl

Render = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Takes the sorted canonical lines (no newline), gives the file's bytes in chunks."""

FORMATS: dict[str, tuple[str, Render]] = {
    "jsonl": ("application/jsonl", jsonl.render),
    "csv": ("text/csv; charset=utf-8", csv.render),
}
"""Format -> media type and how it is written. The file's name is `list.<format>`."""
