"""The transparency report of one month by list, legal ground and country, as tables.

What the report hides stays hidden: "<5", "withheld", or of a whole table every cell. An open month has lists
only.
"""

from collections.abc import Iterator, Mapping

from app.audit.report.schemas import BROKEN_DOWN, Closed, Counts, Figures, Preliminary, Table
from app.core.legal import GROUNDS, Ground
from app.core.suppression import WITHHELD
from app.web.public.sheets import NONE, Cell, Row, Sheet, lasting, numbers, percent, shown
from app.web.public.speaking import country

_COUNTS = ("Submitted", "Approved", "Rejected", "Listed", "Delisted", "Votes for", "Votes against")
_CLOSED_ONLY = ("Overturn rate", "To decide", "To remove", "To unblock")


def sheets(newest: Closed | Preliminary) -> list[Sheet]:
    """Every table of that month."""
    if isinstance(newest, Preliminary):
        return [_by_list(newest)]
    document = newest.document
    return [
        _by_list(newest),
        _broken_down("ground", "By legal ground", newest.period, document.by_legal_ground),
        _broken_down("country", "By hosting country", newest.period, document.by_hosting_country),
    ]


def _by_list(newest: Closed | Preliminary) -> Sheet:
    rows = tuple(
        Row(name, (*_counts(counts), *(_figures(figures) if figures else [Cell(NONE)] * len(_CLOSED_ONLY))))
        for name, counts, figures in _lists(newest)
    )
    caption = "What happened on each list; times are medians"
    title, columns = f"By list, {newest.period}", _COUNTS + _CLOSED_ONLY
    return Sheet("lists", title, caption, "List", columns, rows, "across", drawn=5)


def _lists(newest: Closed | Preliminary) -> Iterator[tuple[str, Counts, Figures | None]]:
    if isinstance(newest, Preliminary):
        yield from ((name, counts, None) for name, counts in newest.lists.items())
        return
    for name, figures in newest.document.lists.items():
        yield name, figures.counts, figures


def _counts(one: Counts) -> tuple[Cell, ...]:
    decided = (one.submitted, one.approved, one.rejected, one.listed, one.delisted.total)
    return numbers((*decided, one.votes.approve, one.votes.reject))


def _figures(one: Figures) -> tuple[Cell, ...]:
    spans = (one.times.decision, one.times.removal, one.times.unblock)
    return percent(one.overturn_rate), *(lasting(span.median_seconds) for span in spans)


def _broken_down(name: str, title: str, period: str, tables: Mapping[str, Table]) -> Sheet:
    """A value that a table has no cell of is 0 there; a table that tells nothing withholds all."""
    values = sorted({value for table in tables.values() for value in table.cells or {}})
    told = [tables[measure] for measure in BROKEN_DOWN]
    label = _ground if name == "ground" else _country
    rows = [
        Row(
            label(value),
            tuple(
                shown(table.cells.get(value, 0) if table.cells is not None else WITHHELD) for table in told
            ),
        )
        for value in values
    ]
    total = Row("All together", tuple(Cell(f"{table.total:,}") for table in told))
    columns = tuple(measure.capitalize() for measure in BROKEN_DOWN)
    caption = "All lists together; counts of 1 to 4 are “<5”, and some more are withheld so that none follows"
    head = "Legal ground" if name == "ground" else "Country"
    return Sheet(name, f"{title}, {period}", caption, head, columns, tuple(rows), "across", total=total)


def _ground(code: str) -> str:
    if code not in list(Ground):
        return "not available"
    return f"{GROUNDS[Ground(code)].summary} ({code})"


def _country(code: str) -> str:
    return "not available" if len(code) != 2 else f"{country(code)} ({code})"
