"""The report as CSV (RFC 4180), a line a number: `period,status,list,measure,dimension,value,count`.

`list` is empty for all lists together. `count` is a number, "<5", "withheld", or empty where there is none.
Where nothing of a breakdown may be told, one line says so, with `value` empty.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from app.audit.report.schemas import Appeals, Closed, Counts, Figures, Preliminary, Table
from app.core.suppression import WITHHELD

_OF_COMPLAINTS = frozenset({"overdue", "lapsed", "overturn_rate"})
HEADER = ("period", "status", "list", "measure", "dimension", "value", "count")
Number = int | float | str | None
Line = tuple[str, str, str, str, Number]
"""list, measure, dimension, value, count"""


def written(reports: Sequence[Closed], preliminary: Sequence[Preliminary]) -> bytes:
    """The file."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADER)
    for closed in reports:
        writer.writerows((closed.period, "closed", *line) for line in _closed(closed))
    for one in preliminary:
        writer.writerows((one.period, "preliminary", *line) for line in _preliminary(one))
    return out.getvalue().encode()


def _closed(one: Closed) -> Iterator[Line]:
    document = one.document
    yield from _figures("", document.every)
    for name, figures in document.lists.items():
        yield from _figures(name, figures)
    yield from _appeals(document.appeals)
    yield from _tables("legal_ground", document.by_legal_ground)
    yield from _tables("hosting_country", document.by_hosting_country)


def _preliminary(one: Preliminary) -> Iterator[Line]:
    yield from _counts("", one.every)
    for name, counts in one.lists.items():
        yield from _counts(name, counts)
    yield from _appeals(one.appeals)
    for day in one.live_entries:
        yield "", "live_entries", "date", day.date.isoformat(), day.entries


def _figures(name: str, figures: Figures) -> Iterator[Line]:
    yield from _counts(name, figures.counts)
    yield name, "overturn_rate", "", "", figures.overturn_rate
    times = figures.times
    for step, span in (("decision", times.decision), ("removal", times.removal), ("unblock", times.unblock)):
        for word, value in span.model_dump().items():
            yield name, f"{step}_{word}", "", "", value
    yield name, "unblock_not_available", "", "", times.unblock_not_available
    for day in figures.live_entries:
        yield name, "live_entries", "date", day.date.isoformat(), day.entries


def _counts(name: str, counts: Counts) -> Iterator[Line]:
    for measure, value in counts:
        if isinstance(value, BaseModel):
            dimension = "reason" if measure == "delisted" else "decision"
            for word, count in value:
                yield name, measure, dimension, word, count
        else:
            yield name, measure, "", "", value


def _appeals(appeals: Appeals) -> Iterator[Line]:
    for word, value in appeals.model_dump().items():
        yield "", f"complaints_{word}" if word in _OF_COMPLAINTS else word, "", "", value


def _tables(dimension: str, tables: Mapping[str, Table]) -> Iterator[Line]:
    for measure, table in tables.items():
        if table.cells is None:
            yield "", measure, dimension, "", WITHHELD
        for value, count in (table.cells or {}).items():
            yield "", measure, dimension, value, count
