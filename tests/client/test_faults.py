"""A network and a service that misbehave: the last good list stays, the daemon says why and recovers."""

import itertools
import socket
import time
from collections.abc import Iterator

import pytest

from app.client import session
from app.client.session import Failed
from app.client.watch import Did
from tests.client.troubled import TIMEOUT_SECONDS, Machine, machine
from tests.programs import faulty
from tests.programs.faulty import Answer, Fault

TOKEN, METADATA, MANIFEST = "/oauth/token", "/timestamp.json", ".manifest.json"
LIST, DELTA, OTHER_DELTAS = ".list.jsonl.age", ".delta.jsonl.age", "/deltas/"
SILENT = "does not answer"

# Of each place: what becomes of an answer there (tests/programs/faulty.py), and a word of why.
UNREACHABLE: dict[str, dict[Fault, str]] = {
    TOKEN: {
        faulty.hung_up: SILENT,
        faulty.silent: SILENT,
        faulty.dripping: "too slowly",
        faulty.broken: "answered 500",
        faulty.busy: "answered 429",
        faulty.garbage: "something else",
        faulty.other_json: "something else",
        faulty.nested: "something else",
        faulty.endless: "more than any answer",
        faulty.bomb: "more than any answer",
    },
    METADATA: {
        faulty.cut: SILENT,
        faulty.silent: SILENT,
        faulty.dripping: "too slowly",
        faulty.less_than_stated: SILENT,
        faulty.bad_gateway: "answered 502",
        faulty.in_repair: "answered 503",
    },
    MANIFEST: {faulty.cut: SILENT},
    LIST: {
        faulty.cut: SILENT,
        faulty.dripping: "too slowly",
        faulty.less_than_stated: SILENT,
        faulty.broken: "answered 500",
        faulty.busy: "answered 429",
    },
}
REFUSED: dict[str, dict[Fault, str]] = {
    METADATA: {
        faulty.more_than_stated: "Deserialization",
        faulty.garbage: "Deserialization",
        faulty.other_json: "Deserialization",
        faulty.nested: "Deserialization",
        faulty.endless: "signed",
        faulty.bomb: "signed",
        faulty.elsewhere: "answered 302",
        faulty.missing: "answered 404",
    },
    MANIFEST: {faulty.too_short: "LengthOrHash"},
    LIST: {
        faulty.too_short: "LengthOrHash",
        faulty.too_long: "signed",
        faulty.endless: "signed",
        faulty.garbage: "LengthOrHash",
    },
}
TROUBLES = [
    pytest.param(where, fault, did, word, id=f"{fault.__name__} {where.strip('/.')}")
    for did, places in ((Did.UNREACHABLE, UNREACHABLE), (Did.REFUSED, REFUSED))
    for where, faults in places.items()
    for fault, word in faults.items()
]


def name(value: object) -> str:
    """Of a fault or a place."""
    return getattr(value, "__name__", str(value)).strip("/.")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A provider's machine, for all tests here one after another."""
    with machine(tmp_path_factory.mktemp("faults")) as up:
        yield up


@pytest.fixture(autouse=True)
def _settled(one: Machine) -> None:
    one.settle()


class Hours:
    """Time as the daemon sees it, which passes at once."""

    def __init__(self) -> None:
        self._passed = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return time.monotonic() + self._passed

    def dripping(self, answer: Answer) -> Iterator[bytes]:
        """Some bytes in as many hours."""
        drops = faulty.dripping(answer)
        yield from itertools.islice(drops, 3)
        self._passed += 36_000
        yield from drops


def at(fault: Fault, one: Machine, patch: pytest.MonkeyPatch) -> Fault:
    """The fault, and no long wait for what does not come."""
    if fault is faulty.silent:
        one.hurry(0.5)
    if fault is faulty.dripping:
        hours = Hours()
        patch.setattr(session, "time", hours)
        return hours.dripping
    return fault


