"""Pages are rendered here, from templates that escape everything, under one strict policy.

No script or style stands inside a page, nothing comes from another host, and no page is framed. Sources: CSP
Level 3; OWASP HTTP Headers Cheat Sheet.
"""

import hashlib
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.identity.people.sessions import Visitor
from app.platform.problems import Problem
from app.web import counters
from app.web.menu import menu_of

HERE = Path(__file__).parent
STATIC = "/static"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), publickey-credentials-get=(self), "
    "publickey-credentials-create=(self)",
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
"""Of every page. A public one that may be kept or found says so instead."""


def page(
    request: Request, template: str, visitor: Visitor | None = None, status: int = 200, **members: Any
) -> HTMLResponse:
    """A page, or with an `HX-Request` whatever part of it the template gives."""
    shown = {
        "visitor": visitor,
        "menu": menu_of(visitor),
        "counters": partial(counters.of_visitor, request, visitor),
        "path": request.url.path,
        "is_part": request.headers.get("hx-request") == "true",
        **members,
    }
    return HTMLResponse(environment().get_template(template).render(shown), status, HEADERS)


def problem_page(request: Request, problem: Problem) -> HTMLResponse:
    """A refusal as a page: what is wrong, and what to do."""
    answer = page(
        request, "problem.html", getattr(request.state, "visitor", None), problem.status, problem=problem
    )
    answer.headers.update(problem.headers)
    return answer


@cache
def asset(name: str) -> str:
    """The address of a static file, another one when its content is another."""
    content = (HERE / "static" / name).read_bytes()
    return f"{STATIC}/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


class Static(StaticFiles):
    """Scripts and styles; a browser keeps each for a year, for its address names its content."""

    def __init__(self) -> None:
        super().__init__(directory=HERE / "static")

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file."""
        answer = await super().get_response(path, scope)
        if answer.status_code in (200, 304):
            answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


@cache
def environment() -> Environment:
    """The templates, and what they may use."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["asset"] = asset
    made.filters["moment"] = _moment
    made.filters["day"] = lambda moment: moment.strftime("%Y-%m-%d") if moment else "–"
    made.filters["words"] = lambda code: str(code).replace("_", " ")
    made.filters["number"] = lambda number: f"{number:,}"
    made.filters["short"] = lambda text: str(text)[:8]
    return made


def _moment(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else "–"
