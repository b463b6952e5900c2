"""What people of a hotline see and do: own entries, what is due, taking one back, and takedowns."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.client.session import Connection
from app.core.lifecycle import DelistReason, Status
from app.core.terms import Kind
from app.entries import service as entries
from app.entries.models import Entry
from app.identity.permissions import Scope
from tests.programs.service import Service, approve, leaf_bodies, new_entry, replay, running
from tests.programs.webclient import WebClient, signed_in_client
from tests.takedown.told import PROVIDER, Post, contact

SHORT = "short-list"


class Desk:
    """A hotline with a person at the console and a program, a second hotline, and a reviewer."""

    def __init__(self, service: Service) -> None:
        self.service, self.number = service, 0
        service.add_list()
        service.add_list(SHORT, recheck_days=5)
        self.organisation = service.organisation(Kind.HOTLINE)
        self.program = service.connect(Kind.HOTLINE, self.organisation)
        self.other = service.connect(Kind.HOTLINE)
        self.reviewer = service.connect(Kind.REVIEW_BODY)
        self.person = signed_in_client(service, Kind.HOTLINE, organisation=self.organisation)
        self.post = Post(service)
        contact(service, PROVIDER, host_suffix="told.example.test", country="NL")

    def submit(self, by: Connection | None = None, **changes: Any) -> dict[str, Any]:
        self.number += 1
        body = new_entry(changes.pop("url", f"https://s{self.number}.example.test/1"), **changes)
        found: dict[str, Any] = (by or self.program).request("POST", "/v1/entries", json=body).json()
        return found

    def listed(self, **changes: Any) -> str:
        entry = self.submit(**changes)
        approve(self.reviewer, entry)
        self.service.publish()
        return str(entry["id"])

    def entry(self, entry_id: str) -> Entry:
        with self.service.database.reading() as session:
            return entries.existing(session, entry_id)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with running(Service(tmp_path_factory.mktemp("submissions") / "home")) as up:
        found = Desk(up)
        yield found
        for one in (found.program, found.other, found.reviewer):
            one.__exit__()
        found.post.courier.close()
        replay(up)
        assert b"example.test" not in b"".join(leaf_bodies(up))


def shown(page: str) -> list[str]:
    """Short ids of the entries that a table has, in its order."""
    return re.findall(r'class="mono" href="/console/(?:entries|takedowns)/([0-9a-f]{8})', page)


def test_own_entries_stand_newest_first_without_any_address(desk: Desk) -> None:
    first, second = desk.submit()["id"], desk.submit()["id"]
    desk.submit(desk.other)
    page = desk.person.get("/console/submissions").text
    assert shown(page)[:2] == [second[:8], first[:8]]
    assert "example.test" not in page
    assert "offering it or making it available" in page


def test_what_was_corroborated_is_there_and_says_so_and_nobody_elses_is(desk: Desk) -> None:
    theirs = desk.submit(desk.other, url="https://both.example.test/1")["id"]
    alone = desk.submit(desk.other)["id"]
    assert desk.submit(url="https://both.example.test/1")["id"] == theirs
    page = desk.person.get("/console/submissions").text
    assert theirs[:8] in shown(page)
    assert "corroborated" in page
    assert alone[:8] not in page


def test_filters_narrow_and_a_wrong_one_is_refused(desk: Desk) -> None:
    listed, waiting = desk.listed(list=SHORT), desk.submit(list=SHORT)["id"]
    of = "/console/submissions"
    assert shown(desk.person.get(f"{of}?list={SHORT}&status=listed").text) == [listed[:8]]
    assert shown(desk.person.get(f"{of}?list={SHORT}&status=submitted").text) == [waiting[:8]]
    tomorrow = (desk.service.clock() + timedelta(days=1)).date()
    assert shown(desk.person.get(f"{of}?since={tomorrow}").text) == []
    for wrong in ("status=nonsense", "since=yesterday", "cursor=!!"):
        assert desk.person.get(f"{of}?{wrong}").status_code == 422


def test_a_long_list_has_pages_and_keeps_its_filter(desk: Desk) -> None:
    desk.service.add_list("long-list")
    lines = [new_entry(f"https://l{number}.example.test/", list="long-list") for number in range(60)]
    desk.program.request("POST", "/v1/entries/batch", json={"entries": lines})
    first = desk.person.get("/console/submissions?list=long-list").text
    following = re.search(r'href="(/console/submissions\?list=long-list&amp;cursor=[^"]+)"', first)
    assert following is not None
    second = desk.person.get(following[1].replace("&amp;", "&")).text
    assert (len(shown(first)), len(shown(second))) == (50, 10)
    assert not set(shown(first)) & set(shown(second))
    assert "Next page" not in second


def test_looking_again_keeps_an_entry_that_is_due(desk: Desk) -> None:
    entry = desk.listed(list=SHORT)
    page = desk.person.get("/console/due?within_days=7").text
    assert entry[:8] in shown(page)
    before = desk.entry(entry).recheck_by
    desk.service.clock.ahead += timedelta(minutes=1)
    said = {"outcome": "still_available", "within_days": "14"}
    answer = desk.person.post(f"/console/due/{entry}/recheck", said)
    back = "/console/due?within_days=14&said=still_available"
    assert (answer.status_code, answer.headers["location"]) == (303, back)
    after = desk.entry(entry).recheck_by
    assert before is not None
    assert after is not None
    assert after > before
    assert "Recorded. Still there" in desk.person.get(back).text


def test_what_was_seen_removed_leaves_its_list(desk: Desk) -> None:
    entry = desk.listed(list=SHORT)
    assert desk.person.post(f"/console/due/{entry}/recheck", {"outcome": "removed"}).status_code == 303
    found = desk.entry(entry)
    assert (found.status, found.delist_reason) == (Status.DELISTED, DelistReason.REMOVED_AT_SOURCE)
    again = desk.person.post(f"/console/due/{entry}/recheck", {"outcome": "removed"})
    assert again.status_code == 409


def test_a_recheck_of_nothing_and_one_that_says_nothing_are_refused(desk: Desk) -> None:
    foreign = desk.submit(desk.other)["id"]
    assert desk.person.post(f"/console/due/{foreign}/recheck", {"outcome": "removed"}).status_code == 404
    assert desk.person.post(f"/console/due/{desk.listed()}/recheck", {}).status_code == 422
    assert desk.entry(foreign).status is Status.SUBMITTED


def test_an_entry_is_taken_back_after_a_page_that_asks(desk: Desk) -> None:
    entry = desk.submit()["id"]
    asked = desk.person.get(f"/console/due/{entry}/withdrawal")
    assert "Withdraw this entry?" in asked.text
    assert desk.entry(entry).status is Status.SUBMITTED
    assert desk.person.post(f"/console/due/{entry}/withdrawal").status_code == 303
    assert desk.entry(entry).status is Status.WITHDRAWN
    assert desk.person.get(f"/console/due/{entry}/withdrawal").status_code == 409


def test_nobody_takes_back_what_another_submitted(desk: Desk) -> None:
    foreign = desk.submit(desk.other, url="https://joined.example.test/1")["id"]
    desk.submit(url="https://joined.example.test/1")
    assert desk.person.get(f"/console/due/{foreign}/withdrawal").status_code == 403
    assert desk.person.post(f"/console/due/{foreign}/withdrawal").status_code == 403
    assert desk.entry(foreign).status is Status.SUBMITTED


def test_who_only_reads_sees_no_form_and_changes_nothing(desk: Desk) -> None:
    reader = signed_in_client(
        desk.service, Kind.HOTLINE, organisation=desk.organisation, scopes={Scope.ENTRIES_READ}
    )
    entry = desk.listed(list=SHORT)
    for path in ("/console/due", f"/console/takedowns/{entry}", f"/console/due/{entry}/withdrawal"):
        page = reader.get(path)
        assert page.status_code == 200
        assert 'method="post" action="/console/due' not in page.text
        assert 'method="post" action="/console/takedowns' not in page.text
    for path in (f"due/{entry}/recheck", f"due/{entry}/withdrawal", f"takedowns/{entry}/events"):
        fields = {"outcome": "removed", "event": "removed"}
        assert reader.post(f"/console/{path}", fields).status_code == 403
    assert desk.entry(entry).status is Status.LISTED


def test_a_takedown_tells_who_was_told_and_what_is_late(desk: Desk) -> None:
    entry = desk.listed(url="https://told.example.test/1")
    desk.post.deliver()
    page = desk.person.get("/console/takedowns?show=all&state=notified").text
    assert entry[:8] in shown(page)
    assert "Example Hosting, sent" in page
    assert "example.test" not in page
    assert entry[:8] not in shown(desk.person.get("/console/takedowns").text)
    desk.service.clock.ahead += timedelta(days=2)
    later = signed_in_client(desk.service, Kind.HOTLINE, organisation=desk.organisation)
    late = later.get("/console/takedowns?show=late").text
    assert entry[:8] in shown(late)
    assert '<span class="tag warn">late</span>' in late
    detail = later.get(f"/console/takedowns/{entry}").text
    assert "Example Hosting" in detail
    assert "notified" in detail
    desk.person = later


def test_what_a_provider_says_it_removed_is_confirmed(desk: Desk) -> None:
    entry = desk.listed()
    where = f"/console/takedowns/{entry}/events"
    told = desk.person.post(where, {"event": "notified"})
    assert told.headers["location"] == f"/console/takedowns/{entry}?said=notified"
    assert "Recorded: I told somebody by our own means." in desk.person.get(told.headers["location"]).text
    assert desk.person.post(where, {"event": "removed"}).status_code == 303
    assert desk.entry(entry).delist_reason is DelistReason.REMOVED_AT_SOURCE
    assert desk.person.post(where, {"event": "removed"}).status_code == 409


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"event": "nonsense"},
        {"event": "refused"},
        {"event": "refused", "reason": "no_contact"},
        {"event": "no_notice"},
        {"event": "no_notice", "reason": "law_enforcement_hold"},
    ],
    ids=["nothing", "unknown", "no-reason", "wrong-reason", "no-excuse", "not-a-hotlines"],
)
def test_an_event_that_does_not_hold_is_refused_in_words(desk: Desk, said: dict[str, str]) -> None:
    entry = desk.submit()["id"]
    answer = desk.person.post(f"/console/takedowns/{entry}/events", said)
    assert answer.status_code == 422
    assert "data-problem" in answer.text


def test_a_refusal_has_its_reason_and_a_reason_left_over_is_no_fault(desk: Desk) -> None:
    entry = desk.listed()
    where = f"/console/takedowns/{entry}/events"
    assert desk.person.post(where, {"event": "notified", "reason": "other"}).status_code == 303
    assert desk.person.post(where, {"event": "refused", "reason": "not_hosted_here"}).status_code == 303
    assert "not hosted here" in desk.person.get(f"/console/takedowns/{entry}").text


def test_a_takedown_of_another_hotline_is_not_there(desk: Desk) -> None:
    foreign = desk.submit(desk.other)["id"]
    assert desk.person.get(f"/console/takedowns/{foreign}").status_code == 404
    said = desk.person.post(f"/console/takedowns/{foreign}/events", {"event": "notified"})
    assert said.status_code == 404


def test_a_stranger_to_hotlines_finds_the_pages_shut(desk: Desk) -> None:
    reviewer = signed_in_client(desk.service, Kind.REVIEW_BODY)
    for path in ("submissions", "due", "takedowns"):
        assert reviewer.get(f"/console/{path}").status_code == 403
    assert WebClient(desk.service).get("/console/due").status_code == 303
