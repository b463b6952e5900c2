"""Every router of pages."""

from fastapi import APIRouter

from app.web.console import (
    account,
    appeals,
    deciding,
    due,
    live,
    pacing,
    provider,
    queue,
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
    transparency.router,
    stop.router,
    appeal.router,
    reference.router,
)
