"""Brakes: an implausible version is held, and two organisations who see the exact difference release it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from app.client.session import Connection
from app.core.replay import Replay
from app.core.replay.state import Deviation
from app.core.terms import Kind
from app.identity import service as identity
from app.lists import snapshots
from app.platform.clock import instant
from tests.programs.service import LIST, Service, approve, leaves, new_entry, recorded, replay, signed_review

BRAKE = f"/v1/lists/{LIST}/brake"
RELEASE = f"{BRAKE}/release"


@dataclass(frozen=True)
class Held:
    """People of three operator organisations, the id of the first one's, and a version that waits."""

    first: str
    one: Connection
    two: Connection
    three: Connection


@pytest.fixture
def service(service: Service) -> Service:
    """The list brakes at more than three changes."""
    with service.connect(Kind.OPERATOR) as operator:
        seen = operator.request("GET", f"/v1/lists/{LIST}/policy").json()
        change = {**seen["policy"], "brake_changes": 3, "brake_free": 2, "base_version": 1}
        operator.request("PUT", f"/v1/lists/{LIST}/policy", json=change)
    return service


@pytest.fixture
def operators(service: Service) -> Iterator[tuple[Connection, Connection]]:
    """People of two operator organisations."""
    with service.connect(Kind.OPERATOR) as one, service.connect(Kind.OPERATOR) as two:
        yield one, two


def submit(hotline: Connection, reviewer: Connection, count: int, word: str = "n") -> list[str]:
    bodies = [new_entry(f"https://{word}{number}.example.test/") for number in range(count)]
    entries = hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()["entries"]
    for entry in entries:
        body = signed_review(entry, reviewer.credentials.private_jwk, signed={"iat": int(reviewer.clock())})
        reviewer.request("POST", f"/v1/entries/{entry['id']}/reviews", json=body)
    return [entry["id"] for entry in entries]


def newest(hotline: Connection) -> tuple[int, int]:
    seen = hotline.send("GET", f"/v1/lists/{LIST}/snapshots/latest")
    return (seen.json()["version"], seen.json()["entry_count"]) if seen.status_code == 200 else (0, 0)


def test_a_version_over_the_brake_is_held_and_the_last_one_stays(
    service: Service, hotline: Connection, reviewer: Connection, operators: tuple[Connection, Connection]
) -> None:
    submit(hotline, reviewer, 2)
    service.publish()
    many = submit(hotline, reviewer, 4, "m")
    service.publish()
    service.publish()
    assert newest(hotline) == (1, 2)
    held = operators[0].request("GET", BRAKE).json()
    assert (held["engaged"], held["reason"], held["removed"]) == (True, "additions", [])
    assert sorted(held["added"]) == sorted(many)
    with service.database.reading() as session:
        engaged = [leaf for leaf in leaves(session) if leaf["type"] == "brake.engaged"]
    assert [(leaf["added"], leaf["difference_sha256"]) for leaf in engaged] == [
        (4, held["difference_sha256"])
    ]
    replay(service)


def test_two_organisations_release_what_is_held(
    service: Service, hotline: Connection, reviewer: Connection, operators: tuple[Connection, Connection]
) -> None:
    submit(hotline, reviewer, 4)
    service.publish()
    one, two = operators
    first = one.request("POST", RELEASE).json()
    assert (first["engaged"], len(first["releases"])) == (True, 1)
    service.publish()
    assert newest(hotline) == (0, 0)
    assert two.request("POST", RELEASE).json()["engaged"] is False
    service.publish()
    assert newest(hotline) == (1, 4)
    assert one.request("GET", BRAKE).json()["engaged"] is False
    replay(service)


