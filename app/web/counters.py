"""What each kind of organisation sees at a glance: a few numbers, each by a query of the room that has it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import Request
from sqlmodel import Session

from app.appeals import service as appeals
from app.audit import flags
from app.audit import service as audit
from app.core.terms import Kind
from app.distribution import provider
from app.entries import mine
from app.identity.people.sessions import Visitor
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.lists import brakes
from app.lists import figures as lists
from app.log import service as log
from app.platform.context import platform_of
from app.reviews import service as reviews
from app.takedown import feed

OLD = timedelta(hours=24)
SOON = timedelta(days=7)


@dataclass(frozen=True)
class Counter:
    """A number, its name in the page, and where to see what it counts."""

    name: str
    title: str
    number: int
    path: str


def of_visitor(request: Request, visitor: Visitor | None) -> list[Counter]:
    """The counters of who is signed in, as of now."""
    if visitor is None:
        return []
    context = platform_of(request)
    with context.database.reading() as session:
        return of(session, visitor.member.caller, context.clock())


def of(session: Session, caller: Caller, now: datetime) -> list[Counter]:
    """The counters of a caller's kind of organisation, as far as the caller's scopes open their pages."""
    return list(_BY_KIND[caller.kind](session, caller, now)) if caller.kind in _BY_KIND else []


def _reviewer(session: Session, caller: Caller, now: datetime) -> Iterator[Counter]:
    if Scope.REVIEWS_WRITE in caller.scopes:
        waiting, old = reviews.count_queue(session, caller, now - OLD)
        yield Counter("waiting", "Waiting", waiting, "/console/queue")
        yield Counter("old", "Waiting over 24 hours", old, "/console/queue")
    if Scope.APPEALS_DECIDE in caller.scopes:
        yield Counter("appeals", "Appeals undecided", appeals.count_undecided(session), "/console/appeals")


def _hotline(session: Session, caller: Caller, now: datetime) -> Iterator[Counter]:
    if Scope.ENTRIES_READ in caller.scopes:
        submitted = mine.count_submitted(session, caller.organisation_id)
        due = mine.count_due(session, caller.organisation_id, now + SOON)
        overdue = feed.count(session, caller, feed.Wanted(is_overdue=True), now)
        yield Counter("submitted", "Waiting for review", submitted, "/console/submissions?status=submitted")
        yield Counter("due", "Due in 7 days", due, "/console/due?within_days=7")
        yield Counter("overdue", "Takedowns late", overdue, "/console/takedowns?show=late")


def _provider(session: Session, caller: Caller, now: datetime) -> Iterator[Counter]:
    if Scope.LISTS_READ in caller.scopes:
        behind = [one.own.versions_behind for one in provider.standings(session, caller.organisation_id, now)]
        yield Counter("lists-behind", "Lists behind", sum(map(bool, behind)), "/console/lists")
        yield Counter("versions-behind", "Versions behind", sum(behind), "/console/lists")


def _operator(session: Session, caller: Caller, _now: datetime) -> Iterator[Counter]:
    if Scope.ADMIN in caller.scopes:
        flagged = len({flag.organisation_id for flag in flags.every(session)})
        versions = sum(lists.newest_versions(session).values())
        yield Counter("brakes", "Brakes engaged", brakes.count_engaged(session), "/console/brakes")
        yield Counter("flagged", "Organisations flagged", flagged, "/console/organisations")
        yield Counter("versions", "Versions published", versions, "/console/published")


def _auditor(session: Session, caller: Caller, _now: datetime) -> Iterator[Counter]:
    if Scope.AUDIT_READ in caller.scopes:
        ready = audit.count_ready(session, caller.organisation_id)
        yield Counter("ready", "Exports ready", ready, "/console/exports")
        yield Counter("log-size", "Leaves in the log", log.head(session).size, "/transparency")


_BY_KIND: dict[Kind, Callable[[Session, Caller, datetime], Iterator[Counter]]] = {
    Kind.REVIEW_BODY: _reviewer,
    Kind.HOTLINE: _hotline,
    Kind.ISP: _provider,
    Kind.OPERATOR: _operator,
    Kind.AUDITOR: _auditor,
}
