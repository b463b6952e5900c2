"""Comma-separated values with a header line (RFC 4180, UTF-8, CRLF)."""

import csv
import io
from collections.abc import Iterator

from app.lists.formats.sheet import Sheet

COLUMNS = ("entry", "scope", "url", "commitment_key")


def render(sheet: Sheet) -> Iterator[bytes]:
    """The header, then a record per entry in the order of the reference form."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for one in sheet.entries():
        writer.writerow((one.entry, one.scope, one.url, one.commitment_key))
        if buffer.tell() > 65536:
            yield _drain(buffer)
    yield _drain(buffer)


def _drain(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