def test_two_operators_of_one_organisation_cannot_release(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    submit(hotline, reviewer, 4)
    service.publish()
    organisation = service.organisation(Kind.OPERATOR)
    with (
        service.connect(Kind.OPERATOR, organisation) as one,
        service.connect(Kind.OPERATOR, organisation) as colleague,
    ):
        one.request("POST", RELEASE)
        for again in (one, colleague):
            answer = again.send("POST", RELEASE)
            assert answer.status_code == 409
            assert answer.json()["type"] == "urn:wardlist:problem:second-organisation-needed"
    service.publish()
    assert newest(hotline) == (0, 0)


def test_a_word_counts_for_the_difference_it_was_given_on(
    service: Service, hotline: Connection, reviewer: Connection, operators: tuple[Connection, Connection]
) -> None:
    submit(hotline, reviewer, 4)
    service.publish()
    one, two = operators
    one.request("POST", RELEASE)
    submit(hotline, reviewer, 1, "late")
    seen = two.request("POST", RELEASE).json()
    assert (seen["engaged"], len(seen["added"]), len(seen["releases"])) == (True, 5, 1)
    assert one.request("POST", RELEASE).json()["engaged"] is False
    service.publish()
    assert newest(hotline) == (1, 5)
    replay(service)


def test_what_comes_after_a_release_and_before_the_version_is_not_let_out(
    service: Service, hotline: Connection, reviewer: Connection, operators: tuple[Connection, Connection]
) -> None:
    submit(hotline, reviewer, 4)
    service.publish()
    for operator in operators:
        operator.request("POST", RELEASE)
    submit(hotline, reviewer, 1, "late")
    service.publish()
    assert newest(hotline) == (0, 0)
    assert operators[0].request("GET", BRAKE).json()["engaged"] is True
    replay(service)


def test_the_brake_ends_by_itself_when_little_is_left(
    service: Service, hotline: Connection, reviewer: Connection, operators: tuple[Connection, Connection]
) -> None:
    many = submit(hotline, reviewer, 4)
    service.publish()
    hotline.request("POST", f"/v1/entries/{many[0]}/withdrawal")
    hotline.request("POST", f"/v1/entries/{many[1]}/withdrawal")
    service.publish()
    assert newest(hotline) == (1, 2)
    assert operators[0].request("GET", BRAKE).json() == {
        "list": LIST,
        "engaged": False,
        "reason": None,
        "engaged_at": None,
        "difference_sha256": None,
        "added": [],
        "removed": [],
        "releases": [],
    }
    replay(service)


def test_a_mass_withdrawal_is_held_too(
    service: Service, hotline: Connection, reviewer: Connection, operators: tuple[Connection, Connection]
) -> None:
    some = submit(hotline, reviewer, 2)
    service.publish()
    service.clock.ahead += timedelta(days=2)
    some += submit(hotline, reviewer, 2, "m")
    service.publish()
    assert newest(hotline) == (2, 4)
    for entry in some:
        hotline.request("POST", f"/v1/entries/{entry}/withdrawal")
    service.publish()
    assert newest(hotline) == (2, 4)
    held = operators[0].request("GET", BRAKE).json()
    assert (held["reason"], sorted(held["removed"])) == ("withdrawals", sorted(some))
    for operator in operators:
        operator.request("POST", RELEASE)
    service.publish()
    assert newest(hotline) == (3, 0)
    replay(service)


@pytest.mark.parametrize("how", ["emergency", "removed", "erased", "overdue"])
def test_what_must_leave_leaves_while_the_brake_is_engaged(
    service: Service,
    hotline: Connection,
    reviewer: Connection,
    operators: tuple[Connection, Connection],
    how: str,
) -> None:
    gone, kept = submit(hotline, reviewer, 2)
    service.publish()
    submit(hotline, reviewer, 4, "m")
    service.publish()
    leave(service, hotline, operators[0], gone, how)
    service.publish()
    assert newest(hotline) == (2, 0 if how == "overdue" else 1)
    seen = hotline.request("GET", f"/v1/entries/{kept}").json()
    assert seen["status"] == ("delisted" if how == "overdue" else "listed")
    replay(service)


def leave(service: Service, hotline: Connection, operator: Connection, entry: str, how: str) -> None:
    if how == "emergency":
        operator.request("POST", "/v1/entries/emergency-delisting", json={"entries": [entry]})
    elif how == "removed":
        body = {"outcome": "removed", "checked_at": instant(service.clock())}
        hotline.request("POST", f"/v1/entries/{entry}/rechecks", json=body)
    elif how == "erased":
        operator.request("POST", f"/v1/entries/{entry}/erasure", json={"reason": "court_order"})
    else:
        service.clock.ahead += timedelta(days=31)


def test_a_held_withdrawal_can_be_hastened(
    service: Service, hotline: Connection, reviewer: Connection, operators: tuple[Connection, Connection]
) -> None:
    some = submit(hotline, reviewer, 2)
    service.publish()
    service.clock.ahead += timedelta(days=2)
    some += submit(hotline, reviewer, 2, "m")
    service.publish()
    for entry in some:
        hotline.request("POST", f"/v1/entries/{entry}/withdrawal")
    service.publish()
    wanted = {"entries": some[:1]}
    ended = operators[0].request("POST", "/v1/entries/emergency-delisting", json=wanted).json()
    assert ended == {"delisted": some[:1]}
    service.publish()
    assert newest(hotline) == (3, 3)
    replay(service)


def test_without_a_brake_there_is_nothing_to_release(
    service: Service, operators: tuple[Connection, Connection]
) -> None:
    answer = operators[0].send("POST", RELEASE)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:wardlist:problem:no-brake")


def test_a_whole_batch_leaves_at_once(
    service: Service, hotline: Connection, reviewer: Connection, operators: tuple[Connection, Connection]
) -> None:
    bodies = [new_entry(f"https://s{number}.example.test/") for number in range(3)]
    batch = hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()
    assert batch["batch"]
    approve(reviewer, batch["entries"][0])
    service.publish()
    ended = (
        operators[0].request("POST", "/v1/entries/emergency-delisting", json={"batch": batch["batch"]}).json()
    )
    assert sorted(ended["delisted"]) == sorted(entry["id"] for entry in batch["entries"])
    service.publish()
    assert newest(hotline) == (2, 0)
    replay(service)


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"entries": ["x"], "batch": "y"}, 422), ({"entries": ["x"]}, 404), ({"batch": "y"}, 404)],
)
def test_an_emergency_names_what_there_is(
    operators: tuple[Connection, Connection], body: dict[str, Any], status: int
) -> None:
    assert operators[0].send("POST", "/v1/entries/emergency-delisting", json=body).status_code == status


