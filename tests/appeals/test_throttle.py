"""How many appeals are taken: by address, by all, and without remembering who came."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.appeals import throttle
from app.appeals.throttle import ALL, Throttle
from app.platform.settings import Settings
from tests.appeals.people import URL, read, send
from tests.programs.service import Service, running

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Service]:
    """A service that takes three appeals an hour from an address."""
    with running(Service(tmp_path / "home", appeals_per_hour=3)) as up:
        up.add_list()
        up.clock.still_at = NOW
        yield up


def test_the_fourth_appeal_in_an_hour_waits_for_its_turn(strict: Service) -> None:
    assert [send(strict).status_code for _ in range(4)] == [201, 201, 201, 429]
    refused = send(strict)
    assert refused.json()["type"] == "urn:wardlist:problem:too-many-requests"
    assert refused.headers["retry-after"] == "1200"
    strict.clock.ahead += timedelta(seconds=1199)
    assert send(strict).headers["retry-after"] == "1"
    strict.clock.ahead += timedelta(seconds=1)
    taken = send(strict)
    assert taken.status_code == 201
    assert send(strict).status_code == 429
    assert read(strict, taken.json()).status_code == 200


def test_a_refused_appeal_keeps_nothing(strict: Service) -> None:
    for _ in range(3):
        send(strict)
    before = strict.state()
    assert send(strict).status_code == 429
    assert strict.state() == before


def test_malformed_appeals_count_too(strict: Service) -> None:
    assert [send(strict, "nonsense").status_code for _ in range(3)] == [422, 422, 422]
    assert send(strict, URL).status_code == 429


def test_one_address_does_not_stop_another() -> None:
    limit = Throttle(2)
    assert [limit.take("192.0.2.1", NOW) for _ in range(3)] == [0, 0, 1800]
    assert limit.take("192.0.2.2", NOW) == 0


def test_an_ipv6_network_is_one_address() -> None:
    limit = Throttle(1)
    assert limit.take("2001:db8::1", NOW) == 0
    assert limit.take("2001:db8::ffff:1", NOW) == 3600
    assert limit.take("2001:db8:0:1::1", NOW) == 0


def test_a_site_of_many_ipv6_networks_files_four_times_a_share() -> None:
    limit = Throttle(2)
    taken = [limit.take(f"2001:db8:0:{number:x}::1", NOW) for number in range(9)]
    assert taken == [0] * 8 + [450]
    assert limit.take("2001:db8:1::1", NOW) == 0


def test_an_ipv4_address_in_ipv6_form_is_that_address() -> None:
    limit = Throttle(1)
    assert limit.take("192.0.2.1", NOW) == 0
    assert limit.take("::ffff:192.0.2.1", NOW) == 3600


def test_those_who_filed_within_the_hour_leave_a_quarter_to_others() -> None:
    limit = Throttle(4)
    addresses = [f"192.0.2.{number}" for number in range(40)]
    taken = [limit.take(address, NOW) for _ in range(4) for address in addresses]
    assert taken == [0] * 150 + [18] * 10
    assert [limit.take(f"198.51.100.{number}", NOW) for number in range(51)] == [0] * 50 + [18]
    later = NOW + timedelta(hours=1)
    assert limit.take(addresses[0], later) == 0


def test_a_caller_cannot_say_who_calls(strict: Service) -> None:
    said = [{"X-Forwarded-For": f"192.0.2.{number}"} for number in range(4)]
    assert [send(strict, headers=headers).status_code for headers in said] == [201, 201, 201, 429]


def test_a_named_proxy_can(tmp_path: Path) -> None:
    settings = {"appeals_per_hour": 1, "trusted_proxies": "127.0.0.1, 192.0.2.0/28"}
    with running(Service(tmp_path / "home", **settings)) as up:
        said = [{"X-Forwarded-For": f"192.0.2.{number}"} for number in (100, 101, 100)]
        assert [send(up, headers=headers).status_code for headers in said] == [201, 201, 429]


@pytest.mark.parametrize("named", ["*", "proxy.example", "192.0.2.1/24"])
def test_a_proxy_is_named_by_its_address(named: str) -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Settings(trusted_proxies=named)


def test_all_addresses_together_have_a_limit() -> None:
    limit = Throttle(1)
    taken = [limit.take(f"192.0.2.{number}", NOW) for number in range(ALL + 2)]
    assert taken == [0] * ALL + [math.ceil(3600 / ALL)] * 2
    assert len(limit) == ALL


def test_memory_is_bounded_and_holds_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MOST", 5)
    limit = Throttle(100)
    for number in range(50):
        limit.take(f"192.0.2.{number}", NOW)
    assert len(limit) == 5
    assert "192.0.2." not in repr(vars(limit))
