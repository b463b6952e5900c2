"""Routes that answer people: a refusal is a page, and whoever is not signed in is asked to.

A reviewer whose work is done for today is told so in the place of one more entry.

Whatever is answered, a redirect or a file too, has the headers of a page.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.responses import Response

from app.identity.people.pace import Spent
from app.platform.problems import Problem
from app.web.access import Elsewhere, SignedOut
from app.web.pages import HEADERS, page, problem_page

SIGN_IN = "/console/sign-in"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """The route class of every router of pages."""

    def get_route_handler(self) -> Handler:
        """The framework's, with its refusals as pages."""
        answer = super().get_route_handler()

        async def as_page(request: Request) -> Response:
            try:
                return _guarded(await answer(request))
            except SignedOut:
                return _guarded(_to(request, SIGN_IN))
            except Elsewhere:
                return _guarded(_elsewhere(request))
            except Spent:
                return page(request, "console/rest.html", request.state.visitor, 403)
            except Problem as problem:
                return problem_page(request, problem)
            except RequestValidationError:
                return problem_page(request, Problem("not-found", "there is no such page"))

        return as_page


def _guarded(answer: Response) -> Response:
    """With the headers of a page where it has none of its own."""
    if "content-security-policy" not in answer.headers:
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
    return answer


def _to(request: Request, path: str) -> Response:
    """There, by the browser itself also when only a part of a page was asked for."""
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)


def _elsewhere(request: Request) -> Response:
    origin = request.app.state.platform.settings.console
    if request.method != "GET":
        return problem_page(request, Problem("forbidden", "open the console under its own name"))
    return RedirectResponse(f"{origin}{request.url.path}", 307)
