"""The document of a month: what was counted of the log, how long things took, how long the lists were."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import Session

from app.audit.report import counting
from app.audit.report.schemas import (
    BROKEN_DOWN,
    Appeals,
    Counts,
    Day,
    Document,
    Figures,
    Span,
    Table,
    Times,
)
from app.core import suppression, tally
from app.core.legal import Ground
from app.core.percentile import nearest_rank
from app.core.suppression import FEWEST, Shown
from app.entries import figures as entries
from app.lists import figures as lists
from app.platform.clock import instant
from app.takedown import figures as takedown

Totals = Mapping[tally.Key, int]
Seconds = dict[str, list[int]]
"""By list."""
_GROUNDS = dict.fromkeys((ground.value for ground in Ground), 0)


def make(session: Session, period: str, totals: Totals, now: datetime) -> Document:
    """The document of a month whose counts are complete."""
    since, until = tally.start(period), tally.end(period)
    by_list, every, appeals = of_lists(totals), of_every(totals), of_appeals(totals)
    names = sorted({*lists.created_before(session, until), *by_list})
    times = _times(session, period, names)
    live = live_entries(session, names, since, until)
    broken_down = counting.broken_down(session, period)
    return Document(
        period=period,
        reporting_period_start=instant(since),
        reporting_period_end=instant(until),
        published_at=instant(now),
        every=_figures(every, times[""], sum_of_days(live)),
        lists={name: _figures(by_list.get(name, Counts()), times[name], live[name]) for name in names},
        appeals=appeals,
        by_legal_ground=_tables(counting.GROUND, broken_down, every, _GROUNDS),
        by_hosting_country=_tables(counting.COUNTRY, broken_down, every, {}),
    )


def of_lists(totals: Totals) -> dict[str, Counts]:
    """The counts of each list that has any."""
    stated = tally.stated(totals)["lists"]
    return {name: Counts.model_validate(stated[name]) for name in sorted(stated)}


def of_every(totals: Totals) -> Counts:
    """The counts of all lists together."""
    together: defaultdict[tally.Key, int] = defaultdict(int)
    for (name, measure), count in totals.items():
        if name:
            together["every", measure] += count
    return of_lists(together).get("every", Counts())


def of_appeals(totals: Totals) -> Appeals:
    """What became of appeals. A rate needs five decisions."""
    filed, upheld, denied, overdue, lapsed = (
        totals.get((tally.APPEALS, measure), 0)
        for measure in ("filed", "upheld", "denied", "overdue", "lapsed")
    )
    return Appeals(
        complaints_submitted=filed,
        decisions_reversed=upheld,
        decisions_maintained=denied,
        overdue=overdue,
        lapsed=lapsed,
        overturn_rate=_rate(upheld, upheld + denied),
    )


def live_entries(
    session: Session, names: Iterable[str], since: datetime, until: datetime
) -> dict[str, list[Day]]:
    """The size of each list at the end of each day, that of the newest version made by then for all."""
    sizes, last_of_day = lists.sizes_at(session, since), dict[tuple[str, date], int]()
    for made in lists.made_between(session, since, until):
        if made.is_served:
            last_of_day[made.list, made.published_at.date()] = made.entry_count
    days = [since.date() + timedelta(days=number) for number in range((until - since).days)]
    found: dict[str, list[Day]] = {}
    for name in names:
        size, found[name] = sizes.get(name, 0), []
        for day in days:
            size = last_of_day.get((name, day), size)
            found[name].append(Day(date=day, entries=size))
    return found


def sum_of_days(live: Mapping[str, list[Day]]) -> list[Day]:
    """The size of all lists together, each day."""
    together: defaultdict[date, int] = defaultdict(int)
    for days in live.values():
        for day in days:
            together[day.date] += day.entries
    return [Day(date=day, entries=entries) for day, entries in sorted(together.items())]


def _figures(counts: Counts, times: Times, live: list[Day]) -> Figures:
    rate = _rate(counts.delisted.appeal_upheld, counts.listed)
    return Figures(counts=counts, overturn_rate=rate, times=times, live_entries=live)


def _times(session: Session, period: str, names: Iterable[str]) -> dict[str, Times]:
    """By list, and for all lists under no name."""
    since, until = tally.start(period), tally.end(period)
    decided = _by_list(counting.decisions(session, period))
    removed = _by_list(takedown.removals(session, since, until))
    unblocked, erased = _unblocked(session, since, until)
    decision, removal, unblock = (_plain_spans(decided), _spans(removed), _spans(unblocked))
    missing: dict[str, Shown] = {name: suppression.shown(count) for name, count in erased.items()}
    missing[""] = suppression.total(erased)
    none = Span(cases=0)
    return {
        name: Times(
            decision=decision.get(name, none),
            removal=removal.get(name, none),
            unblock=unblock.get(name, none),
            unblock_not_available=missing.get(name, 0),
        )
        for name in ("", *names)
    }


def _unblocked(session: Session, since: datetime, until: datetime) -> tuple[Seconds, dict[str, int]]:
    """From each decision to the version without; and how many of those are erased, so that nobody knows."""
    made = {(one.list, one.version): one.published_at for one in lists.made_between(session, since, until)}
    versions: dict[str, tuple[int, int]] = {}
    for name, version in made:
        first, last = versions.get(name, (version, version))
        versions[name] = min(first, version), max(last, version)
    seconds: defaultdict[str, list[int]] = defaultdict(list)
    erased: defaultdict[str, int] = defaultdict(int)
    for name, version, decided_at in entries.left_in(session, versions):
        if decided_at is None:
            erased[name] += 1
        elif (name, version) in made:
            seconds[name].append(max(0, int((made[name, version] - decided_at).total_seconds())))
    return dict(seconds), dict(erased)


def _by_list(rows: Iterable[tuple[str, int]]) -> Seconds:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for name, seconds in rows:
        found[name].append(seconds)
    return dict(found)


def _spans(by_list: Seconds) -> dict[str, Span]:
    """Small numbers of cases are hidden, and their sum where it would give one away."""
    cases = {name: len(seconds) for name, seconds in by_list.items()}
    spans = {name: _span(seconds, suppression.shown(cases[name])) for name, seconds in by_list.items()}
    return spans | {"": _span(_together(by_list), suppression.total(cases))}


def _plain_spans(by_list: Seconds) -> dict[str, Span]:
    """The log shows how many decisions there were."""
    spans = {name: _span(seconds, len(seconds)) for name, seconds in by_list.items()}
    together = _together(by_list)
    return spans | {"": _span(together, len(together))}


def _together(by_list: Seconds) -> list[int]:
    return [one for seconds in by_list.values() for one in seconds]


def _span(seconds: list[int], cases: Shown) -> Span:
    if len(seconds) < FEWEST:
        return Span(cases=cases)
    median, p90 = (nearest_rank(seconds, percent) for percent in (50, 90))
    return Span(cases=cases, median_seconds=median, p90_seconds=p90)


def _tables(
    dimension: str,
    broken_down: Mapping[tuple[str, str], Mapping[str, int]],
    every: Counts,
    known: dict[str, int],
) -> dict[str, Table]:
    """One for each measure; `known` are the values that are told even where nothing happened."""
    totals: dict[str, Any] = every.model_dump() | {
        "delisted": every.delisted.total,
        "overturned": every.delisted.appeal_upheld,
    }
    tables = {}
    for measure in BROKEN_DOWN:
        cells: defaultdict[str, int] = defaultdict(int, known)
        for (found, word), values in broken_down.items():
            if found == dimension and _is_of(word, measure):
                for value, count in values.items():
                    cells[value] += count
        tables[measure] = Table(total=totals[measure], cells=suppression.table(cells))
    return tables


def _is_of(word: str, measure: str) -> bool:
    """Whether what the log's leaves count as belongs to a measure of the report."""
    if measure == "overturned":
        return word == "delisted.appeal_upheld"
    return word == measure or word.startswith(f"{measure}.")


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole >= FEWEST else None