def test_a_slip_that_trickles_in_is_held_all_the_same(
    service: Service, hotline: Connection, reviewer: Connection, operators: tuple[Connection, Connection]
) -> None:
    for word in ("one", "two"):
        submit(hotline, reviewer, 1, word)
        service.publish()
    assert newest(hotline) == (2, 2)
    submit(hotline, reviewer, 1, "more")
    service.publish()
    assert newest(hotline) == (2, 2)
    for operator in operators:
        operator.request("POST", RELEASE)
    service.publish()
    submit(hotline, reviewer, 1, "next")
    service.publish()
    assert newest(hotline) == (4, 4)
    replay(service)


def test_nobody_loosens_an_engaged_brake_alone(
    service: Service, hotline: Connection, reviewer: Connection, operators: tuple[Connection, Connection]
) -> None:
    submit(hotline, reviewer, 4)
    service.publish()
    seen = operators[0].request("GET", f"/v1/lists/{LIST}/policy").json()
    loose = {"brake_changes": 10_000_000, "brake_free": 10_000_000, "base_version": seen["version"]}
    operators[0].request("PUT", f"/v1/lists/{LIST}/policy", json={**seen["policy"], **loose})
    submit(hotline, reviewer, 1, "more")
    service.publish()
    assert newest(hotline) == (0, 0)
    for operator in operators:
        operator.request("POST", RELEASE)
    service.publish()
    assert newest(hotline) == (1, 5)
    replay(service)


def test_nobody_lets_a_protected_host_out_by_taking_the_protection_away(
    service: Service, hotline: Connection, operators: tuple[Connection, Connection]
) -> None:
    path = f"/v1/lists/{LIST}/protected-hosts"
    operators[0].request("PUT", path, json={"hosts": ["popular.example"]})
    sent = new_entry("https://popular.example/", scope="host")
    entry = hotline.request("POST", "/v1/entries", json=sent).json()
    for _ in range(3):
        with service.connect(Kind.REVIEW_BODY) as body:
            approve(body, entry)
    service.publish()
    operators[0].request("PUT", path, json={"hosts": []})
    service.publish()
    assert newest(hotline) == (0, 0)
    assert operators[0].request("GET", BRAKE).json()["reason"] == "protected_host"
    replay(service)


def test_a_host_protected_while_a_version_is_written_changes_nothing_for_it(
    service: Service, hotline: Connection, operators: tuple[Connection, Connection]
) -> None:
    sent = new_entry("https://later.example/", scope="host")
    entry = hotline.request("POST", "/v1/entries", json=sent).json()
    for _ in range(2):
        with service.connect(Kind.REVIEW_BODY) as body:
            approve(body, entry)
    with service.database.writing() as session:
        snapshots.prepare(session, LIST, service.clock())
    wanted = {"hosts": ["later.example"]}
    seen = operators[0].request("PUT", f"/v1/lists/{LIST}/protected-hosts", json=wanted).json()
    assert seen["listed_entries"] == [entry["id"]]
    service.publish()
    assert newest(hotline) == (1, 1)
    replay(service)


def test_a_release_names_what_was_seen(
    service: Service, hotline: Connection, reviewer: Connection, operators: tuple[Connection, Connection]
) -> None:
    submit(hotline, reviewer, 4)
    service.publish()
    seen = {"difference_sha256": operators[0].request("GET", BRAKE).json()["difference_sha256"]}
    submit(hotline, reviewer, 1, "late")
    answer = operators[0].send("POST", RELEASE, json=seen)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:wardlist:problem:difference-outdated")
    seen = {"difference_sha256": operators[0].request("GET", BRAKE).json()["difference_sha256"]}
    for operator in operators:
        operator.request("POST", RELEASE, json=seen)
    service.publish()
    assert newest(hotline) == (1, 5)


