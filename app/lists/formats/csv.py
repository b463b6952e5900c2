"""Comma-separated values with a header line (RFC 4180, UTF-8, CRLF)."""

import csv
import io
import json
from collections.abc import Iterable, Iterator

COLUMNS = ("entry", "scope", "url", "commitment_key")


def render(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The header, then a record per entry in the order of the reference form."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for line in lines:
        value = json.loads(line)
        writer.writerow([value[column] for column in COLUMNS])
        if buffer.tell() > 65536:
            yield _drain(buffer)
    yield _drain(buffer)


def _drain(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
