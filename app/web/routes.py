"""Every router of pages."""

from fastapi import APIRouter

from app.web.console import account, signing_in

ROUTERS: tuple[APIRouter, ...] = (signing_in.router, account.router)