@pytest.fixture
def held(service: Service, hotline: Connection, reviewer: Connection) -> Iterator[Held]:
    """Four entries that wait for two words; when the test is over they are out, and the log holds."""
    first = service.organisation(Kind.OPERATOR)
    with (
        service.connect(Kind.OPERATOR, first) as one,
        service.connect(Kind.OPERATOR) as two,
        service.connect(Kind.OPERATOR) as three,
    ):
        submit(hotline, reviewer, 4)
        service.publish()
        yield Held(first, one, two, three)
        service.publish()
    assert newest(hotline) == (1, 4)
    replay(service)


def test_a_word_counts_while_its_organisation_may_act(
    service: Service, hotline: Connection, held: Held
) -> None:
    held.one.request("POST", RELEASE)
    suspend(service, held.first)
    seen = held.two.request("POST", RELEASE).json()
    assert (seen["engaged"], len(seen["releases"])) == (True, 1)
    service.publish()
    assert newest(hotline) == (0, 0)
    assert held.three.request("POST", RELEASE).json()["engaged"] is False


def test_a_release_by_who_was_suspended_before_its_version_lets_nothing_out(
    service: Service, hotline: Connection, held: Held
) -> None:
    held.one.request("POST", RELEASE)
    assert held.two.request("POST", RELEASE).json()["engaged"] is False
    suspend(service, held.first)
    service.publish()
    assert newest(hotline) == (0, 0)
    assert held.two.request("GET", BRAKE).json()["engaged"] is True
    assert held.three.request("POST", RELEASE).json()["engaged"] is False


def test_a_word_given_while_the_other_did_not_count_releases_once_both_do(
    service: Service, held: Held
) -> None:
    held.one.request("POST", RELEASE)
    suspend(service, held.first)
    assert held.two.request("POST", RELEASE).json()["engaged"] is True
    again = held.two.send("POST", RELEASE)
    assert again.json()["type"] == "urn:wardlist:problem:second-organisation-needed"
    suspend(service, held.first, False)
    seen = held.two.request("POST", RELEASE).json()
    assert (seen["engaged"], len(seen["releases"])) == (False, 2)


def test_a_release_that_did_not_count_for_a_while_is_said_once_more(
    service: Service, hotline: Connection, held: Held
) -> None:
    held.one.request("POST", RELEASE)
    held.two.request("POST", RELEASE)
    suspend(service, held.first)
    service.publish()
    suspend(service, held.first, False)
    service.publish()
    assert newest(hotline) == (0, 0), "a release that was void is not used unasked"
    assert held.one.request("POST", RELEASE).json()["engaged"] is False


def test_an_organisation_whose_client_was_revoked_gives_its_word_anew(service: Service, held: Held) -> None:
    held.one.request("POST", RELEASE)
    with service.database.writing() as session:
        identity.revoke_client(session, held.one.credentials.client_id, service.clock())
    assert held.two.request("GET", BRAKE).json()["releases"] == []
    with service.connect(Kind.OPERATOR, held.first) as another:
        assert len(another.request("POST", RELEASE).json()["releases"]) == 1
    assert held.two.request("POST", RELEASE).json()["engaged"] is False


def test_replay_holds_a_version_to_words_that_counted_when_its_brake_ended(
    service: Service, held: Held
) -> None:
    """A log by which a service let out what a suspended operator's word stood for does not replay."""
    held.one.request("POST", RELEASE)
    held.two.request("POST", RELEASE)
    service.publish()
    honest = recorded(service)
    kinds = [leaf["type"] for leaf in honest]
    ended, published = kinds.index("brake.ended"), kinds.index("list.published")
    suspended = {"type": "organisation.suspended", "at": honest[ended]["at"], "organisation": held.first}
    assert ended < published

    def take(forged: list[dict[str, Any]]) -> None:
        replayed = Replay()
        for leaf in forged:
            replayed.take(leaf)

    take([*honest[: published + 1], suspended])
    with pytest.raises(Deviation, match="a release by two people of two organisations"):
        take([*honest[:ended], suspended, honest[ended]])
    with pytest.raises(Deviation, match="a version that two people of two organisations released"):
        take([*honest[:ended], suspended, *honest[ended + 1 : published + 1]])
    again = honest[kinds.index("brake.released")]
    with pytest.raises(Deviation, match="the word of two people of two organisations on this difference"):
        take([*honest[: published + 1], again])


def suspend(service: Service, organisation: str, is_suspended: bool = True) -> None:
    with service.database.writing() as session:
        identity.suspend_organisation(session, organisation, is_suspended, service.clock())
