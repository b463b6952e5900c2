"""The transparency page: what the service is, the log's head, how to verify, and the report.

The report stands as tables; the browser's script draws the charts from them, so without one there are just
the tables.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from app.audit.report import service as reports
from app.audit.report.service import Months
from app.core import tally
from app.platform.context import Context, Platform
from app.platform.problems import Problem
from app.web.edge import PageRoute
from app.web.pages import page
from app.web.public.figures import sheets
from app.web.public.head import head
from app.web.public.recent import RecentPages

router = APIRouter(prefix="/transparency", route_class=PageRoute, include_in_schema=False)
Month = Annotated[str | None, Query(max_length=40)]
JWS = "application/jose"
_YEARS = 10


@router.get("", response_class=HTMLResponse)
def transparency(
    context: Context,
    request: Request,
    since: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    until: Annotated[str | None, Query(alias="to", max_length=40)] = None,
) -> Response:
    """The months that `from` and `to` lie in and all between, the last twelve without."""
    now = context.clock()
    asked = reports.months(since or None, until or None, now)
    recent: RecentPages = request.app.state.recent_pages
    return recent.answer(request, ("transparency", asked), now, lambda: _rendered(context, request, asked))


@router.get("/{period}.jws")
def signed(context: Context, period: str) -> Response:
    """A closed month as it was signed: a compact JWS by the manifest key. Raises a 404 problem."""
    with context.database.reading() as session:
        found = reports.kept(session, Months(period, period))
    if not found:
        raise Problem("not-found", "there is no report of that month")
    headers = {"Cache-Control": "public, max-age=86400"}
    return Response(found[0].jws, headers=headers, media_type=JWS)


def _rendered(context: Platform, request: Request, asked: Months) -> HTMLResponse:
    now = context.clock()
    with context.database.reading() as session:
        closed = reports.closed(session, asked)
        open_months = reports.preliminary(session, asked, now)
        first = reports.first_month(session)
        found = head(context, session)
    return page(
        request,
        "public/transparency.html",
        sheets=sheets(closed, open_months),
        closed=closed,
        open_months=open_months,
        asked=asked,
        choices=_choices(first, tally.month(now)),
        head=found,
        address=context.settings.address,
    )


def _choices(first: str | None, last: str) -> list[tuple[str, str]]:
    """(title, query) of the ranges that are a click away."""
    found = [("Last 12 months", ""), ("Last 3 months", f"?from={tally.later(last, -2)}&to={last}")]
    years = range(int((first or last)[:4]), int(last[:4]) + 1)
    return found + [(str(year), f"?from={year}-01&to={year}-12") for year in years[-_YEARS:]]
