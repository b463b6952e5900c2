"""Every page as people meet it: axe finds no fault, 360 px are enough, nothing comes from elsewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from tests.programs import axe
from tests.programs.browser import Window, needs_chromium, window
from tests.programs.webclient import WebClient
from tests.web.seeded import Seeded, seeded
from tests.web.visits import NO_PAGES, VISITS, Visit, pages

pytestmark = needs_chromium
NAMES = [one.name for one in VISITS]
LADEN = [one for one in VISITS if one.name in ("transparency", "stop", "docs", "sign-in", "queue", "entry")]
"""Pages that load the most."""
LISTED = re.compile(r"[0-9a-z]\.example\.test")
"""What stands in every address that the seeded service has on its lists."""
SCREENSHOTS = Path(__file__).parents[2] / "docs" / "screenshots"
MOST_BYTES = 3_000_000
"""Of all screenshots together."""
WIDE, NARROW = ViewportSize(width=1440, height=900), ViewportSize(width=360, height=780)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    with seeded(tmp_path_factory.mktemp("accessible") / "home") as found:
        yield found


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    return axe.source(tmp_path_factory.mktemp("axe"))


@pytest.fixture(scope="module")
def window_of_all(world: Seeded, browser: Browser) -> Iterator[Window]:
    with window(browser, world.service, reduced_motion="reduce") as opened:
        yield opened


@pytest.fixture
def view(window_of_all: Window) -> Iterator[Window]:
    """One window for all pages; afterwards nothing is open in it. No page asks another host."""
    yield window_of_all
    window_of_all.page.goto("about:blank")


def visit(view: Window, world: Seeded, one: Visit) -> Page:
    """The page as its person sees it."""
    view.context.clear_cookies()
    if one.who:
        cookie = world.people[one.who].cookies["wardlist"]
        view.context.add_cookies(
            [{"name": "wardlist", "value": cookie, "url": world.service.settings.console}]
        )
    view.complaints.clear()
    page = view.open(one.address(world))
    page.wait_for_load_state("load")
    return page


def test_every_page_is_visited() -> None:
    assert {one.path for one in VISITS} | NO_PAGES == pages()
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("one", VISITS, ids=NAMES)
def test_axe_finds_no_fault(view: Window, world: Seeded, script: str, one: Visit) -> None:
    view.page.set_viewport_size(WIDE)
    view.page.emulate_media(color_scheme="light")
    page = visit(view, world, one)
    assert axe.violations(page, script) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(NARROW)
    assert axe.violations(page, script, looks_only=True) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    if one.status == 200:
        assert view.complaints == []


@pytest.mark.parametrize("one", VISITS, ids=NAMES)
def test_a_page_holds_no_listed_address_picture_or_inline_code(world: Seeded, one: Visit) -> None:
    client = world.people[one.who] if one.who else WebClient(world.service)
    text = client.get(one.address(world)).text
    assert not LISTED.search(text)
    assert not re.search(r"<(img|iframe|object|embed|video|style|base)\b", text)
    assert not re.search(r"<[^>]+\s(style|on[a-z]+|srcdoc)\s*=", text)
    assert all("src=" in tag or "application/json" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert not re.search(r'(src|href|action)="(?!/[^/]|/"|#|\?|mailto:)', text), "an address elsewhere"


def test_every_page_has_a_narrow_and_a_wide_screenshot() -> None:
    wanted = {f"{name}-{size['width']}.png" for name in NAMES for size in (NARROW, WIDE)}
    found = {file.name: file.read_bytes() for file in SCREENSHOTS.iterdir()}
    assert found.keys() == wanted, "run `make screenshots`"
    assert all(content.startswith(b"\x89PNG") for content in found.values())
    assert sum(map(len, found.values())) < MOST_BYTES


@pytest.mark.parametrize("one", LADEN, ids=lambda one: one.name)
def test_it_looks_the_same_where_no_other_host_can_be_reached(
    view: Window, world: Seeded, browser: Browser, one: Visit
) -> None:
    """The window of all tests stops what is asked of other hosts; a context of its own does not."""
    view.page.set_viewport_size(WIDE)
    view.page.emulate_media(color_scheme="light")
    blocked = visit(view, world, one).screenshot()
    context = browser.new_context(viewport=WIDE, reduced_motion="reduce")
    free = Window(world.service, context, context.new_page(), "", None)
    assert visit(free, world, one).screenshot() == blocked
    context.close()
