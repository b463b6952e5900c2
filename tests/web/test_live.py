"""Counters: each kind sees its own, they follow what happens, and a stream ends when it must."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from app.core.terms import Kind
from app.identity import service as identity
from app.identity.people import service as persons
from app.identity.people.sessions import IDLE, LONGEST
from app.identity.permissions import Scope
from app.web import counters
from app.web.console import live
from tests.programs.browser import needs_chromium, signed_in, window
from tests.programs.service import Service, approve, new_entry, running
from tests.programs.webclient import WebClient, signed_in_client

LOOK = 0.02
START = {"waiting", "old", "appeals"}


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """Looks come fast, so that no test waits for one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "LOOK_SECONDS", LOOK)
        yield


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(Service(tmp_path_factory.mktemp("live") / "home")) as up:
        up.add_list()
        yield up


class Followed:
    """A stream that is read as it comes."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer, self._lines = answer, answer.iter_lines()

    def next(self, name: str = "data") -> str:
        """The next line of a field. Raises EOFError at the end of the stream."""
        for line in self._lines:
            field, _, text = line.partition(":")
            if field == name:
                return text.strip()
        raise EOFError

    def numbers(self) -> dict[str, int]:
        """The next numbers."""
        found: dict[str, int] = json.loads(self.next())
        return found

    def until(self, name: str, number: int) -> dict[str, int]:
        """The numbers in which one is as it should be."""
        while (found := self.numbers())[name] != number:
            pass
        return found


@contextmanager
def following(client: WebClient) -> Iterator[Followed]:
    with client.stream("/console/live") as answer:
        assert answer.status_code == 200
        yield Followed(answer)


def seats(service: Service) -> int:
    return len(service.app.state.live._seats)


def until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _no_seat_is_left(service: Service) -> Iterator[None]:
    yield
    until(lambda: seats(service) == 0)


def at_a_glance(service: Service, kind: Kind, **more: Any) -> dict[str, int]:
    """The counters of somebody of that kind, by name."""
    invited = signed_in_client(service, kind, **more).invited
    assert invited is not None
    with service.database.reading() as session:
        caller = persons.member(session, invited.person).caller
        return {one.name: one.number for one in counters.of(session, caller, service.clock())}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Kind.HOTLINE, {"submitted", "due", "overdue"}),
        (Kind.REVIEW_BODY, START),
        (Kind.ISP, {"lists-behind", "versions-behind"}),
        (Kind.OPERATOR, {"brakes", "flagged", "versions"}),
        (Kind.AUDITOR, {"ready", "log-size"}),
        (Kind.LAW_ENFORCEMENT, set()),
    ],
)
def test_each_kind_has_its_own_counters(service: Service, kind: Kind, names: set[str]) -> None:
    assert set(at_a_glance(service, kind)) == names


def test_who_lacks_the_scope_is_told_no_number(service: Service) -> None:
    for kind in Kind:
        only = Scope.RECEIPTS_WRITE if kind is Kind.ISP else Scope.LISTS_READ
        assert at_a_glance(service, kind, scopes={only}) == {}
    assert set(at_a_glance(service, Kind.REVIEW_BODY, scopes={Scope.REVIEWS_WRITE})) == {"waiting", "old"}


def test_a_page_has_the_numbers_before_any_script_runs(service: Service) -> None:
    hotline = signed_in_client(service, Kind.HOTLINE)
    assert hotline.invited is not None
    with service.connect(Kind.HOTLINE, hotline.invited.organisation) as program:
        program.request("POST", "/v1/entries", json=new_entry("https://plain.example.test/"))
    page = hotline.get("/console/submissions").text
    assert '<strong data-counter="submitted">1</strong>' in page
    assert '<strong data-counter="due">0</strong>' in page


def test_a_stream_says_each_change_and_nothing_but_numbers(service: Service) -> None:
    hotline, reviewer = signed_in_client(service, Kind.HOTLINE), service.connect(Kind.REVIEW_BODY)
    assert hotline.invited is not None
    with (
        reviewer,
        following(hotline) as seen,
        service.connect(Kind.HOTLINE, hotline.invited.organisation) as program,
    ):
        assert seen.answer.headers["content-type"].startswith("text/event-stream")
        assert seen.answer.headers["cache-control"] == "no-store"
        assert seen.numbers() == {"submitted": 0, "due": 0, "overdue": 0}
        entry = program.request("POST", "/v1/entries", json=new_entry("https://live.example.test/")).json()
        assert seen.until("submitted", 1) == {"submitted": 1, "due": 0, "overdue": 0}
        approve(reviewer, entry)
        seen.until("submitted", 0)


def test_a_provider_sees_its_lag_and_an_operator_the_versions(service: Service) -> None:
    isp, operator = signed_in_client(service, Kind.ISP), signed_in_client(service, Kind.OPERATOR)
    assert isp.invited is not None
    service.subscribe(isp.invited.organisation)
    with (
        following(isp) as lag,
        following(operator) as versions,
        service.connect(Kind.HOTLINE) as hotline,
        service.connect(Kind.REVIEW_BODY) as reviewer,
    ):
        behind, out = lag.numbers(), versions.numbers()
        url = "https://version.example.test/"
        approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry(url)).json())
        service.publish()
        lag.until("versions-behind", behind["versions-behind"] + 1)
        versions.until("versions", out["versions"] + 1)


def test_many_who_watch_cost_one_look(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    of, read = counters.of, live.Live._read
    body = service.organisation(Kind.REVIEW_BODY)
    people = [signed_in_client(service, Kind.REVIEW_BODY, organisation=body) for _ in range(5)]

    def count(*given: Any) -> Any:
        looks[-1] += 1
        return of(*given)

    def look(*given: Any) -> Any:
        looks.append(0)
        return read(*given)

    monkeypatch.setattr(counters, "of", count)
    monkeypatch.setattr(live.Live, "_read", look)
    with ExitStack() as stack:
        for one in people:
            stack.enter_context(following(one))
        until(lambda: seats(service) == 5)
        before = len(looks)
        until(lambda: len(looks) > before + 2)
    assert set(looks) == {1}


def test_a_third_stream_of_a_person_is_refused_until_one_ends(service: Service) -> None:
    person = signed_in_client(service, Kind.AUDITOR)
    with following(person):
        with following(person):
            refused = person.get("/console/live")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
        until(lambda: seats(service) == 1)
        with following(person):
            pass


def test_more_streams_than_the_service_keeps_are_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "OF_ALL", 1)
    with following(signed_in_client(service, Kind.AUDITOR)):
        assert signed_in_client(service, Kind.AUDITOR).get("/console/live").status_code == 503


def test_signing_out_ends_the_stream(service: Service) -> None:
    person = signed_in_client(service, Kind.HOTLINE)
    with following(person) as seen:
        seen.numbers()
        person.post("/console/sign-out")
        assert (seen.next("event"), seen.next()) == ("ended", "signed out")
        with pytest.raises(EOFError):
            seen.next()
    assert person.get("/console/live").headers["location"] == "/console/sign-in"


@pytest.mark.parametrize("what", ["organisation", "client"])
def test_who_is_shut_out_hears_nothing_more(service: Service, what: str) -> None:
    person = signed_in_client(service, Kind.HOTLINE)
    assert person.invited is not None
    with following(person) as seen:
        seen.numbers()
        with service.database.writing() as session:
            if what == "organisation":
                identity.suspend_organisation(session, person.invited.organisation, True, service.clock())
            else:
                identity.revoke_client(session, person.invited.client, service.clock())
        assert seen.next("event") == "ended"


def test_a_stream_does_not_keep_a_session_that_nobody_uses(service: Service) -> None:
    person = signed_in_client(service, Kind.HOTLINE)
    with following(person) as seen:
        seen.numbers()
        service.clock.ahead += IDLE - timedelta(minutes=2)
        with following(person) as again:
            again.numbers()
        service.clock.ahead += timedelta(minutes=3)
        assert seen.next("event") == "ended"


def test_a_stream_ends_with_the_longest_session(service: Service) -> None:
    person = signed_in_client(service, Kind.HOTLINE)
    step = IDLE - timedelta(minutes=5)
    with following(person) as seen:
        seen.numbers()
        for _ in range(int(LONGEST / step) - 1):
            service.clock.ahead += step
            assert person.get("/console/account").status_code == 200
        service.clock.ahead += step
        assert seen.next("event") == "ended"


def test_a_stream_ends_by_itself(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LASTS_SECONDS", 0.2)
    with following(signed_in_client(service, Kind.HOTLINE)) as seen:
        assert seen.next("retry") == "5000"
        with pytest.raises(EOFError):
            seen.until("due", -1)


def test_a_look_that_fails_ends_the_streams(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    person = signed_in_client(service, Kind.HOTLINE)
    with following(person) as seen:
        seen.numbers()

        def fail(*_given: object) -> list[counters.Counter]:
            raise OSError

        monkeypatch.setattr(counters, "of", fail)
        assert seen.next("event") == "ended"
    monkeypatch.undo()


def test_a_stream_holds_no_database_connection(service: Service) -> None:
    people = [signed_in_client(service, Kind.AUDITOR) for _ in range(30)]
    with ExitStack() as stack:
        streams = [stack.enter_context(following(one)) for one in people]
        for one in streams:
            one.numbers()
        assert seats(service) == 30
        assert signed_in_client(service, Kind.AUDITOR).get("/console/account").status_code == 200


def test_an_open_stream_does_not_keep_the_service_from_stopping(tmp_path: Path) -> None:
    ended = threading.Event()
    with running(Service(tmp_path / "home")) as up:
        person = signed_in_client(up, Kind.HOTLINE)

        def follow() -> None:
            with following(person) as seen:
                seen.numbers()
                began.set()
                with pytest.raises(EOFError):
                    seen.numbers()
            ended.set()

        began = threading.Event()
        threading.Thread(target=follow, daemon=True).start()
        assert began.wait(10)
        stops = time.monotonic()
    assert ended.wait(10)
    assert time.monotonic() - stops < 10


@needs_chromium
def test_an_open_page_follows_without_being_loaded_again(service: Service, browser: Browser) -> None:
    with window(browser, service) as view, service.connect(Kind.REVIEW_BODY) as reviewer:
        invited = signed_in(view, Kind.HOTLINE)
        page = view.open("/console/submissions")
        number = page.locator('[data-counter="submitted"]')
        expect(number).to_have_text("0")
        page.evaluate("window.marked = true")
        with service.connect(Kind.HOTLINE, invited.organisation) as program:
            entry = program.request(
                "POST", "/v1/entries", json=new_entry("https://page.example.test/")
            ).json()
        expect(number).to_have_text("1")
        approve(reviewer, entry)
        expect(number).to_have_text("0")
        assert page.evaluate("window.marked") is True
        with service.database.writing() as session:
            identity.revoke_client(session, invited.client, service.clock())
        page.get_by_text("no longer kept up to date").wait_for()
        assert view.open("/console/due").url.endswith("/console/sign-in")
