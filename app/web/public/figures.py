"""The transparency report month by month, as tables.

Each is taken from closed documents and open months as they are: nothing is added up over months, and nothing
that the report hides is worked out. Sources: docs/transparency.md; app/core/suppression.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from app.audit.report.schemas import Appeals, Closed, Counts, Delisted, Figures, Preliminary, Span
from app.web.public import breakdowns
from app.web.public.sheets import Cell, Row, Sheet, lasting, number, numbers, percent

_DAILY, _WEEKLY = 62, 750
"""Days up to which each day has a row, each week; past that each month."""


@dataclass(frozen=True)
class _Month:
    period: str
    counts: Counts
    appeals: Appeals
    figures: Figures | None

    @property
    def title(self) -> str:
        return self.period if self.figures else f"{self.period} (open)"


def sheets(closed: Sequence[Closed], open_months: Sequence[Preliminary]) -> list[Sheet]:
    """Every table of these months, oldest first; breakdowns are of the newest that has them."""
    months = [
        *map(_closed, closed),
        *(_Month(one.period, one.every, one.appeals, None) for one in open_months),
    ]
    if not months:
        return []
    found = [_done(months), _reasons(months), _live(closed, open_months), _times(months), _appeals(months)]
    return found + breakdowns.sheets(closed[-1] if closed else open_months[-1])


def _closed(one: Closed) -> _Month:
    document = one.document
    return _Month(one.period, document.every.counts, document.appeals, document.every)


def _by_month(months: Iterable[_Month], cells: Iterable[tuple[Cell, ...]]) -> tuple[Row, ...]:
    return tuple(
        Row(month.title, found, f"/transparency?from={month.period}&to={month.period}")
        for month, found in zip(months, cells, strict=True)
    )


def _done(months: Sequence[_Month]) -> Sheet:
    columns = ("Submitted", "Approved", "Rejected", "Listed", "Delisted")
    cells = (
        numbers((one.submitted, one.approved, one.rejected, one.listed, one.delisted.total))
        for one in (month.counts for month in months)
    )
    caption = "Entries submitted, decided, listed and delisted in each month"
    return Sheet(
        "done", "Submissions and decisions", caption, "Month", columns, _by_month(months, cells), "bar"
    )


def _reasons(months: Sequence[_Month]) -> Sheet:
    names = tuple(Delisted.model_fields)
    cells = (numbers(month.counts.delisted.model_dump()[name] for name in names) for month in months)
    columns = tuple(name.replace("_", " ").capitalize() for name in names)
    caption = "Entries that left a list or the way to it, by the reason first given"
    return Sheet(
        "reasons", "Why entries left", caption, "Month", columns, _by_month(months, cells), "stacked"
    )


def _live(closed: Sequence[Closed], open_months: Sequence[Preliminary]) -> Sheet:
    """All lists together, and each as far as months are closed."""
    names = sorted({name for one in closed for name in one.document.lists})
    sizes: dict[date, dict[str, int]] = {}
    for one in closed:
        for name, figures in (("", one.document.every), *one.document.lists.items()):
            for day in figures.live_entries:
                sizes.setdefault(day.date, {})[name] = day.entries
    for open_month in open_months:
        for day in open_month.live_entries:
            sizes.setdefault(day.date, {})[""] = day.entries
    days = sorted(sizes)
    step, kept = _thinned(days)
    rows = tuple(
        Row(day.isoformat(), tuple(number(sizes[day].get(name)) for name in ("", *names))) for day in kept
    )
    caption = f"Entries on the newest version at the end of each {step}"
    columns = ("All lists", *names)
    return Sheet("live", "Size of the lists over time", caption, "Day", columns, rows, "line", is_long=True)


def _thinned(days: Sequence[date]) -> tuple[str, list[date]]:
    """Every day, the last of each week or of each month; always the newest."""
    if len(days) <= _DAILY:
        return "day", list(days)
    step, is_last = ("week", _ends_week) if len(days) <= _WEEKLY else ("month", _ends_month)
    return step, [day for day in days if is_last(day) or day == days[-1]]


def _ends_week(day: date) -> bool:
    return day.isoweekday() == 7


def _ends_month(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def _times(months: Sequence[_Month]) -> Sheet:
    steps = ("decision", "removal", "unblock")
    columns = tuple(
        f"{word} to {step}"
        for step in ("decide", "remove", "unblock")
        for word in ("Median", "90th percentile")
    )
    cells = (
        tuple(
            cell
            for step in steps
            for cell in _span(getattr(month.figures.times, step) if month.figures else Span(cases=0))
        )
        for month in months
    )
    caption = (
        "Times from submission to decision, from first notice to removal, from delisting to a version without"
    )
    return Sheet(
        "times",
        "How long it takes",
        caption,
        "Month",
        columns,
        _by_month(months, cells),
        "line",
        unit="hours",
    )


def _appeals(months: Sequence[_Month]) -> Sheet:
    columns = ("Filed", "Upheld", "Denied", "Overdue", "Lapsed", "Overturn rate")
    cells = (
        (*numbers(_ends(one)), percent(one.overturn_rate)) for one in (month.appeals for month in months)
    )
    caption = "Appeals filed in each month, and what was decided in it"
    return Sheet("appeals", "Appeals", caption, "Month", columns, _by_month(months, cells), "bar", drawn=4)


def _ends(one: Appeals) -> tuple[int, ...]:
    decided = one.decisions_reversed, one.decisions_maintained
    return one.complaints_submitted, *decided, one.overdue, one.lapsed


def _span(span: Span) -> tuple[Cell, Cell]:
    return lasting(span.median_seconds), lasting(span.p90_seconds)
