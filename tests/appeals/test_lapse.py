"""An appeal that nobody decides, not even after its date: it ends, and what it hides is destroyed."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import rfc8785

from app.client.session import Connection
from app.core.replay import Deviation, Replay
from app.web.public.speaking import words
from tests.appeals.people import URL, file, listed, log_id, read, send, signed, waiting
from tests.programs.service import LIST, Service, leaves, replay

DATE, KEPT, MINUTE = timedelta(days=15), timedelta(days=180), timedelta(minutes=1)


def lapse(service: Service) -> None:
    """Until its date, and then the list's retention time, are over."""
    for span in (DATE + MINUTE, KEPT):
        service.clock.ahead += span
        service.publish()


def hidden(service: Service) -> set[str]:
    """Tables of what appellants wrote that have a row."""
    return {"appeal_key", "appeal_cipher"} & {row.partition(" ")[0] for row in service.state()}


@pytest.mark.parametrize("name", [LIST, None])
def test_after_its_list_s_retention_time_it_ends_and_its_texts_are_gone(
    service: Service, judge: Connection, name: str | None
) -> None:
    filed = file(service, list=name) if name else file(service)
    service.clock.ahead += DATE + KEPT - MINUTE
    service.publish()
    assert read(service, filed).json()["state"] == "filed"
    assert len(waiting(judge)) == 1
    assert hidden(service)
    service.clock.ahead += 2 * MINUTE
    service.publish()
    told = read(service, filed).json()
    assert (told["state"], told.keys() & {"outcome", "reasons", "decided_at"}) == ("lapsed", set())
    assert waiting(judge) == []
    assert not hidden(service)
    with service.database.reading() as session:
        made = [one for one in leaves(session) if one["type"] == "appeal.lapsed"]
    assert [one["appeal"] for one in made] == [log_id(service, filed)]
    service.publish()
    assert read(service, filed).json() == told
    replay(service)


def test_the_shortest_time_of_another_list_ends_nothing_early(service: Service) -> None:
    service.add_list("brief", retention_days=1)
    of_list, of_none = file(service, list=LIST), file(service)
    of_brief = file(service, f"{URL}/2", list="brief")
    service.clock.ahead += DATE + timedelta(days=1) + MINUTE
    service.publish()
    states = [read(service, one).json()["state"] for one in (of_list, of_none, of_brief)]
    assert states == ["filed", "filed", "lapsed"]
    replay(service)


def test_what_expired_for_it_stays_away_and_may_be_appealed_anew(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    entry, filed = listed(service, hotline, reviewer), file(service)
    service.publish()
    lapse(service)
    service.publisher.daily()
    seen = hotline.request("GET", f"/v1/entries/{entry['id']}").json()
    assert (seen["status"], seen["delist_reason"]) == ("erased", "expired")
    assert read(service, filed).json()["state"] == "lapsed"
    assert send(service).status_code == 201
    assert len(waiting(judge)) == 1
    replay(service)


def test_nobody_decides_it_any_more(service: Service, judge: Connection) -> None:
    filed = file(service)
    (shown,) = waiting(judge)
    lapse(service)
    body = signed(service, shown, judge.credentials.private_jwk, "denied")
    answer = judge.send("POST", f"/v1/appeals/{filed['reference']}/decision", json=body)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:wardlist:problem:appeal-decided")


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_the_page_says_so_and_names_no_date_any_more(service: Service, language: str) -> None:
    filed = file(service)
    lapse(service)
    fields = {"reference": filed["reference"], "secret": filed["secret"]}
    page = httpx.post(f"{service.address}/appeal/status?in={language}", data=fields)
    told = words(language)["status"]
    assert told["states"]["lapsed"] in page.text
    assert told["decide_by"] not in page.text


def test_a_log_with_an_appeal_that_lapsed_early_does_not_replay(service: Service) -> None:
    file(service)
    lapse(service)
    with service.database.reading() as session:
        found = leaves(session)
    place = next(index for index, leaf in enumerate(found) if leaf["type"] == "appeal.lapsed")
    filed_at = next(leaf["at"] for leaf in found if leaf["type"] == "appeal.filed")
    forgeries = [
        ({**found[place], "at": filed_at}, "waited for a list's retention time"),
        ({**found[place], "appeal": "another"}, "a known appeal"),
    ]
    for forged, expected in forgeries:
        with pytest.raises(Deviation, match=expected):
            fed([*found[:place], forged])
    with pytest.raises(Deviation, match="a known appeal that is not decided"):
        fed([*found[: place + 1], found[place]])


def fed(found: list[dict[str, Any]]) -> None:
    replayed = Replay()
    for leaf in found:
        replayed.feed(rfc8785.dumps(leaf))


def test_the_month_s_report_counts_it(service: Service) -> None:
    file(service)
    lapse(service)
    report = httpx.get(f"{service.address}/v1/transparency/report").json()
    assert [one["appeals"]["lapsed"] for one in report["preliminary"]][-1] == 1
    service.clock.ahead += timedelta(days=40)
    service.publish()
    months = httpx.get(f"{service.address}/v1/transparency/report").json()["reports"]
    assert sum(one["document"]["appeals"]["lapsed"] for one in months) == 1
    lines = httpx.get(f"{service.address}/v1/transparency/report", headers={"Accept": "text/csv"}).text
    assert "complaints_lapsed" in lines
    replay(service)
