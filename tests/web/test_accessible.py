"""Every page as people meet it: axe finds no fault, 360 px are enough, nothing comes from elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from tests.programs import axe
from tests.programs.browser import Window, needs_chromium, window
from tests.web.seeded import Seeded, seeded
from tests.web.visits import NO_PAGES, VISITS, Visit, pages

pytestmark = needs_chromium
NAMES = [one.name for one in VISITS]
SCREENSHOTS = Path(__file__).parents[2] / "docs" / "screenshots"
WIDE, NARROW = ViewportSize(width=1440, height=900), ViewportSize(width=360, height=780)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    with seeded(tmp_path_factory.mktemp("accessible") / "home") as found:
        yield found


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    return axe.source(tmp_path_factory.mktemp("axe"))


@pytest.fixture(scope="module")
def windows(world: Seeded, browser: Browser) -> Iterator[dict[object, Window]]:
    """One window for everybody, and one for who is not signed in; no page asks another host."""
    with window(browser, world.service, reduced_motion="reduce") as view:
        yield {"window": view}


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
def test_axe_finds_no_fault(windows: dict[object, Window], world: Seeded, script: str, one: Visit) -> None:
    view = windows["window"]
    view.page.set_viewport_size(WIDE)
    view.page.emulate_media(color_scheme="light")
    page = visit(view, world, one)
    assert axe.violations(page, script) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(NARROW)
    assert axe.violations(page, script) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert view.complaints == []


@pytest.mark.parametrize("one", VISITS, ids=NAMES)
def test_it_has_its_screenshots(one: Visit) -> None:
    for width in (NARROW["width"], WIDE["width"]):
        assert (SCREENSHOTS / f"{one.name}-{width}.png").read_bytes().startswith(b"\x89PNG")


def test_pages_look_the_same_when_no_other_host_can_be_reached(world: Seeded, browser: Browser) -> None:
    """Blocked by a window of tests/programs/browser.py, free in a context of the browser's own."""
    context = browser.new_context(viewport=WIDE, reduced_motion="reduce")
    with window(browser, world.service, reduced_motion="reduce") as blocked:
        free = Window(world.service, context, context.new_page(), "", None)
        for one in VISITS:
            shots = [visit(view, world, one).screenshot() for view in (blocked, free)]
            assert shots[0] == shots[1], one.name
    context.close()
