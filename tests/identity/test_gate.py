"""Tokens at the door: what was verified is not verified again, and who sends many bad ones is held off."""

from datetime import timedelta

import httpx

from app.client.session import Connection
from app.core import jose
from app.core.terms import Kind
from app.platform.strangers import REFUSED_AT_ONCE, SECONDS_A_REFUSED_ONE
from tests.programs.service import LIST, Service

PATHS = ["/v1/lists", f"/v1/lists/{LIST}/snapshots/latest"]


def forged(number: int) -> str:
    """A token in the right form, signed by somebody else."""
    body = f'{{"client_id":"{number}"}}'.encode()
    return jose.sign(body, jose.generate(), typ="at+jwt")


def status(service: Service, token: str, path: str = PATHS[0]) -> httpx.Response:
    return httpx.get(service.address + path, headers={"Authorization": f"Bearer {token}"})


def test_many_bad_tokens_are_not_even_looked_at(service: Service, provider: Connection) -> None:
    service.clock.still_at = service.clock()
    assert provider.send("GET", PATHS[0]).status_code == 200
    answers = [status(service, forged(number), PATHS[number % 2]) for number in range(REFUSED_AT_ONCE)]
    assert {answer.status_code for answer in answers} == {401}
    for path in PATHS:
        refused = status(service, forged(99), path)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
        assert refused.json()["type"] == "urn:wardlist:problem:too-many-requests"
    assert provider.send("GET", PATHS[0]).status_code == 200
    service.clock.ahead += timedelta(seconds=SECONDS_A_REFUSED_ONE)
    found = [status(service, forged(number)).status_code for number in (100, 101)]
    assert found == [401, 429]


def test_what_is_no_token_costs_nothing_and_is_refused_as_ever(service: Service) -> None:
    found = {
        status(service, f"nonsense{number}", PATHS[1]).status_code for number in range(2 * REFUSED_AT_ONCE)
    }
    assert found == {401}


def test_two_tokens_are_none(service: Service) -> None:
    with service.connect(Kind.HOTLINE) as client:
        shown = [("Authorization", f"Bearer {client.token()}"), ("Authorization", "Bearer another")]
        for headers in (shown, shown[::-1]):
            answers = [httpx.get(service.address + path, headers=headers) for path in PATHS]
            assert [answer.status_code for answer in answers] == [401, 401]
        assert status(service, client.token()).status_code == 200


def test_a_token_that_was_verified_ends_with_its_time_and_with_its_client(service: Service) -> None:
    with service.connect(Kind.HOTLINE) as client:
        token = client.token()
        assert [status(service, token).status_code for _ in range(2)] == [200, 200]
        service.clock.ahead += timedelta(minutes=10)
        expired = status(service, token)
        assert (expired.status_code, expired.json()["detail"][:21]) == (401, "the token has expired")
        service.clock.ahead -= timedelta(minutes=11)
        assert status(service, token).status_code == 401
        service.clock.ahead += timedelta(minutes=1)
        assert status(service, token).status_code == 200
