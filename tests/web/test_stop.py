"""The stop page: the same for whoever comes, in their language, and no way to ask what is listed."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser
from pydantic import ValidationError

from app.client.session import Connection
from app.core.terms import Confidentiality, Kind
from app.platform.languages import LANGUAGES
from app.platform.settings import Settings
from app.web.public.speaking import words
from tests.appeals.test_filing import statements
from tests.programs.browser import needs_chromium, window
from tests.programs.service import LIST, Service, approve, new_entry, running

HEADINGS = {
    "en": "This address is blocked",
    "fr": "Cette adresse est bloquée",
    "de": "Diese Adresse ist gesperrt",
}
STATES = {"en": "Netherlands", "fr": "Pays-Bas", "de": "Niederlande"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """National-url has version 1, which all may have; `early` one that its canary alone has."""
    home = tmp_path_factory.mktemp("stop") / "home"
    with running(Service(home, help_page="https://help.example/near-you")) as up:
        up.add_list(jurisdiction="NL", block_in_jurisdiction=True, appeal_days=9)
        canary = up.organisation(Kind.ISP)
        up.add_list("early")
        up.subscribe(canary, "early")
        _change(up, "early", canaries=[canary])
        with up.connect(Kind.HOTLINE) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer:
            _list(hotline, reviewer, LIST)
            _list(hotline, reviewer, "early")
        up.publish()
        with up.connect(Kind.ISP, canary) as provider:
            assert provider.request("GET", "/v1/lists/early/snapshots/latest").json()["version"] == 1
        yield up


def _change(up: Service, name: str, **knobs: Any) -> None:
    with up.connect(Kind.OPERATOR) as operator:
        inside = operator.request("GET", f"/v1/lists/{name}/policy").json()["policy"]
        changed = {**inside, "base_version": 1, **knobs}
        operator.request("PUT", f"/v1/lists/{name}/policy", json=changed)


def _list(hotline: Connection, reviewer: Connection, name: str) -> None:
    entry = hotline.request(
        "POST", "/v1/entries", json=new_entry(list=name, url=f"https://{name}.example.test/")
    )
    approve(reviewer, entry.json())


def get(world: Service, reference: str, language: str = "", query: str = "") -> httpx.Response:
    return httpx.get(f"{world.address}/stop/{reference}{query}", headers={"Accept-Language": language})


@pytest.mark.parametrize("spoken", LANGUAGES)
def test_it_speaks_the_browser_s_language(world: Service, spoken: str) -> None:
    answer = get(world, f"{LIST}-1", f"{spoken}-XX,{spoken};q=0.9,xx;q=0.8")
    assert answer.status_code == 200
    assert answer.headers["content-language"] == spoken
    assert answer.headers["vary"] == "Accept-Language"
    assert answer.headers["cache-control"] == "public, max-age=600"
    assert f'<html lang="{spoken}">' in answer.text
    assert f"<h1>{HEADINGS[spoken]}</h1>" in answer.text
    assert f" {STATES[spoken]}." in answer.text
    assert f"<h1>{HEADINGS[spoken]}</h1>" in get(world, f"{LIST}-1", "xx", f"?in={spoken}").text


def test_english_is_for_whoever_says_nothing_that_is_spoken_here(world: Service) -> None:
    for said in ("", "xx", "*", "fr;q=0", "q", ";;,", "fr;q=x", "x" * 5000):
        assert get(world, f"{LIST}-1", said).headers["content-language"] == "en", said[:20]
    assert get(world, f"{LIST}-1", "", "?in=xx").headers["content-language"] == "en"


def test_it_says_which_list_decided_how_and_where_to_appeal(world: Service) -> None:
    page = get(world, f"{LIST}-1").text
    assert f"A list <code>{LIST}</code>" in page
    assert "<dt>Version</dt><dd>1</dd>" in page
    assert '<td>a whole site</td><td class="number">2</td>' in page
    assert "They decide within this many days: 9." in page
    assert f'href="/appeal?list={LIST}"' in page
    assert "(Lanzarote Convention), Article 20" in page
    assert "(Budapest Convention), Article 9" in page
    assert 'href="https://help.example/near-you" rel="noreferrer"' in page
    assert get(world, f"{LIST}.1").text == page
    assert f'href="/appeal?in=de&amp;list={LIST}"' in get(world, f"{LIST}-1", "", "?in=de").text


@pytest.mark.parametrize(
    "reference",
    [
        f"{LIST}-2",
        f"{LIST}-0",
        f"{LIST}-01",
        f"{LIST}-999999999999",
        LIST,
        "early-1",
        "nothing-1",
        "x",
        "-1",
        "https:a.example.test",
        "%2e%2e",
        "a" * 3000,
        "%F0%9F%98%80-1",
    ],
    ids=lambda reference: reference[:20],
)
def test_whatever_names_no_published_version_gets_the_same_page(world: Service, reference: str) -> None:
    answer, other = get(world, reference), get(world, "something-else-7")
    assert (answer.status_code, answer.text) == (200, other.text)
    assert "names no version of a list" in answer.text
    assert reference[:12] not in answer.text or reference in ("x", "-1", LIST)


def test_a_title_is_shown_as_text(world: Service) -> None:
    world.add_list("odd", title="<b>Odd</b>", confidentiality=Confidentiality.PLAIN)
    with world.connect(Kind.HOTLINE) as hotline, world.connect(Kind.REVIEW_BODY) as reviewer:
        _list(hotline, reviewer, "odd")
    world.publish()
    assert "&lt;b&gt;Odd&lt;/b&gt;" in get(world, "odd-1").text


def test_it_asks_once_whatever_the_reference(world: Service) -> None:
    for reference in (f"{LIST}-1", "nothing-1"):
        with statements(world) as issued:
            get(world, reference)
        asked = [one.split()[0] for one in issued]
        assert [word for word in asked if word != "BEGIN"] == ["SELECT"], "SQLite is also told to begin"


def test_nothing_is_written_down_of_who_came(world: Service, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    headers = {
        "Referer": "https://a.example.test/1",
        "User-Agent": "Somebody/1",
        "X-Forwarded-For": "192.0.2.7",
    }
    answer = httpx.get(f"{world.address}/stop/{LIST}-1", headers=headers)
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-robots-tag"] == "noindex, nofollow, noarchive"
    logged = capsys.readouterr().err
    assert "/stop/{reference}" in logged
    for part in ("example.test", "Somebody", "192.0.2.7", "127.0.0.1", f"{LIST}-1"):
        assert part not in logged


def test_every_language_has_every_text() -> None:
    def shape(text: Any) -> Any:
        return {name: shape(inner) for name, inner in text.items()} if isinstance(text, dict) else bool(text)

    assert shape(words("en")) == shape(words("fr")) == shape(words("de"))


@pytest.mark.parametrize(
    "page", ["javascript:alert(1)", "help.example", "https://", "https://a b", 'https://x"y']
)
def test_the_help_page_is_an_address(page: str) -> None:
    with pytest.raises(ValidationError):
        Settings(help_page=page)


@needs_chromium
def test_a_reader_finds_the_page_in_three_languages(world: Service, browser: Browser) -> None:
    with window(browser, world, width=360, locale="fr-FR") as view:
        page = view.open(f"/stop/{LIST}-1")
        page.get_by_role("heading", name=HEADINGS["fr"]).wait_for()
        page.get_by_role("link", name="Deutsch").click()
        page.get_by_role("heading", name=HEADINGS["de"]).wait_for()
        page.get_by_role("link", name="English").click()
        page.get_by_role("heading", name=HEADINGS["en"]).wait_for()
        page.get_by_role("link", name="Appeal against this block").click()
        assert page.get_by_label("The list, if the stop page named one").input_value() == LIST
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert not view.context.cookies()
        assert not view.complaints
