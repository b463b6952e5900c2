"""The transparency page, the API's page, what holds for every public page: no cookie, no other host."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from app.audit.report.schemas import BROKEN_DOWN
from app.core import jose, note
from app.platform.problems import PROBLEMS
from app.web.pages import HEADERS
from tests.appeals.test_filing import statements
from tests.audit.report.months import begun, fetched, go_to, two_months
from tests.programs.browser import needs_chromium, window
from tests.programs.service import Service, running

PAGES = [
    "/transparency",
    "/transparency?from=2026-03&to=2026-03",
    "/stop/national-url-1",
    "/stop/whatever",
    "/appeal",
    "/appeal?list=national-url&in=fr",
    "/appeal/status",
    "/docs",
]

COLOURS = """all => all.map((one) =>
  new Set(one.getContext("2d").getImageData(0, 0, one.width, one.height).data).size)"""
"""How many values the bytes of each canvas have; an empty one has one."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """March to June are closed; it is 20 July."""
    with begun(tmp_path_factory.mktemp("public") / "home") as service:
        two_months(service)
        go_to(service, 7, 20)
        yield service


def get(world: Service, path: str, **headers: str) -> httpx.Response:
    return httpx.get(world.address + path, headers=headers, timeout=30)


def rows(page: str, table: str) -> dict[str, list[str]]:
    """A table's cells by the first of each row."""
    found = re.search(rf'<table id="{table}".*?</table>', page, re.DOTALL)
    assert found, table
    read = {}
    for row in re.findall(r"<tr>(.*?)</tr>", found[0], re.DOTALL):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        name, *rest = (unescape(re.sub(r"<[^>]+>", "", cell)) for cell in cells)
        read[name] = rest
    return read


@pytest.mark.parametrize("path", PAGES)
def test_a_public_page_sets_no_cookie_and_asks_no_other_host(world: Service, path: str) -> None:
    answer = get(world, path, Cookie="wardlist=" + "0" * 43)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"].startswith("public, max-age=")
    for name in HEADERS.keys() - {"Cache-Control", "X-Robots-Tag"}:
        assert answer.headers[name] == HEADERS[name]
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]*)"', answer.text)
    assert loaded
    assert all(one.startswith("/static/") for one in loaded)
    assert not re.search(r"<script>|<style|\sstyle=|\son[a-z]+=", answer.text)
    assert "example.test" not in answer.text


def test_a_public_page_is_the_same_for_whoever_is_signed_in(world: Service) -> None:
    for path in PAGES:
        assert get(world, path, Cookie="wardlist=x").text == get(world, path).text


def test_the_page_says_what_the_report_says(world: Service) -> None:
    report, page = fetched(world), get(world, "/transparency").text
    shown = rows(page, "done")
    assert list(shown) == ["Month", "2026-03", "2026-04", "2026-05", "2026-06", "2026-07 (open)"]
    for one in report["reports"]:
        counts = one["document"]["every"]["counts"]
        told = [counts[name] for name in ("submitted", "approved", "rejected", "listed")]
        assert shown[one["period"]] == [*map(str, told), str(sum(counts["delisted"].values()))]
    assert rows(page, "appeals")["2026-03"] == ["2", "1", "0", "0", "0", "–"]
    assert rows(page, "reasons")["2026-03"] == ["0", "0", "0", "1", "1", "0"]
    assert rows(page, "times")["2026-03"][:2] == ["60.0 min", "60.0 min"]
    live = rows(page, "live")
    assert live["2026-03-15"] == ["7", "7", "0"]
    assert live["2026-07-20"] == ["0", "–", "–"]


def test_what_the_report_hides_is_hidden_on_the_page(world: Service) -> None:
    (march,) = fetched(world, **{"from": "2026-03", "to": "2026-03"})["reports"]
    page = get(world, "/transparency?from=2026-03&to=2026-03").text
    for name, tables in (("ground", "by_legal_ground"), ("country", "by_hosting_country")):
        shown, hidden = rows(page, name), 0
        for measure, table in march["document"][tables].items():
            place = BROKEN_DOWN.index(measure)
            assert shown["All together"][place] == str(table["total"])
            for value, count in (table["cells"] or {}).items():
                row = next(cells for title, cells in shown.items() if title.endswith(f"({value})"))
                assert row[place] == str(count), measure
                hidden += isinstance(count, str)
        assert hidden
    assert 'data-value="<5' not in unescape(page)


def test_a_month_s_lists_have_their_own_figures(world: Service) -> None:
    shown = rows(get(world, "/transparency?from=2026-03&to=2026-03").text, "lists")
    assert shown["national-url"][:8] == ["9", "7", "1", "7", "2", "7", "1", "14.3%"]
    assert shown["second"][0] == "0"


