"""What every answer says of itself, and under which names the service answers at all."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi.routing import APIRoute

from app.client.session import Connection
from app.core.terms import Kind
from app.web.routes import ROUTERS
from tests.attacks import authorisation
from tests.attacks.authorisation import Route
from tests.programs.inside import Inside
from tests.programs.service import LIST, Service

Shared = tuple[Service, Connection]
NAME = "wardlist.example"
PAGES = sorted(
    {
        (method, route.path)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in (route.methods or set()) - {"HEAD"}
    }
)
DECLARED: list[Route] = [*authorisation.api(), *authorisation.public()]
EVERY = [(row.method, row.path) for row in DECLARED] + PAGES


class World:
    """A service under a name of its own, with TLS before it."""

    def __init__(self, service: Service) -> None:
        self.service, self._inside = service, Inside(service.app)
        self.http = httpx.Client(transport=self._inside, base_url=f"https://{NAME}")
        service.add_list()
        isp = service.organisation(Kind.ISP)
        service.subscribe(isp)
        service.publish()
        with service.connect(Kind.ISP, isp, transport=self._inside) as connection:
            self.token = connection.token()

    def close(self) -> None:
        self._inside.finish()
        self.service.database.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(Service(tmp_path_factory.mktemp("headers") / "home", issuer=f"https://{NAME}"))
    yield made
    made.close()


def filled(path: str) -> str:
    known = {"{list}": LIST, "{version}": "1", "{format}": "jsonl", "{file}": "timestamp.json"}
    return "/".join(known.get(part, "nothing" if "{" in part else part) for part in path.split("/"))


def check(answer: httpx.Response, name: str) -> None:
    said = answer.headers
    assert said["x-content-type-options"] == "nosniff", name
    assert "default-src 'none'" in said["content-security-policy"], name
    assert "frame-ancestors 'none'" in said["content-security-policy"], name
    assert said["referrer-policy"] in ("no-referrer", "same-origin"), name
    assert said["cross-origin-resource-policy"] == "same-origin", name
    assert said["strict-transport-security"].startswith("max-age=31536000"), name
    assert "server" not in said, name
    assert len(said["x-request-id"]) == 32, name
    assert len(said.get_list("cache-control")) <= 1, name
    assert len(said.get_list("content-security-policy")) == 1, name
    assert "access-control-allow-origin" not in said, name


def test_every_answer_of_every_route_guards_itself(world: World) -> None:
    for method, path in EVERY:
        if path != "/console/live":
            answer = world.http.request(method, filled(path))
            check(answer, f"{method} {path}")
            if answer.status_code >= 400:
                assert "no-store" in answer.headers["cache-control"], path


def test_what_was_answered_to_a_token_is_in_no_shared_cache(world: World) -> None:
    said = {"Authorization": f"Bearer {world.token}"}
    for row in authorisation.api():
        answer = world.http.request(row.method, filled(row.path), headers=said)
        check(answer, row.name)
        kept = answer.headers["cache-control"]
        assert "no-store" in kept or "private" in kept, row.name


@pytest.mark.parametrize("path", ["/nowhere", "/v1/entries/%00", "/static/nothing", "/console/nothing"])
def test_refusals_that_no_route_makes_guard_themselves(world: World, path: str) -> None:
    check(world.http.get(path), path)
    check(world.http.patch(path), path)


def test_without_tls_nobody_is_told_to_insist_on_it(shared: Shared) -> None:
    answer = httpx.get(f"{shared[0].address}/healthz")
    assert "strict-transport-security" not in answer.headers
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "host", [NAME, f"{NAME}:8443", NAME.upper(), "localhost", "127.0.0.1", "[2001:db8::1]:443"]
)
def test_the_service_answers_under_its_name_and_by_address(world: World, host: str) -> None:
    assert world.http.get("/transparency", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "elsewhere.example",
        f"{NAME}.elsewhere.example",
        f"elsewhere.example@{NAME}",
        f"{NAME}@elsewhere.example",
        "localhost.elsewhere.example",
        "127.0.0.1.elsewhere.example",
        "",
        "[",
        "a" * 400,
    ],
)
def test_no_other_name_is_answered(world: World, host: str) -> None:
    answer = world.http.get("/transparency", headers={"Host": host})
    assert (answer.status_code, answer.json()["type"]) == (421, "urn:wardlist:problem:host-unknown")
    check(answer, host)
    for probe in ("/healthz", "/readyz", "/metrics"):
        assert world.http.get(probe, headers={"Host": host}).status_code == 200


def test_a_request_names_one_host(world: World) -> None:
    twice = world.http.get("/transparency", headers=[("Host", NAME), ("Host", NAME)])
    assert (twice.status_code, twice.json()["type"]) == (400, "urn:wardlist:problem:host-missing")


def test_nothing_is_made_of_the_name_that_was_asked(world: World) -> None:
    """A cache or a mail in between could be led elsewhere by it."""
    said = {
        "Host": "localhost",
        "X-Forwarded-Host": "elsewhere.example",
        "Forwarded": "host=elsewhere.example",
    }
    for path in ("/.well-known/oauth-authorization-server", "/transparency", "/appeal", "/v1/lists"):
        answer = world.http.get(path, headers={**said, "Authorization": f"Bearer {world.token}"})
        assert "elsewhere.example" not in answer.text + str(answer.headers)
