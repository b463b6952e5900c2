"""Debian's Chromium, driven by Playwright, with a virtual authenticator for passkeys.

Every request of a page is seen: one to another host than the service's is stopped and counted.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from app.core.terms import Kind
from app.identity import ceremony
from app.identity import service as identity
from app.identity.people import passkeys
from app.identity.people import service as people
from app.identity.permissions import MAY_HOLD, Scope
from tests.programs.service import Service

EXECUTABLE = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(EXECUTABLE is None, reason="chromium is not installed")
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Window:
    """One person's browser window, their authenticator, and what went wrong in it."""

    service: Service
    context: BrowserContext
    page: Page
    authenticator: str
    cdp: Any
    strangers: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to an address of the service."""
        self.page.goto(self.service.settings.console + path)
        return self.page

    def new_authenticator(self) -> None:
        """A second device: with no passkey on it."""
        self.cdp.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self.authenticator})
        made = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        self.authenticator = made["authenticatorId"]


@contextmanager
def window(
    browser: Browser, service: Service, width: int = 1440, height: int = 900, dark: bool = False, **more: Any
) -> Iterator[Window]:
    """A window on the service; at its end no script was refused and no other host was asked."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", **more
    )
    context.set_default_timeout(10_000)
    page = context.new_page()
    cdp = context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    made = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    found = Window(service, context, page, made["authenticatorId"], cdp)
    host = urlsplit(service.settings.console).netloc

    def pass_or_stop(route: Route) -> None:
        if urlsplit(route.request.url).netloc == host:
            route.continue_()
        else:
            found.strangers.append(route.request.url)
            route.abort()

    context.route("**/*", pass_or_stop)
    page.on(
        "console", lambda message: found.complaints.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda fault: found.complaints.append(str(fault)))
    try:
        yield found
    finally:
        context.close()
    assert not found.strangers, "a page asked another host"
    assert not [text for text in found.complaints if "Content Security Policy" in text], "CSP violations"


@dataclass(frozen=True)
class Invited:
    """Somebody who may enrol a passkey."""

    person: str
    organisation: str
    client: str
    token: str


def invite(
    service: Service,
    kind: Kind,
    organisation: str | None = None,
    scopes: set[Scope] | None = None,
    is_lead: bool = False,
    name: str = "Test Person",
) -> Invited:
    """A new person with every right that its kind of organisation may have."""
    organisation = organisation or service.organisation(kind)
    with service.database.writing() as session:
        wanted = set(MAY_HOLD[kind]) if scopes is None else scopes
        person, token = people.invite(session, organisation, name, wanted, is_lead, service.clock())
        return Invited(person.id, organisation, person.client_id, token)


def certify(service: Service, invited: Invited) -> None:
    """The review body certifies every passkey of its reviewer."""
    with service.database.writing() as session:
        keys = identity.keys(session, invited.client)
        for one in passkeys.of(session, invited.person):
            ceremony.certify(
                session,
                service.settings.offline,
                invited.organisation,
                invited.client,
                keys[one.kid],
                service.clock(),
            )


def enrol(view: Window, invited: Invited, label: str = "laptop") -> None:
    """Enrol a passkey by the invitation's page."""
    page = view.open(f"/console/enrol#{invited.token}")
    page.get_by_label("What you call this device").fill(label)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Your passkey is enrolled").wait_for()


def sign_in(view: Window) -> Page:
    """Sign in by the passkey on this window's device."""
    page = view.open("/console/sign-in")
    page.get_by_role("button", name="Sign in with a passkey").press("Enter")
    page.wait_for_url(lambda address: "/sign-in" not in address)
    return page


def signed_in(view: Window, kind: Kind, **more: Any) -> Invited:
    """Invite, enrol, certify a reviewer's passkey, and sign in."""
    invited = invite(view.service, kind, **more)
    enrol(view, invited)
    if kind is Kind.REVIEW_BODY:
        certify(view.service, invited)
    sign_in(view)
    return invited
