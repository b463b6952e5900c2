"""What is there beside the rules of each route, which are tests/attacks/test_matrix.py's."""

import re
from collections.abc import Iterator

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from app.identity.permissions import MAY_HOLD, Scope
from app.platform.problems import Problem
from tests.attacks import authorisation
from tests.attacks.authorisation import Route
from tests.programs.service import Service, running

DECLARED: list[Route] = [*authorisation.api(), *authorisation.public()]
METHODS = ("GET", "HEAD")
NAMES = [row.name for row in DECLARED]


class World:
    """A service with a list, and clients of every kind."""

    def __init__(self, service: Service) -> None:
        self.service = service
        service.add_list()
        self.organisations = {kind: service.organisation(kind) for kind in Kind}
        service.subscribe(self.organisations[Kind.ISP])

    def token(self, organisation: str, scopes: frozenset[Scope]) -> str:
        with Connection(self.service.credentials(organisation, set(scopes))) as connection:
            return connection.token()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(Service(tmp_path_factory.mktemp("routes") / "home")) as up:
        yield World(up)


def test_every_route_is_documented(world: World) -> None:
    documented = world.service.app.openapi()["paths"]
    for row in DECLARED:
        if row.path != "/openapi.json":
            assert row.method.lower() in documented[row.path.replace(":path", "")], row.name


@pytest.mark.parametrize("kind", Kind)
def test_no_client_can_hold_a_scope_beyond_its_kind(world: World, kind: Kind) -> None:
    for scope in set(Scope) - MAY_HOLD[kind]:
        with pytest.raises(Problem) as refused:
            world.service.credentials(world.organisations[kind], {scope})
        assert refused.value.errors[0]["field"] == "scope"


def test_a_provider_without_subscription_sees_no_list(world: World) -> None:
    token = world.token(world.service.organisation(Kind.ISP), MAY_HOLD[Kind.ISP])
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{world.service.address}/v1/lists", headers=headers).json() == {"lists": []}


@pytest.mark.parametrize(
    "path",
    [
        "/tuf/targets/lists/national-url/../../../keys/token.jwk.json",
        "/tuf/targets/lists/national-url/%2e%2e/%2e%2e/x",
        "/tuf/targets/lists/national-url/.writing-1",
        "/tuf/targets/wardlist.db",
        "/tuf/metadata/..%2f..%2fkeys%2ftoken.jwk.json",
        "/tuf/metadata/root.pem",
        "/nowhere",
    ],
)
def test_nothing_outside_the_repository_is_served(world: World, path: str) -> None:
    headers = {"Authorization": f"Bearer {world.token(world.organisations[Kind.ISP], MAY_HOLD[Kind.ISP])}"}
    answer = httpx.get(world.service.address + path, headers=headers)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_docs_ask_no_other_host(world: World) -> None:
    page = httpx.get(world.service.address + "/docs").text
    assets = re.findall(r'(?:src|<link [^>]*href)="([^"]+)"', page)
    assert len(assets) >= 2
    for asset in assets:
        assert asset.startswith("/static/")
        assert httpx.get(world.service.address + asset).status_code == 200


def test_a_wrong_method_is_a_problem(world: World) -> None:
    answer = httpx.put(world.service.address + "/v1/entries")
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert answer.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("path", ["/static/pages.css", "/static/nothing", "/static/v1/entries"])
def test_files_are_for_reading(world: World, path: str) -> None:
    answer = httpx.post(world.service.address + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/log/checkpoint",
        "/v1/lists",
        "/v1/lists/national-url/snapshots",
        "/tuf/targets/lists/national-url/nothing",
        "/transparency",
        "/nowhere",
    ],
)
def test_head_is_answered_as_get_is_without_the_body(world: World, path: str) -> None:
    headers = {"Authorization": f"Bearer {world.token(world.organisations[Kind.ISP], MAY_HOLD[Kind.ISP])}"}
    asked, told = (httpx.request(method, world.service.address + path, headers=headers) for method in METHODS)
    assert (told.status_code, told.content) == (asked.status_code, b"")
    for name in ("content-type", "content-length", "cache-control", "etag"):
        assert told.headers.get(name) == asked.headers.get(name)
