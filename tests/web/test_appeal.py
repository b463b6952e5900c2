"""Appealing by the form: nothing typed is lost, nothing is told about what is listed, secrets stay secret."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from app.client.session import Connection
from app.core.terms import Kind
from app.web.public.speaking import words
from tests.appeals import people
from tests.appeals.people import STATEMENT, URL
from tests.programs.browser import Window, needs_chromium, window
from tests.programs.service import LIST, Service, leaves, running

Fields = dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose one listed address is URL."""
    with running(Service(tmp_path_factory.mktemp("appeal") / "home")) as up:
        up.add_list()
        with up.connect(Kind.HOTLINE) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer:
            people.listed(up, hotline, reviewer)
        yield up


@pytest.fixture(scope="module")
def judge(world: Service) -> Iterator[Connection]:
    with world.connect(Kind.REVIEW_BODY) as connection:
        yield connection


def post(
    world: Service, path: str = "", query: str = "", headers: Any = None, **fields: str
) -> httpx.Response:
    return httpx.post(f"{world.address}/appeal{path}{query}", data=fields, headers=headers)


def file(world: Service, url: str = URL, **fields: str) -> Fields:
    """What the appellant keeps of the page."""
    answer = post(world, url=url, statement=STATEMENT, **fields)
    assert answer.status_code == 201, answer.text
    return {name: _code(answer.text, name) for name in ("reference", "secret")}


def _code(page: str, name: str) -> str:
    found = re.search(rf'<code id="{name}">([^<]+)</code>', page)
    assert found
    return found[1]


def appeals(world: Service) -> int:
    with world.database.reading() as session:
        return sum(leaf["type"] == "appeal.filed" for leaf in leaves(session))


def test_listed_and_unlisted_addresses_get_the_same_page(world: Service) -> None:
    pages = []
    for url in (URL, "https://page.example.test/window/1"):
        answer = post(world, url=url, statement=STATEMENT, list=LIST, proof="dns_txt")
        random = ("reference", "secret", "proof-token")
        text = answer.text
        for name in random:
            text = text.replace(_code(text, name), name)
        pages.append((answer.status_code, re.sub(r"<time.*?</time>", "", text)))
        assert answer.headers["cache-control"] == "no-store"
        assert "example.test" not in text
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("fields", "fault", "anchor"),
    [
        ({"url": "", "statement": STATEMENT}, "url", "url"),
        ({"url": "shop.example.test", "statement": STATEMENT}, "url-not-http", "url"),
        ({"url": "https://192.0.2.1/", "statement": STATEMENT}, "url-ip-host", "url"),
        ({"url": "https://u:p@shop.example.test/", "statement": STATEMENT}, "url-userinfo", "url"),
        ({"url": URL, "statement": "Too short."}, "statement", "statement"),
        ({"url": URL, "statement": "." * 20}, "statement", "statement"),
        ({"url": URL, "statement": "x" * 4001}, "statement", "statement"),
        ({"url": URL, "statement": "A control \x01 character in it."}, "statement", "statement"),
        ({"url": URL, "statement": STATEMENT, "list": "No Such"}, "list", "list"),
        ({"url": URL, "statement": STATEMENT, "proof": "oath"}, "proof", "proof"),
    ],
    ids=["empty", "no-scheme", "ip", "userinfo", "short", "marks", "long", "control", "list", "proof"],
)
@pytest.mark.parametrize("spoken", ["en", "fr", "de"])
def test_a_faulty_form_comes_back_with_all_that_was_typed(
    world: Service, fields: Fields, fault: str, anchor: str, spoken: str
) -> None:
    before = appeals(world)
    answer = post(world, query=f"?in={spoken}", **fields)
    page = unescape(answer.text)
    assert (answer.status_code, answer.headers["content-language"]) == (422, spoken)
    assert f'<a href="#{anchor}">{words(spoken)["faults"][fault]}</a>' in page
    assert f'id="{anchor}-fault"' in page
    assert f">\n{fields['url']}</textarea>" in page
    assert f">\n{fields['statement'].strip()}</textarea>" in page
    assert f'action="/appeal?in={spoken}"' in page
    assert appeals(world) == before


def test_what_was_typed_is_text_and_stands_in_no_attribute(world: Service) -> None:
    typed = "https://shop.example.test/</textarea><script>alert(1)</script>\"'"
    answer = post(world, url=typed, statement="<b>short</b>", list='x" autofocus="')
    assert "<script>alert" not in answer.text
    assert "<b>" not in answer.text
    assert 'autofocus="' not in answer.text
    assert not re.search(r'="[^"]*example\.test', answer.text)


def test_the_list_that_the_stop_page_named_is_filled_in(world: Service) -> None:
    page = httpx.get(f"{world.address}/appeal?list={LIST}").text
    assert f'name="list" maxlength="63" spellcheck="false" autocapitalize="none" value="{LIST}"' in page


