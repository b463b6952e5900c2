"""What every public page has: the reader's language, how long it may be kept, and nothing about who reads.

No public page looks at a session or sets a cookie. The browser's Accept-Language chooses among en, fr and de;
`?in=` is said by the page's own links to the other languages. Source: RFC 9110, section 12.5.4.
"""

import gettext
import json
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import pycountry
from fastapi import Request
from fastapi.responses import HTMLResponse

from app.platform.languages import LANGUAGES, language
from app.platform.problems import Problem
from app.web.pages import HERE, page

LASTS = "public, max-age=600"
"""For how long anybody may keep what changes with a list's policy only."""
_FOLDER = HERE / "templates" / "public"
_LONGEST_WISH = 1000


def spoken_page(
    request: Request, template: str, status: int = 200, is_kept: bool = False, **members: Any
) -> HTMLResponse:
    """A page in the reader's language; with `is_kept` anybody may keep it, else nobody does."""
    spoken = _spoken(request)
    shown: dict[str, Any] = {
        "language": spoken,
        "words": words(spoken),
        "languages": _others(request),
        "said": _said(request),
    }
    answer = page(request, f"public/{template}", status=status, **shown, **members)
    answer.headers["Content-Language"], answer.headers["Vary"] = spoken, "Accept-Language"
    if is_kept:
        answer.headers["Cache-Control"] = LASTS
    return answer


@cache
def words(spoken: str) -> dict[str, Any]:
    """Every text of the spoken pages in a language."""
    found: dict[str, Any] = json.loads((_FOLDER / f"{spoken}.json").read_text(encoding="utf-8"))
    return found


def country(code: str, spoken: str = LANGUAGES[0]) -> str:
    """A state's name (ISO 3166-1) in a language; the code where there is none."""
    found = pycountry.countries.get(alpha_2=code)
    return _countries(spoken).gettext(getattr(found, "common_name", found.name)) if found else code


def refuse_other_sites(request: Request) -> None:
    """A form of these pages comes from these pages, as far as a browser says. Raises a 403 problem.

    To file is everybody's right, so a program that says nothing of where it comes from may.
    """
    said, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_ours = said in (None, "same-origin") and (
        origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
    )
    if not is_ours:
        raise Problem("forbidden", "this was sent from another site; open the page here and send it again")


@cache
def _countries(spoken: str) -> gettext.NullTranslations:
    return gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=[spoken], fallback=True)


def _spoken(request: Request) -> str:
    asked = request.query_params.get("in", "")
    return (
        asked if asked in LANGUAGES else language(request.headers.get("accept-language", "")[:_LONGEST_WISH])
    )


def _said(request: Request) -> str:
    """What keeps to a chosen language, at the end of an address of these pages."""
    asked = request.query_params.get("in", "")
    return f"?in={asked}" if asked in LANGUAGES else ""


def _others(request: Request) -> list[tuple[str, str, str]]:
    """(code, own name, address) of the page in the other languages; none of an answer to a form."""
    if request.method != "GET":
        return []
    more = {name: value[:63] for name, value in request.query_params.items() if name == "list"}
    spoken = _spoken(request)
    return [
        (code, words(code)["name"], f"?{urlencode({'in': code, **more})}")
        for code in LANGUAGES
        if code != spoken
    ]
