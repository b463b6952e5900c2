"""The pages of a notice's link: no script, nothing of another host, and never an address of material.

The words of each language stand in templates; a browser's Accept-Language chooses, otherwise the
language of the notice. Nothing of a page is to be kept, indexed, framed, or told to where one goes from it.
"""

import base64
import hashlib
import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.core.terms import ProviderAnswer, RefusalReason
from app.platform.problems import Problem
from app.takedown.answers.service import Found, Use

_FOLDER = Path(__file__).parent / "templates"
_STYLE = (_FOLDER / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'self'; "
    f"frame-ancestors 'none'; style-src 'sha256-{_STYLE_HASH}'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
_CLOSED = {Use.SETTLED: 409, Use.ENDED: 410, Use.USED: 410, Use.EXPIRED: 410}
_REFUSED = {"not-found": "unknown", "too-many-requests": "too_many"}
_FAULTS = {None: 200, "answer": 422, "reason": 422, "conflict": 409}


def question(found: Found, due: tuple[datetime, datetime], spoken: str, fault: str | None) -> HTMLResponse:
    """What is asked, until when, and the form; with what was wrong in the one before."""
    members = {
        "reference": found.entry.id,
        "answer_by": due[0],
        "remove_by": due[1],
        "choices": found.choices,
        "is_acknowledged": ProviderAnswer.ACKNOWLEDGED not in found.choices,
        "reasons": list(RefusalReason),
        "fault": fault,
        "until": found.link.expires_at,
    }
    return _page("question.html", spoken, _FAULTS[fault], **members)


def recorded(said: ProviderAnswer, spoken: str) -> HTMLResponse:
    """The answer was taken in."""
    return _page("said.html", spoken, 200, what=f"recorded_{said.value}")


def closed(use: Use, spoken: str) -> HTMLResponse:
    """Nothing is asked by this link any more, and why."""
    return _page("said.html", spoken, _CLOSED[use], what=use.value)


def refused(problem: Problem, spoken: str) -> HTMLResponse:
    """What is no link, or too many of those. Raises any other problem."""
    if problem.code not in _REFUSED:
        raise problem
    page = _page("said.html", spoken, problem.status, what=_REFUSED[problem.code])
    page.headers.update(problem.headers)
    return page


def _page(template: str, spoken: str, status: int, **members: Any) -> HTMLResponse:
    rendered = (
        _environment()
        .get_template(template)
        .render(words=words(spoken), language=spoken, style=_STYLE, **members)
    )
    return HTMLResponse(rendered, status, {**HEADERS, "Content-Language": spoken, "Vary": "Accept-Language"})


@cache
def words(spoken: str) -> dict[str, Any]:
    """Every text of a page in a language."""
    found: dict[str, Any] = json.loads((_FOLDER / f"{spoken}.json").read_text(encoding="utf-8"))
    return found


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["moment"] = lambda moment: moment.strftime("%Y-%m-%d %H:%M UTC")
    return made
