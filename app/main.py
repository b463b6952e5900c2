"""create_app(): wiring only."""

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI
from sqlmodel import Session
from starlette.types import ASGIApp, Receive, Scope, Send

import app
from app import monitoring
from app.appeals import duties as appeals_duties
from app.appeals import routes as appeals
from app.appeals import secrets as appeals_secrets
from app.appeals.throttle import Throttle
from app.audit import flags
from app.audit import routes as audit
from app.audit.report import closing
from app.audit.report import routes as report_routes
from app.distribution import (
    coverage_routes,
    indicators,
    outbox,
    receipts,
    taxii_routes,
    webhook_routes,
)
from app.distribution import routes as distribution
from app.distribution.desk import Desk
from app.distribution.hot import Hot
from app.distribution.polls import PollLimits
from app.distribution.repeats import Repeats
from app.distribution.service import Shelf
from app.distribution.standing import Standings
from app.distribution.waiting import WaitingRoom
from app.entries import routes as entries
from app.identity import routes as identity
from app.identity.gate import Gate
from app.identity.tokens import issuer_of
from app.lists import routes as lists
from app.lists.publisher import Duties
from app.lists.repository import Repository
from app.log import routes as log
from app.platform import health
from app.platform.announcer import Announcer
from app.platform.bodies import Bodies
from app.platform.clock import Clock, system_clock
from app.platform.context import Platform
from app.platform.database import Database
from app.platform.failures import Failures
from app.platform.headers import always
from app.platform.heads import Heads
from app.platform.hosts import Hosts
from app.platform.http import Edge, Rules, answer_with_problems
from app.platform.keyring import Keyring
from app.platform.problems import MEDIA_TYPE, ProblemDocument
from app.platform.rates import Paced, Rates
from app.platform.readiness import Readiness
from app.platform.settings import Settings
from app.platform.strangers import Strangers
from app.reviews import routes as reviews
from app.reviews import service as votes
from app.takedown import duties as takedown_duties
from app.takedown import routes as takedown
from app.takedown.answers import routes as answer_routes
from app.takedown.contacts import routes as contact_routes
from app.takedown.peers import duties as exchange_duties
from app.takedown.peers import routes as peer_routes
from app.web import routes as web
from app.web.console.live import Live
from app.web.pages import STATIC, Static
from app.web.public.recent import RecentPages

PROBLEM = {"model": ProblemDocument, "content": {MEDIA_TYPE: {}}}
COMMON = {
    status: {**PROBLEM, "description": text}
    for status, text in {
        400: "Not readable",
        401: "No valid token",
        403: "Not allowed",
        404: "Not here",
        409: "Does not fit the state",
        413: "Too large, or too complex",
        415: "Of a media type that is not taken",
        422: "A field cannot be accepted",
        429: "Too many requests",
    }.items()
}


def each_round(database: Database, keyring: Keyring, clock: Clock) -> None:
    """What rooms above the lists have to do, in each round of the worker `duties`.

    Raises the first failure at the end.
    """
    failures = Failures("duties")
    with failures.noted("takedowns"):
        takedown_duties.each_round(database, keyring, clock)
    with failures.noted("exchange"):
        exchange_duties.each_round(database, clock)
    with failures.noted("appeals"):
        appeals_duties.each_round(database, keyring, clock)
    with failures.noted("flags"):
        flags.look(database, clock)
    with failures.noted("report"):
        closing.each_round(database, keyring, clock)
    with failures.noted("indicators"):
        indicators.each_round(database, clock)
    failures.raise_first()


def on_served(session: Session, name: str, version: int, now: datetime) -> None:
    """What those who wait for a list's versions are told, and what authorities that read it have."""
    outbox.put(session, name, version, now)
    indicators.on_served(session, name, version, now)


DUTIES = Duties(
    before_version=votes.reopen_unbacked,
    each_round=each_round,
    outcomes=receipts.outcomes,
    rewrap=appeals_secrets.rewrap,
    on_served=on_served,
)
"""What rooms above the lists have the publisher do."""


class Application(FastAPI):
    """The framework's application, and what is asked before it."""

    in_front: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self.in_front(scope, receive, send)

    async def framework(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI, straight to the routes."""
        await super().__call__(scope, receive, send)


def create_app(
    settings: Settings,
    database: Database,
    keyring: Keyring,
    clock: Clock = system_clock,
    wake_publisher: Callable[[], None] = lambda: None,
    wake_exporter: Callable[[], None] = lambda: None,
    announcer: Announcer | None = None,
) -> FastAPI:
    """The service as an ASGI application on an initialised installation.

    `announcer` is the one that a publisher of this process speaks to.
    """
    service = Application(
        title="wardlist",
        version=app.__version__,
        summary="Signed, versioned, independently reviewed blocking lists",
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    announcer = announcer or Announcer()
    service.state.platform = Platform(
        settings, database, clock, keyring, wake_publisher, wake_exporter, announcer
    )
    service.state.gate = Gate(lambda: issuer_of(settings.address, keyring, clock()))
    standings = Standings(database)
    service.state.desk = desk = _desk(settings, database, clock, announcer, standings)
    service.state.metrics = monitoring.figures(settings, database, clock)
    monitoring.count_connections(database)
    checks = monitoring.checks(settings, database, clock)
    service.state.readiness = Readiness(checks, lambda: announcer.is_closed)
    service.state.appeals_throttle = Throttle(settings.appeals_per_hour)
    service.state.link_strangers = Strangers("too many links from your address were none")
    service.state.console_strangers = Strangers("too many answers from your address did not hold")
    service.state.peer_strangers = Strangers("too many messages from your address were refused")
    service.state.recent_pages = RecentPages()
    service.state.live = Live(database, clock, announcer)
    answer_with_problems(service)
    rules = Rules(settings.max_body_bytes, always(settings.address), Hosts(settings))
    service.state.rates = Rates.of(settings, clock)
    service.add_middleware(Heads)
    service.add_middleware(Bodies)
    service.add_middleware(Paced, rates=service.state.rates)
    service.add_middleware(Edge, rules=rules)
    service.state.repeats = Repeats(desk, standings, clock)
    service.in_front = Hot(service.framework, desk, service.state.repeats, service.state.gate, clock, rules)
    service.include_router(health.router)
    service.include_router(identity.router, responses={code: COMMON[code] for code in (404, 413, 422)})
    service.include_router(log.router, responses={code: COMMON[code] for code in (404, 422)})
    service.include_router(report_routes.router, responses={code: COMMON[code] for code in (404, 422)})
    service.include_router(
        answer_routes.router, responses={code: COMMON[code] for code in (400, 404, 413, 422)}
    )
    for router in (
        identity.members,
        entries.router,
        reviews.router,
        lists.router,
        distribution.router,
        coverage_routes.router,
        webhook_routes.router,
        taxii_routes.router,
        audit.router,
        audit.figures,
        appeals.router,
        takedown.router,
        contact_routes.router,
        peer_routes.router,
    ):
        service.include_router(router, responses=COMMON)  # type: ignore[arg-type]
    for router in web.ROUTERS:
        service.include_router(router)
    service.mount(STATIC, Static(), name="static")
    return service


def _desk(
    settings: Settings, database: Database, clock: Clock, announcer: Announcer, standings: Standings
) -> Desk:
    shelf = Shelf(database, Repository(settings.public, settings.keys))
    room, limits = WaitingRoom(standings, announcer), PollLimits(settings.poll_burst)
    return Desk(standings, shelf, room, limits, clock)
