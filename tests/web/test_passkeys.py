"""Enrolling a passkey, signing in with it, a second one, signing out: in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route

from app.core.terms import Kind
from tests.programs.browser import enrol, invite, needs_chromium, sign_in, signed_in, window
from tests.programs.service import Service, running

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(Service(Path(tmp_path_factory.mktemp("passkeys")))) as found:
        found.add_list()
        yield found


def test_an_invitation_makes_a_passkey_that_signs_in(service: Service, browser: Browser) -> None:
    invited = invite(service, Kind.HOTLINE, name="Ada")
    with window(browser, service) as view:
        enrol(view, invited)
        sign_in(view)
        page = view.open("/console/account")
        assert page.get_by_role("link", name="Ada").is_visible()


def test_an_invitation_works_once(service: Service, browser: Browser) -> None:
    invited = invite(service, Kind.HOTLINE)
    with window(browser, service) as view:
        enrol(view, invited)
        view.open("/console/sign-in")
        page = view.open(f"/console/enrol#{invited.token}")
        page.get_by_label("What you call this device").fill("other")
        page.get_by_role("button", name="Make a passkey").click()
        page.get_by_text("was used, has expired or never was").wait_for()
        assert invited.token not in page.url


def test_a_form_sent_before_its_script_is_there_costs_no_invitation(
    service: Service, browser: Browser
) -> None:
    held: list[Route] = []
    with window(browser, service) as view:
        view.context.route("**/static/passkeys.js*", lambda route: held.append(route))
        token = invite(service, Kind.HOTLINE).token
        page = view.page
        page.goto(f"{service.settings.console}/console/enrol#{token}", wait_until="commit")
        page.get_by_label("What you call this device").fill("laptop")
        page.keyboard.press("Enter")
        assert page.get_by_role("button", name="Make a passkey").is_disabled()
        assert page.url.endswith(token), "nothing was sent"
        held[0].continue_()
        page.get_by_role("button", name="Make a passkey").click()
        page.get_by_role("heading", name="Your passkey is enrolled").wait_for()


def test_a_second_device_is_enrolled_and_the_lost_first_one_removed(
    service: Service, browser: Browser
) -> None:
    with window(browser, service) as view:
        signed_in(view, Kind.HOTLINE)
        page = view.open("/console/account")
        assert "You have one passkey" in page.content()
        page.get_by_role("button", name="Enrol another passkey").click()
        page.get_by_label("What you call this device").fill("key")
        page.wait_for_load_state()  # the form's script is there
        view.new_authenticator()
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Your passkey is enrolled").wait_for()
        page = view.open("/console/account")
        page.get_by_role("button", name="Remove laptop").click()
        page.get_by_text("You have one passkey").wait_for()
        assert page.get_by_role("heading", name="key", exact=True).is_visible()


def test_who_signed_out_is_signed_out(service: Service, browser: Browser) -> None:
    with window(browser, service) as view:
        signed_in(view, Kind.HOTLINE)
        kept = [one for one in view.context.cookies() if one["name"] == "wardlist"]
        view.open("/console/account").get_by_role("button", name="Sign out", exact=True).click()
        view.page.wait_for_url("**/console/sign-in")
        view.context.add_cookies([dict(kept[0])])  # type: ignore[list-item]
        assert view.open("/console/account").url.endswith("/console/sign-in")