@pytest.mark.parametrize(("where", "fault", "did", "word"), TROUBLES)
def test_an_answer_that_is_not_as_it_must_be(
    one: Machine, where: str, fault: Fault, did: Did, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.news()
    # Without deltas the whole list is asked for.
    one.net.faults = {where: at(fault, one, monkeypatch), DELTA: faulty.missing}
    step = one.stumbles(word, did=did)
    assert (step.wait_seconds >= faulty.LATER_SECONDS) == (fault in (faulty.busy, faulty.in_repair))
    one.net.faults = {}
    one.hurry(TIMEOUT_SECONDS)
    one.recovers()


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        (DELTA, faulty.cut),
        (DELTA, faulty.too_short),
        (DELTA, faulty.broken),
        (OTHER_DELTAS, faulty.cut),
        (OTHER_DELTAS, faulty.dripping),
        (OTHER_DELTAS, faulty.less_than_stated),
        (OTHER_DELTAS, faulty.endless),
        (OTHER_DELTAS, faulty.garbage),
        (OTHER_DELTAS, faulty.broken),
    ],
    ids=name,
)
def test_a_bad_delta_costs_the_whole_list_and_nothing_else(
    one: Machine, where: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.news(2)
    one.net.faults, one.net.asked = {where: at(fault, one, monkeypatch)}, []
    one.recovers()
    assert any(where in path for path in one.net.asked)
    assert any(path.endswith(LIST) for path in one.net.asked)


@pytest.mark.parametrize("where", [DELTA, OTHER_DELTAS, LIST])
def test_a_network_that_goes_down_in_the_middle_and_comes_back(one: Machine, where: str) -> None:
    one.news(2)

    def last(answer: Answer) -> Iterator[bytes]:
        one.net.faults = {"": faulty.hung_up}
        yield from faulty.cut(answer)

    one.net.faults = {where: last} if where != LIST else {where: last, DELTA: faulty.missing}
    one.stumbles(SILENT)
    one.stumbles(SILENT)
    one.net.faults, one.net.asked = {}, []
    one.recovers()
    assert any(path.endswith(DELTA) for path in one.net.asked)


def test_deltas_of_a_busy_service_are_waited_for(one: Machine) -> None:
    one.news(2)
    one.net.faults, one.net.asked = {OTHER_DELTAS: faulty.busy}, []
    assert one.stumbles("answered 429").wait_seconds >= faulty.LATER_SECONDS
    assert not any(path.endswith(LIST) for path in one.net.asked)
    one.net.faults = {}
    one.recovers()


def test_a_refused_connection(one: Machine) -> None:
    one.news()
    one.net.down()
    waits = [one.stumbles(SILENT).wait_seconds for _ in range(3)]
    assert waits == sorted(waits)
    one.net.up()
    one.recovers()


def test_names_that_are_not_resolved(one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    one.news()

    def fails(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", fails)
        one.stumbles(SILENT)
    one.recovers()


@pytest.mark.parametrize("fault", [faulty.cut, faulty.garbage, faulty.broken], ids=name)
def test_receipts_are_sent_once_they_can_be(one: Machine, fault: Fault) -> None:
    one.news()
    one.net.faults = {"/receipts": fault}
    step = one.watcher.step()
    assert (step.did, step.version) == (Did.INSTALLED, one.version + 1)
    one.net.faults = {}
    one.start()
    assert one.watcher.step().did is Did.UNCHANGED
    one.is_up_to_date()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (faulty.cut, SILENT),
        (faulty.dripping, "too slowly"),
        (faulty.endless, "more than any answer"),
        (faulty.garbage, "something else"),
        (faulty.other_json, "something else"),
        (faulty.busy, "answered 429"),
        (faulty.missing, "answered 404"),
    ],
    ids=name,
)
def test_a_held_poll_that_fails_is_no_end(
    one: Machine, fault: Fault, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.watcher.step()
    before = one.kept()
    one.net.faults = {"/snapshots/latest": at(fault, one, monkeypatch)}
    with pytest.raises(Failed, match=words) as failed:
        one.watcher.hear(1)
    step = one.watcher.not_heard(failed.value)
    assert (step.did, step.version, one.shown()["last_error"]) == (Did.UNREACHABLE, one.version, step.words)
    assert (step.wait_seconds >= faulty.LATER_SECONDS) == (fault is faulty.busy)
    assert one.kept() == before
    one.net.faults = {}
    one.news()
    assert one.watcher.hear(1)
    one.recovers()