def test_each_closed_month_can_be_had_as_it_was_signed(world: Service) -> None:
    keys = {one["kid"]: one for one in get(world, "/.well-known/jwks.json").json()["keys"]}
    page = get(world, "/transparency").text
    for one in fetched(world)["reports"]:
        path = f"/transparency/{one['period']}.jws"
        assert f'href="{path}"' in page
        answer = get(world, path)
        assert (answer.text, answer.headers["content-type"]) == (one["jws"], "application/jose")
        assert jose.verify(answer.text, keys[jose.header(answer.text, 1 << 20)["kid"]], 1 << 20)


@pytest.mark.parametrize("period", ["2026-07", "2026-02", "x", "2026-03.jws"])
def test_a_month_that_is_not_closed_has_no_signed_form(world: Service, period: str) -> None:
    answer = get(world, f"/transparency/{period}.jws")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("asked", ["from=x", "from=2026-05&to=2026-03", "to=2026-13", "from=1970-01"])
def test_dates_that_are_none_are_named(world: Service, asked: str) -> None:
    answer = get(world, f"/transparency?{asked}")
    assert answer.status_code == 422
    assert re.search(r"data-problem>\s*<p>(from|to): ", answer.text)
    assert answer.headers["cache-control"] == "no-store"


def test_months_without_anything_say_so(world: Service) -> None:
    page = get(world, "/transparency?from=2020-01&to=2020-02").text
    assert "Nothing is counted in these months." in page
    assert "None of these months is closed yet." in page


def test_a_page_is_made_once_a_minute_by_the_same_queries_for_any_months(world: Service) -> None:
    counted = []
    for asked in ("from=2026-06&to=2026-07", "from=2026-01&to=2026-07"):
        with statements(world) as issued:
            first = get(world, f"/transparency?{asked}")
        counted.append(len(issued))
        with statements(world) as issued:
            again = get(world, f"/transparency?{asked}", **{"If-None-Match": first.headers["etag"]})
        assert (issued, again.status_code, again.content) == ([], 304, b"")
    assert counted[0] == counted[1] <= 12
    world.clock.ahead += timedelta(seconds=60)
    with statements(world) as issued:
        get(world, f"/transparency?{asked}")
    assert len(issued) == counted[1]


def test_a_new_installation_has_a_page_without_a_checkpoint(service: Service) -> None:
    page = get(service, "/transparency").text
    assert "The log has no checkpoint yet." in page
    assert "Nothing is counted in these months." in page


def test_the_log_s_head_is_named_with_its_witnesses(tmp_path: Path) -> None:
    witness = note.Signer.generate("ombudsman.example", note.COSIGNATURE)
    with running(
        Service(tmp_path / "home", witnesses=f"{witness.verifier} http://127.0.0.1:9", witness_quorum=0)
    ) as up:
        up.publish()
        file = up.settings.log / "checkpoint"
        text = file.read_bytes().rpartition(b"\n\n")[0] + b"\n"
        file.write_bytes(file.read_bytes() + witness.line(text, 1_790_000_000).encode())
        page = get(up, "/transparency").text
        root = text.decode().split("\n")[2]
        key = str(note.Verifier(up.settings.log_origin, note.ED25519, _public(up)))
    assert "ombudsman.example, 2026-09-21 14:13 UTC" in page
    assert unescape(page).count(root) == 1
    assert f"wardlist log verify {up.address} --vkey {key}" in unescape(page)


def _public(up: Service) -> bytes:
    return note.Signer("x", note.ED25519, up.keyring.log).verifier.public


def test_the_api_s_page_has_every_address_shape_and_problem(world: Service) -> None:
    document: dict[str, Any] = get(world, "/openapi.json").json()
    page = unescape(get(world, "/docs").text)
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<strong>{method.upper()}</strong> {path}</code>" in page
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(document["components"]["schemas"]) <= set(ids)
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)
    assert all(f"<code>{code}</code>" in page for code in PROBLEMS)


@needs_chromium
def test_charts_are_drawn_from_the_tables_and_without_scripts_there_are_the_tables(
    world: Service, browser: Browser
) -> None:
    with window(browser, world) as view:
        page = view.open("/transparency?from=2026-03&to=2026-04")
        page.locator("canvas").first.wait_for()
        drawn = page.locator("canvas").evaluate_all(COLOURS)
        # Not those by ground and country: the one entry of April is hidden in both.
        assert len(drawn) == 6
        assert all(colours > 4 for colours in drawn)
        assert page.locator("canvas").first.get_attribute("aria-label") == (
            "Chart: Entries submitted, decided, listed and delisted in each month. The table says the same."
        )
        page.get_by_role("link", name="2026-03").first.click()
        page.get_by_text("2026-03 to 2026-03").wait_for()
        assert not view.complaints
        assert not view.context.cookies()
    with window(browser, world, java_script_enabled=False) as view:
        page = view.open("/transparency?from=2026-03&to=2026-04")
        assert page.locator("canvas").count() == 0
        page.get_by_text("As a table").click()
        assert page.get_by_role("cell", name="9").first.is_visible()
