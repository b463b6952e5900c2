"""Reviewing in a real browser: by keyboard alone from the invitation to the verified export; and by touch."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from typer.testing import CliRunner

from app.cli.main import app
from app.client.session import Connection
from app.core import jose, note, passkey
from app.core.note import Signer
from app.core.terms import Kind
from tests.programs.browser import Window, needs_chromium, signed_in, window
from tests.programs.service import LIST, Service, leaves, replay, running
from tests.programs.webclient import WebClient
from tests.web.reviewers import World, now, where

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(Service(Path(tmp_path_factory.mktemp("keyboard")) / "home")) as service:
        service.add_list()
        with service.connect(Kind.HOTLINE) as hotline:
            yield World(service, hotline, WebClient(service))


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def ready(page: Page, path: str = "") -> None:
    """The page of this path is there, and its keys with it."""
    page.wait_for_url(lambda address: path in address)
    page.locator("body[data-keys=ready]").wait_for()


def staged(page: Page, text: str) -> None:
    expect(page.locator("[data-staged]")).to_contain_text(text)


def export(service: Service, auditor: Connection) -> bytes:
    made = auditor.request("POST", "/v1/audit/exports", json={}).json()
    service.publish()
    service.exporter.round()
    return auditor.request("GET", f"/v1/audit/exports/{made['id']}").content


def verified(service: Service, packed: bytes, folder: Path) -> dict[str, Any]:
    """What `wardlist audit verify` says of an export."""
    file = folder / "export.tar.zst"
    file.write_bytes(packed)
    key = str(Signer(service.settings.log_origin, note.ED25519, service.keyring.log).verifier)
    done = CliRunner().invoke(app, ["audit", "verify", str(file), "--json", "--log-vkey", key])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def approve_the_first(page: Page) -> None:
    """From the queue on; a change of mind on the way."""
    ready(page, "/console/queue")
    press(page, "j", "Enter")
    ready(page, "/console/entries/")
    press(page, "a")
    staged(page, "an approval needs yes to every question, and 5 of 5 lack it")
    press(page, "1", "2", "3", "4", "5", "5")
    press(page, "a")
    staged(page, "1 of 5 lack it")
    press(page, "5", "a")
    staged(page, "Approval staged. Enter signs it, u takes it back.")
    press(page, "u")
    staged(page, "Nothing is staged")
    assert page.get_by_label("Reason").input_value() == ""
    press(page, "a", "Enter")
    page.get_by_text("Approved. Signed as Ada").wait_for()


def reject_the_second(page: Page) -> None:
    """Its address looked at first; letters of the reason are no keys."""
    ready(page)
    press(page, "v")
    address = page.get_by_text("hxxps[:]//n2[.]example[.]test/window")
    address.wait_for()
    press(page, "v")
    expect(address).to_have_count(0)
    press(page, "1", "2", "3", "4", "5", "4", "r")
    page.keyboard.type("nav u 123?")
    press(page, "Escape")
    staged(page, "Rejection staged")
    press(page, "Enter")
    page.get_by_text("Rejected. Signed as Ada").wait_for()


def test_a_reviewer_works_by_keyboard_alone_and_the_export_verifies(
    world: World, browser: Browser, tmp_path: Path
) -> None:
    service, (good, bad, last) = world.service, (world.entry(), world.entry(), world.entry())
    with window(browser, service) as view:
        signed_in(view, Kind.REVIEW_BODY, name="Ada")
        page = view.open("/console/queue")
        approve_the_first(page)
        assert page.url.partition("?")[0].endswith(where(bad))
        reject_the_second(page)
        assert page.url.partition("?")[0].endswith(where(last))
        assert [now(world.hotline, one)["status"] for one in (good, bad)] == ["approved", "rejected"]
        service.publish()
        view.open(where(good)).get_by_text("Listed, version 1").wait_for()
    cast = _votes(service)
    assert [(leaf["entry"], leaf["decision"]) for leaf in cast] == [
        (good["id"], "approve"),
        (bad["id"], "reject"),
    ]
    assert all(passkey.is_one(jose.header(leaf["signature"])) for leaf in cast)
    replay(service)
    with service.connect(Kind.AUDITOR) as auditor:
        found = verified(service, export(service, auditor), tmp_path)
    assert (found["verified"], found["versions"]) == (True, {LIST: 1})


def _votes(service: Service) -> list[dict[str, Any]]:
    with service.database.reading() as session:
        return [leaf for leaf in leaves(session) if leaf["type"] == "entry.reviewed"]


def fill_by_hand(page: Page) -> None:
    for box in page.get_by_label("Yes", exact=True).all():
        box.check()
    page.get_by_label("Approve").check()
    staged(page, "Approval staged")
    assert page.get_by_label("Reason").input_value() == "Every criterion is met."


def test_everything_works_by_touch_with_the_keys_turned_off(world: World, browser: Browser) -> None:
    world.entry(hosting_country="PT")
    with window(browser, world.service, width=360, height=740, has_touch=True) as view:
        signed_in(view, Kind.REVIEW_BODY)
        page = view.open("/console/queue")
        page.get_by_label("Hosted in").fill("pt")
        page.get_by_label("List").select_option(LIST)
        expect(page.locator("[data-row]")).to_have_count(1)
        page.locator("[data-row]").tap()
        ready(page, "country=PT")
        turn_keys_off(page)
        fill_by_hand(page)
        press(page, "u", "n")
        staged(page, "Approval staged")
        page.get_by_role("button", name="Take it back").tap()
        staged(page, "Nothing is staged")
        page.get_by_role("link", name="Show the address").tap()
        page.get_by_text("[.]example[.]test/window").wait_for()
        page.get_by_role("button", name="Hide the address").tap()
        expect(page.get_by_text("[.]example[.]test/window")).to_have_count(0)
        assert_no_sideways(page)
        fill_by_hand(page)
        page.get_by_role("button", name="Sign the decision").tap()
        page.get_by_text("Approved. Signed as").wait_for()
        assert page.url.partition("?")[0].endswith("/console/queue")


def turn_keys_off(page: Page) -> None:
    page.locator("#keys summary").tap()
    page.get_by_role("button", name="Turn these keys off").tap()
    expect(page.get_by_role("button", name="Turn these keys off")).to_have_attribute("aria-pressed", "true")


def assert_no_sideways(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_fault_found_before_signing_is_said_in_the_form_and_nothing_is_lost(
    world: World, browser: Browser
) -> None:
    entry = world.entry()
    with window(browser, world.service) as view:
        signed_in(view, Kind.REVIEW_BODY)
        page = view.open(where(entry))
        fill_by_hand(page)
        page.get_by_label("Reason").fill("  ")
        page.get_by_role("button", name="Sign the decision").click()
        page.get_by_text("reason: write 1 to 2,000 characters").wait_for()
        assert page.get_by_label("Approve").is_checked()
        refuse_passkey(view)
        page.get_by_label("Reason").fill("It is as the hotline says.")
        page.get_by_role("button", name="Sign the decision").click()
        page.get_by_text("Nothing was signed").wait_for()
        staged(page, "Approval staged")
    assert now(world.hotline, entry)["status"] == "submitted"


def refuse_passkey(view: Window) -> None:
    """The person does not pass the authenticator's own check."""
    sent = {"authenticatorId": view.authenticator, "isUserVerified": False}
    view.cdp.send("WebAuthn.setUserVerified", sent)
