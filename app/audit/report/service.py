"""Reading the transparency report: closed months as they were signed, open ones as far as they are counted.

Each takes months from the first to the last, both included, and makes the same few queries for any of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from app.audit.report import counting, document
from app.audit.report.models import Report
from app.audit.report.schemas import Closed, Document, Preliminary
from app.core import tally
from app.lists import figures as lists
from app.log import stream
from app.platform.problems import at_field

MOST_MONTHS = 120
USUAL_MONTHS = 12
_MONTH, _DAY = re.compile(r"\d{4}-\d{2}"), re.compile(r"\d{4}-\d{2}-\d{2}")
_YEARS = range(1970, 9999)


@dataclass(frozen=True)
class Months:
    """From the first month to the last, both included."""

    first: str
    last: str


def months(since: str | None, until: str | None, now: datetime) -> Months:
    """The months that two dates lie in: the last twelve without. Raises a 422 problem that names the field.

    A date is a month, a day, or an RFC 3339 moment.
    """
    last = _month("to", until) if until else tally.month(now)
    first = _month("from", since) if since else tally.later(last, 1 - USUAL_MONTHS)
    if first > last:
        raise at_field("invalid-input", "to" if until else "from", "`from` must not lie after `to`")
    if tally.later(last, 1 - MOST_MONTHS) > first:
        raise at_field("invalid-input", "from", f"ask for at most {MOST_MONTHS} months at once")
    return Months(first, last)


def first_month(session: Session) -> str | None:
    """The first month that there is anything of; None before the log is counted."""
    reported = session.exec(select(func.min(Report.period))).one()
    progress = counting.progress(session)
    return reported or (progress.period if progress else None)


@dataclass(frozen=True)
class Kept:
    """A closed month as it is kept: the document's bytes are those that were signed."""

    period: str
    document: bytes
    jws: str
    sha256: str
    leaf_index: int | None


def kept(session: Session, asked: Months) -> list[Kept]:
    """Closed months, oldest first."""
    query = select(Report).where(Report.period >= asked.first, Report.period <= asked.last)
    found = list(session.exec(query.order_by(col(Report.period))))
    places = stream.indices(session, [one.leaf_id for one in found])
    return [Kept(one.period, one.document, one.jws, one.sha256, places.get(one.leaf_id)) for one in found]


def closed(session: Session, asked: Months) -> list[Closed]:
    """The same with their documents read."""
    return [
        Closed(
            period=one.period,
            sha256=one.sha256,
            leaf_index=one.leaf_index,
            jws=one.jws,
            document=Document.model_validate_json(one.document),
        )
        for one in kept(session, asked)
    ]


def preliminary(session: Session, asked: Months, now: datetime) -> list[Preliminary]:
    """Months that have begun and have no report yet, oldest first: just what the public log shows.

    Nothing by ground or country: the difference of two days would tell what the report hides.
    """
    progress, last = counting.progress(session), min(asked.last, tally.month(now))
    if progress is None or last < progress.period:
        return []
    first = max(asked.first, progress.period)
    if first > last:
        return []
    found = counting.counts(session, first, last)
    since, until = tally.start(first), tally.end(last)
    live = document.sum_of_days(
        document.live_entries(session, lists.created_before(session, until), since, until)
    )
    today = now.date()
    open_months = [first]
    while open_months[-1] < last:
        open_months.append(tally.later(open_months[-1]))
    return [
        Preliminary(
            period=period,
            counted_at=progress.counted_at,
            every=document.of_every(totals),
            lists=document.of_lists(totals),
            appeals=document.of_appeals(totals),
            live_entries=[day for day in live if _is_in(period, day.date.isoformat()) and day.date <= today],
        )
        for period in open_months
        for totals in (_of(found, period),)
    ]


def _of(found: Mapping[str, Mapping[tally.Key, int]], period: str) -> Mapping[tally.Key, int]:
    return found.get(period, {})


def _is_in(period: str, day: str) -> bool:
    return day.startswith(f"{period}-")


def _month(field: str, text: str) -> str:
    whole = f"{text}-01" if _MONTH.fullmatch(text) else text
    whole = f"{whole}T00:00:00Z" if _DAY.fullmatch(whole) else whole
    try:
        moment = datetime.fromisoformat(whole)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year not in _YEARS:
        raise at_field("invalid-input", field, "write 2026-10, 2026-10-31, or 2026-10-31T00:00:00Z")
    return tally.month(moment)
