"""Pages that only a form leads to: axe finds no fault in them either, light and dark."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from app.core.terms import Kind
from tests.programs import axe
from tests.programs.browser import enrol, invite, needs_chromium, signed_in, window
from tests.programs.service import Service, new_entry, running

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(Service(tmp_path_factory.mktemp("answers") / "home")) as found:
        found.add_list()
        yield found


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    return axe.source(tmp_path_factory.mktemp("axe"))


def flawless(page: Page, script: str) -> None:
    page.wait_for_load_state()
    page.emulate_media(color_scheme="light")
    assert axe.violations(page, script) == []
    page.emulate_media(color_scheme="dark")
    assert axe.violations(page, script, looks_only=True) == []


def test_a_passkey_enrolled_and_an_invitation_used_up(
    service: Service, browser: Browser, script: str
) -> None:
    with window(browser, service, reduced_motion="reduce") as view:
        invited = invite(service, Kind.HOTLINE)
        enrol(view, invited)
        flawless(view.page, script)
        view.new_authenticator()
        view.page.goto("about:blank")
        page = view.open(f"/console/enrol#{invited.token}")
        page.get_by_label("What you call this device").fill("other")
        page.get_by_role("button", name="Make a passkey").click()
        page.get_by_text("was used, has expired or never was").wait_for()
        flawless(page, script)


def test_an_invitation_shown_once_and_entries_taken_off(
    service: Service, browser: Browser, script: str
) -> None:
    with service.connect(Kind.HOTLINE) as hotline:
        entry = hotline.request("POST", "/v1/entries", json=new_entry()).json()["id"]
    hotlines = service.organisation(Kind.HOTLINE)
    with window(browser, service, reduced_motion="reduce") as view:
        signed_in(view, Kind.OPERATOR)
        page = view.open(f"/console/people/new/{hotlines}")
        page.get_by_label("Name, as the console shows it").fill("Kim Example")
        page.get_by_label("entries:read").check()
        page.get_by_role("button", name="Invite").click()
        page.get_by_role("heading", name="The invitation").wait_for()
        flawless(page, script)
        page = view.open("/console/removal")
        page.get_by_label("Entries by id, one a line").fill(entry)
        page.get_by_role("button", name="Take them off").click()
        page.get_by_role("status").filter(has_text="leave").wait_for()
        flawless(page, script)


def test_an_appeal_filed_and_one_with_a_fault(service: Service, browser: Browser, script: str) -> None:
    with window(browser, service, reduced_motion="reduce") as view:
        page = view.open("/appeal")
        page.get_by_label("The address that is blocked").fill("https://192.0.2.1/")
        page.get_by_label("Why it should not be blocked").fill("This page shows a garden and nothing else.")
        page.get_by_role("button", name="File the appeal").click()
        page.get_by_text("Please write the site’s name").first.wait_for()
        flawless(page, script)
        page.get_by_label("The address that is blocked").fill("https://garden.example.test/")
        page.get_by_role("button", name="File the appeal").click()
        page.get_by_role("heading", name="Your appeal is filed").wait_for()
        flawless(page, script)
