"""Every page and form by every kind of organisation: who gets in, and what everybody else is told.

The routes are those of the application. docs/authorisation.md says who may come in; a page of the console
that it does not know fails, and so does one that is open to more or to fewer.
"""

from collections.abc import Iterator

import pytest

from app.core.terms import Kind
from app.identity.permissions import MAY_HOLD
from app.web.routes import ROUTERS
from tests.attacks import authorisation
from tests.attacks.authorisation import Row
from tests.programs.browser import invite
from tests.programs.service import Service, running
from tests.programs.webclient import WebClient

H = Kind.HOTLINE


PAGES = {row.name.removeprefix("any "): row for row in authorisation.pages()}
"""By method and path, or else by the longest beginning of the path that stands in docs/authorisation.md."""
SINGLE = [(kind, scope) for kind in Kind for scope in sorted(MAY_HOLD[kind])]
OPEN = ("/console/sign-in", "/console/enrol")
"""Pages of the console for people who are not signed in."""
ROUTES = sorted(
    (method, route.path)  # type: ignore[attr-defined]
    for router in ROUTERS
    for route in router.routes
    for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
)
GUARDED = [
    (method, path)
    for method, path in ROUTES
    if path.startswith("/console/") and not path.startswith(OPEN) and path != "/console/sign-out"
]
FORMS = [path for method, path in GUARDED if method == "POST"]


def rule_of(path: str, method: str = "POST") -> Row:
    if f"{method} {path}" in PAGES:
        return PAGES[f"{method} {path}"]
    known = [one for one in PAGES if path == one or path.startswith(f"{one}/")]
    assert known, f"{path} has no row in docs/authorisation.md"
    return PAGES[max(known, key=len)]


def kinds_of(path: str, method: str = "POST") -> set[Kind]:
    return {kind for kind, _ in rule_of(path, method).parts}


def filled(path: str) -> str:
    """With names of nothing in the place of its parts."""
    return "/".join("nothing-here" if part.startswith("{") else part for part in path.split("/"))


class World:
    """A service, and somebody of every kind with every scope, and with each one alone."""

    def __init__(self, service: Service) -> None:
        self.service = service
        service.add_list()
        self.people = {kind: WebClient(service, invite(service, kind)) for kind in Kind}
        self.single = {
            (kind, scope): WebClient(service, invite(service, kind, scopes={scope})) for kind, scope in SINGLE
        }
        self.stranger = WebClient(service)

    def status(self, who: WebClient, method: str, path: str) -> int:
        """How the door answers; a stream is not waited for."""
        if method == "POST":
            return who.post(filled(path)).status_code
        with who.stream(filled(path)) as answer:
            return answer.status_code


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(Service(tmp_path_factory.mktemp("strangers") / "home")) as up:
        yield World(up)


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_whoever_is_not_signed_in_is_asked_to(world: World, method: str, path: str) -> None:
    answer = world.stranger.get(filled(path)) if method == "GET" else world.stranger.post(filled(path))
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_each_kind_enters_its_own_pages_and_no_other(world: World, method: str, path: str) -> None:
    entered = {kind for kind, who in world.people.items() if world.status(who, method, path) != 403}
    assert entered == kinds_of(path, method)


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_each_scope_opens_its_own_pages_and_no_other(world: World, method: str, path: str) -> None:
    entered = {key for key, who in world.single.items() if world.status(who, method, path) != 403}
    assert entered == {
        (kind, scope) for kind, scope in SINGLE if rule_of(path, method).part(kind, frozenset({scope}))
    }


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("csrf", ["", "0" * 64], ids=["none", "another"])
def test_a_form_without_its_sessions_token_is_refused(world: World, path: str, csrf: str) -> None:
    for kind in kinds_of(path):
        answer = world.people[kind].post(filled(path), {"csrf": csrf})
        assert answer.status_code == 403, kind


@pytest.mark.parametrize("path", [path for method, path in ROUTES if method == "POST"])
@pytest.mark.parametrize(
    "said",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
    ids=["cross-site", "same-site", "origin", "opaque"],
)
def test_a_form_of_another_site_is_refused(world: World, path: str, said: dict[str, str]) -> None:
    kind = min(kinds_of(path)) if path.startswith("/console/") and not path.startswith(OPEN) else H
    assert world.people[kind].post(filled(path), None, **said).status_code == 403


def test_a_form_that_says_nothing_of_where_it_comes_from_is_refused(world: World) -> None:
    silent = WebClient(world.service)
    silent.origin = silent.fetch_site = None
    for path in ("/console/sign-in/options", "/console/account/sessions/end"):
        assert silent.post(path).status_code == 403


def test_the_console_has_one_name(world: World) -> None:
    answer = world.stranger.get("/console/sign-in?x=1", Host=f"127.0.0.1:{world.service.settings.port}")
    assert answer.status_code == 307
    assert answer.headers["location"] == f"{world.service.settings.console}/console/sign-in"
    sent = world.people[H].post("/console/account/sessions/end", None, Host="elsewhere.example")
    assert sent.status_code == 421
    sent = world.people[H].post("/console/account/sessions/end", None, Host="127.0.0.1:1")
    assert sent.status_code == 403
