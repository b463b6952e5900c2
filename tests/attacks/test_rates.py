"""Who asks too often: each client for itself, each address for itself, and nobody pays for somebody else."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.terms import Kind
from app.identity.permissions import MAY_HOLD
from app.identity.tokens import Issuer
from app.platform import rates
from app.platform.clock import system_clock
from app.platform.rates import Group, Rates
from tests.programs.inside import Inside
from tests.programs.service import RATES, Service, new_entry

FEW = 5
PATHS = {
    Group.SIGN_INS: ("POST", "/oauth/token"),
    Group.PUBLIC: ("GET", "/transparency"),
    Group.LOG: ("GET", "/log/checkpoint"),
}


class World:
    """A service that lets each caller do five things a minute, on a clock that stands still."""

    def __init__(self, service: Service) -> None:
        self.service, self.inside = service, Inside(service.app)
        self._http = httpx.Client(transport=self.inside, base_url=service.address)
        service.clock.still_at = system_clock()
        service.add_list()
        service.publish()

    def ask(
        self, method: str, path: str, address: str = "192.0.2.1", token: str = "", **more: Any
    ) -> httpx.Response:
        self.inside.address = address
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._http.request(method, path, headers=headers, **more)

    def token(self, kind: Kind, organisation: str = "") -> str:
        organisation = organisation or self.service.organisation(kind)
        client = self.service.credentials(organisation, set(MAY_HOLD[kind])).client_id
        issuer = Issuer(self.service.address, self.service.keyring.token)
        return issuer.issue(client, organisation, {str(one) for one in MAY_HOLD[kind]}, self.service.clock())

    def later(self, seconds: float) -> None:
        self.service.clock.ahead += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("rates") / "home"
    made = World(Service(home, **dict.fromkeys(RATES, FEW)))
    yield made
    made.inside.finish()
    made.service.database.close()


def refused(answer: httpx.Response) -> bool:
    """Whether it is the 429 problem, with all that it must say."""
    if answer.status_code != 429:
        return False
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:wardlist:problem:too-many-requests"
    assert 1 <= int(answer.headers["retry-after"]) <= 60 / FEW
    assert f"q={FEW};w=60" in answer.headers["ratelimit-policy"]
    assert ";r=0;t=" in answer.headers["ratelimit"]
    return True


@pytest.mark.parametrize("group", PATHS)
def test_an_address_that_asks_too_often_waits(world: World, group: Group) -> None:
    method, path = PATHS[group]
    for number in range(FEW):
        answer = world.ask(method, path)
        assert answer.status_code in (200, 400), answer.text
        assert answer.headers["ratelimit"].startswith(f'"{group}";r={FEW - 1 - number};t=')
        assert answer.headers["ratelimit-policy"] == f'"{group}";q={FEW};w=60'
    answer = world.ask(method, path)
    assert refused(answer)
    assert world.ask(method, path, "192.0.2.2").status_code in (200, 400)
    world.later(int(answer.headers["retry-after"]))
    assert world.ask(method, path).status_code in (200, 400)
    assert refused(world.ask(method, path))


def test_a_network_of_ipv6_is_one_address(world: World) -> None:
    answers = [world.ask("GET", "/transparency", f"2001:db8:1:2::{number:x}") for number in range(FEW + 1)]
    assert [refused(one) for one in answers] == [False] * FEW + [True]
    assert not refused(world.ask("GET", "/transparency", "2001:db8:1:3::1"))
    assert refused(world.ask("GET", "/transparency", "2001:db8:1:2:ffff::1"))


def test_a_mapped_address_is_the_one_it_maps(world: World) -> None:
    for number in range(FEW):
        assert not refused(world.ask("GET", "/transparency", ("192.0.2.77", "::ffff:192.0.2.77")[number % 2]))
    assert refused(world.ask("GET", "/transparency", "::ffff:192.0.2.77"))


def test_a_client_reads_and_writes_by_measures_of_its_own(world: World) -> None:
    token = world.token(Kind.HOTLINE)
    for number in range(FEW):
        body = new_entry(f"https://{number}.example.test/")
        assert world.ask("POST", "/v1/entries", token=token, json=body).status_code == 201
    assert refused(world.ask("POST", "/v1/entries", token=token, json=new_entry("https://z.example.test/")))
    for _ in range(FEW):
        answer = world.ask("GET", "/v1/entries", token=token)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert refused(world.ask("GET", "/v1/entries", token=token))
    assert refused(world.ask("GET", "/v1/entries", "192.0.2.99", token=token)), (
        "another address, the same client"
    )


def test_a_second_token_is_no_second_measure_and_a_second_client_is(world: World) -> None:
    organisation = world.service.organisation(Kind.HOTLINE)
    one, other = (world.token(Kind.HOTLINE, organisation) for _ in range(2))
    for _ in range(FEW):
        assert not refused(world.ask("GET", "/v1/entries", token=one))
    assert refused(world.ask("GET", "/v1/entries", token=one))
    assert not refused(world.ask("GET", "/v1/entries", token=other))


@pytest.mark.parametrize("path", ["/transparency", "/log/checkpoint", "/console/sign-in"])
def test_an_authorization_that_nobody_looks_at_spares_nobody(world: World, path: str) -> None:
    address = f"198.51.100.{len(path)}"
    answers = [world.ask("GET", path, address, token="nonsense") for _ in range(FEW + 1)]
    assert [refused(one) for one in answers] == [False] * FEW + [True]


def test_a_token_that_is_none_spends_nobodys_measure(world: World) -> None:
    for _ in range(FEW + 3):
        assert world.ask("GET", "/v1/entries", "192.0.2.50", token="nonsense").status_code in (401, 429)
    assert not refused(world.ask("GET", "/transparency", "192.0.2.50"))


def test_probes_are_answered_whatever_else_comes(world: World) -> None:
    for _ in range(3 * FEW):
        assert world.ask("GET", "/healthz", "192.0.2.60").status_code == 200


def test_pages_of_the_console_count_too(world: World) -> None:
    answers = [world.ask("GET", "/console/sign-in", "192.0.2.70") for _ in range(FEW + 1)]
    assert answers[-1].status_code == 429
    assert 429 not in [one.status_code for one in answers[:-1]]


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST", 10)
    held = Rates(dict.fromkeys(Group, FEW), system_clock)
    for number in range(100):
        held.of_address(Group.PUBLIC, f"192.0.2.{number}")
        held.of_client("POST", f"client-{number}")
    assert len(held) == 20
