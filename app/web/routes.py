"""Every router of pages."""

from fastapi import APIRouter

from app.web.console import (
    account,
    appeals,
    brakes,
    conflicts,
    deciding,
    due,
    exports,
    live,
    organisations,
    pacing,
    people,
    provider,
    published,
    queue,
    removal,
    reviewing,
    signing_in,
    submissions,
    takedowns,
)
from app.web.public import appeal, reference, stop, transparency

ROUTERS: tuple[APIRouter, ...] = (
    signing_in.router,
    account.router,
    queue.router,
    reviewing.router,
    deciding.router,
    appeals.router,
    pacing.router,
    live.router,
    submissions.router,
    due.router,
    takedowns.router,
    provider.router,
    brakes.router,
    organisations.router,
    people.router,
    conflicts.router,
    published.router,
    removal.router,
    exports.router,
    transparency.router,
    stop.router,
    appeal.router,
    reference.router,
)
