"""The formats a version is written in: each a pure function of a sheet, and imports core only.

Providers' own programs write the same files from what they installed. Source: design section 7.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from app.core.terms import Format
from app.lists.formats import csv, hashes, hosts, jsonl, rpz, squid, unbound
from app.lists.formats.sheet import Sheet

Render = Callable[[Sheet], Iterator[bytes]]
"""Gives the file's bytes in chunks."""


class Form(NamedTuple):
    """A format: its media type, how it is written, and whether it shows a URL or host (then it is sealed)."""

    media_type: str
    render: Render
    is_open: bool = True


FORMATS: dict[Format, Form] = {
    Format.JSONL: Form("application/jsonl", jsonl.render),
    Format.CSV: Form("text/csv; charset=utf-8", csv.render),
    Format.HASHES: Form("application/octet-stream", hashes.render, is_open=False),
    Format.RPZ: Form("text/dns", rpz.render),
    Format.HOSTS: Form("text/plain; charset=us-ascii", hosts.render),
    Format.UNBOUND: Form("text/plain; charset=us-ascii", unbound.render),
    Format.SQUID: Form("text/plain", squid.render),
}
"""The file's name is `list.<format>`, with `.age` after it when it is sealed."""
