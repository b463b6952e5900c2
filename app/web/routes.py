"""Every router of pages."""

from fastapi import APIRouter

from app.web.console import account, due, live, provider, signing_in, submissions, takedowns
from app.web.public import appeal, reference, stop, transparency

ROUTERS: tuple[APIRouter, ...] = (
    signing_in.router,
    account.router,
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
