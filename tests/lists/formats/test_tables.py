"""`csv` and `jsonl`: what Python's own readers read is what was listed."""

import csv
import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import url
from app.core.terms import Format
from app.lists.formats import FORMATS
from app.lists.formats.sheet import opened
from tests.lists.formats.hostile import Entry, entries, sheet_of

LISTS = st.lists(entries(), max_size=15)


@settings(max_examples=60)
@given(LISTS)
def test_csv_is_read_as_it_was_listed(listed: list[Entry]) -> None:
    text = b"".join(FORMATS[Format.CSV].render(sheet_of(listed))).decode("ascii")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert sorted((row["scope"], row["url"]) for row in rows) == sorted(listed)
    assert text.count("\r\n") == len(listed) + 1 == text.count("\n")


@settings(max_examples=60)
@given(LISTS)
def test_jsonl_is_read_as_it_was_listed(listed: list[Entry]) -> None:
    lines = b"".join(FORMATS[Format.JSONL].render(sheet_of(listed))).split(b"\n")
    rows = [json.loads(line) for line in lines[:-1]]
    assert sorted((row["scope"], row["url"]) for row in rows) == sorted(listed)
    assert lines[-1] == b""


@settings(max_examples=60)
@given(LISTS)
def test_a_line_opened_quickly_is_the_entrys_expression(listed: list[Entry]) -> None:
    sheet = sheet_of(listed)
    slowly = [(one.scope.encode(), url.expression(one.url, one.scope).encode()) for one in sheet.entries()]
    assert [opened(line) for line in sheet.lines] == slowly