def test_a_token_to_publish_is_given_to_whoever_offers_proof(world: Service) -> None:
    for proof, word in (("dns_txt", "TXT"), ("well_known", "/.well-known/wardlist-appeal")):
        page = post(world, url=URL, statement=STATEMENT, proof=proof).text
        assert len(_code(page, "proof-token")) == 43
        assert word in page
    assert "proof-token" not in post(world, url=URL, statement=STATEMENT).text


def test_the_form_and_the_api_count_together_and_nothing_typed_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running(Service(tmp_path_factory.mktemp("few") / "home", appeals_per_hour=2)) as up:
        assert post(up, url="", statement="x").status_code == 422
        file(up)
        people.file(up)
        answer = post(up, url=URL, statement=STATEMENT, headers={"Accept-Language": "de"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert words("de")["faults"]["too_many"] in unescape(answer.text)
    assert STATEMENT in unescape(answer.text)


@pytest.mark.parametrize(
    "said",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
    ids=["cross-site", "same-site", "origin", "opaque"],
)
def test_a_form_of_another_site_files_nothing(world: Service, said: Fields) -> None:
    before = appeals(world)
    assert post(world, url=URL, statement=STATEMENT, headers=said).status_code == 403
    assert post(world, "/status", reference="x", secret="y", headers=said).status_code == 403
    assert appeals(world) == before


def test_a_form_too_large_is_refused(world: Service) -> None:
    assert post(world, url=URL, statement="x" * 70_000).status_code == 413


def test_a_wrong_secret_and_no_such_appeal_are_the_same(world: Service) -> None:
    kept, other = file(world), file(world)
    wrong = [
        {**kept, "secret": other["secret"]},
        {**kept, "reference": "0" * 36},
        {**kept, "secret": ""},
        {**kept, "secret": "é" * 300},
    ]
    answers = [post(world, "/status", **fields) for fields in wrong]
    assert {answer.status_code for answer in answers} == {404}
    assert len({re.sub(r' value="[^"]*"', "", answer.text) for answer in answers}) == 1
    assert all(kept["secret"] not in answer.text for answer in answers)
    assert post(world, "/status", **{name: f" {value} " for name, value in kept.items()}).status_code == 200


def test_neither_address_nor_secret_is_written_down(
    world: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    kept = file(world)
    post(world, "/status", **kept)
    post(world, url=URL, statement="short")
    logged = capsys.readouterr().err
    assert "/appeal/status" in logged
    for part in (*kept.values(), "example.test", STATEMENT, "127.0.0.1"):
        assert part not in logged


@pytest.mark.parametrize("outcome", ["upheld", "denied"])
def test_the_appellant_reads_outcome_and_reasons_and_nobody_keeps_the_page(
    world: Service, judge: Connection, outcome: str
) -> None:
    url = f"https://{outcome}.example.test/"
    with world.connect(Kind.HOTLINE) as hotline, world.connect(Kind.REVIEW_BODY) as reviewer:
        people.listed(world, hotline, reviewer, url)
    kept = file(world, url)
    before = post(world, "/status", **kept)
    world.publish()
    assert people.decide(world, judge, kept, outcome).status_code == 201
    after = post(world, "/status", headers={"Accept-Language": "fr"}, **kept)
    assert words("en")["status"]["states"]["filed"] in before.text
    assert words("fr")["status"]["outcomes"][outcome] in unescape(after.text)
    assert "The page shows what the appellant says." in after.text
    for answer in (before, after):
        assert answer.headers["cache-control"] == "no-store"
        assert kept["secret"] not in answer.text


def _typed(view: Window, url: str) -> None:
    page = view.open(f"/appeal?list={LIST}")
    page.get_by_label("The address that is blocked").fill(url)
    page.get_by_label("Why it should not be blocked").fill(STATEMENT)


@needs_chromium
@pytest.mark.parametrize("has_scripts", [True, False])
def test_an_appellant_files_and_reads_the_outcome(
    world: Service, judge: Connection, browser: Browser, has_scripts: bool
) -> None:
    with window(browser, world, width=360, java_script_enabled=has_scripts) as view:
        _typed(view, "https://192.0.2.1/")
        view.page.get_by_role("button", name="File the appeal").click()
        view.page.get_by_text("Please write the site’s name").first.wait_for()
        assert view.page.get_by_label("Why it should not be blocked").input_value() == STATEMENT
        view.page.get_by_label("The address that is blocked").fill("https://garden.example.test/")
        view.page.get_by_role("button", name="File the appeal").click()
        view.page.get_by_role("heading", name="Your appeal is filed").wait_for()
        kept = {name: view.page.locator(f"#{name}").inner_text() for name in ("reference", "secret")}
        assert people.decide(world, judge, kept, "denied").status_code == 201
        view.page.get_by_role("link", name="See how it stands").click()
        view.page.get_by_label("Reference").fill(kept["reference"])
        view.page.get_by_label("Secret").fill(kept["secret"])
        view.page.get_by_role("button", name="Show it").click()
        view.page.get_by_text("What was blocked may stay blocked").wait_for()
        assert view.page.get_by_text("The page shows what the appellant says.").is_visible()
        assert kept["secret"] not in view.page.url
        assert not view.context.cookies()
