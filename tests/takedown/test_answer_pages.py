"""The page of a link: what it shows and what never, in three languages, without script or another host."""

import json
import re

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import RefusalReason
from app.platform.languages import LANGUAGES
from app.takedown.answers import pages
from tests.programs.service import Service, replay
from tests.takedown.told import URL, Post, answer, approved, contact, pass_time, shown, steps_of, token_of

FRENCH = {"Accept-Language": "fr-BE, de;q=0.5"}


@pytest.fixture
def entry(service: Service, hotline: Connection, reviewer: Connection) -> str:
    """An entry whose provider speaks German."""
    contact(service, language="de")
    return approved(hotline, reviewer)


@pytest.fixture
def address(service: Service, entry: str, post: Post) -> str:
    """The page of the link in a notice about it."""
    return str(post.deliver()[0].link)


def send(address: str, **form: str) -> httpx.Response:
    return httpx.post(address, data=form, headers={"Accept-Language": "en"})


def test_looking_at_the_page_answers_nothing(service: Service, address: str) -> None:
    before = service.state()
    for _ in range(3):
        assert httpx.get(address).status_code == 200
    assert service.state() == before


def test_the_page_shows_the_reference_of_the_mail_and_never_the_address(address: str, entry: str) -> None:
    page = httpx.get(address)
    assert f"<code>{entry}</code>" in page.text
    for hidden in (URL, "a.example.test", "example.test", "Example Hosting", "abuse@"):
        assert hidden not in page.text
    assert re.findall(r'name="answer" value="([a-z]+)"', page.text) == ["acknowledged", "removed", "refused"]
    assert re.findall(r'option value="([a-z_]+)"', page.text) == list(RefusalReason)


def test_the_page_keeps_to_itself(address: str) -> None:
    page = httpx.get(address)
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in page.headers["x-robots-tag"]
    policy = page.headers["content-security-policy"]
    for rule in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert rule in policy
    assert "<script" not in page.text
    assert not re.search(r'(?:src|href|action)="', page.text)


@pytest.mark.parametrize(
    ("accepted", "spoken"),
    [
        (None, "de"),
        ("fr", "fr"),
        ("fr-BE, de;q=0.5", "fr"),
        ("de;q=0.2, en;q=0.7", "en"),
        ("ja", "de"),
        ("en;q=0, ja", "de"),
        (";;,q=,fr;q=nonsense", "de"),
    ],
)
def test_the_browser_s_language_is_spoken(address: str, accepted: str | None, spoken: str) -> None:
    page = httpx.get(address, headers={"Accept-Language": accepted} if accepted else {})
    assert page.headers["content-language"] == spoken
    assert f'<html lang="{spoken}">' in page.text
    assert pages.words(spoken)["question"] in page.text


def test_every_language_says_the_same() -> None:
    def form(words: object) -> object:
        return {key: form(value) for key, value in words.items()} if isinstance(words, dict) else None

    english = json.dumps(form(pages.words("en")))
    assert [json.dumps(form(pages.words(one))) for one in LANGUAGES] == [english] * 3
    assert set(pages.words("en")["reasons"]) == set(RefusalReason)


def test_the_form_acknowledges_and_leads_to_the_next_link(
    service: Service, hotline: Connection, address: str, entry: str
) -> None:
    sent = send(address, answer="acknowledged")
    assert sent.status_code == 303
    following = service.address + sent.headers["location"]
    page = httpx.get(following, headers=FRENCH)
    assert pages.words("fr")["acknowledged_heading"] in page.text
    assert re.findall(r'name="answer" value="([a-z]+)"', page.text) == ["removed", "refused"]
    assert httpx.get(address, headers=FRENCH).status_code == 410
    assert send(following, answer="acknowledged").status_code == 409
    assert send(following, answer="removed", reason="other").status_code == 200
    assert shown(hotline, entry)["state"] == "removed"
    assert replay(service)


def test_a_form_with_something_missing_is_shown_again(service: Service, address: str, entry: str) -> None:
    before = service.state()
    for form in ({}, {"answer": "nonsense"}, {"reason": "other"}, {"answer": ""}):
        again = send(address, **form)
        assert (again.status_code, pages.words("en")["faults"]["answer"] in again.text) == (422, True)
    for reason in ("", "nonsense"):
        again = send(address, answer="refused", reason=reason)
        assert (again.status_code, pages.words("en")["faults"]["reason"] in again.text) == (422, True)
    assert httpx.post(address, json={"answer": "removed"}).status_code == 422
    assert httpx.post(address, content=b"answer=removed&" + b"x" * 5000).status_code == 413
    assert service.state() == before
    refused = send(address, answer="refused", reason="not_found")
    assert (refused.status_code, "recorded" in refused.text) == (200, True)
    assert steps_of(service, entry) == ["notified", "refused"]


def test_a_page_of_a_link_that_is_over_says_so(
    service: Service, hotline: Connection, address: str, entry: str, post: Post
) -> None:
    said = pages.words("en")["said"]
    assert send(address[:-1], answer="removed").status_code == 404
    pass_time(service, hours=25)
    reminder = post.deliver()[0]
    assert answer(service, token_of(reminder), "removed").status_code == 200
    settled = httpx.get(address)
    assert (settled.status_code, pages.words("de")["said"]["settled"]["heading"] in settled.text) == (
        409,
        True,
    )
    used = send(str(reminder.link), answer="removed")
    assert (used.status_code, said["used"]["heading"] in used.text) == (410, True)
    hotline.request("POST", f"/v1/entries/{entry}/withdrawal")
    ended = send(address, answer="removed")
    assert (ended.status_code, said["ended"]["heading"] in ended.text) == (410, True)
    assert ended.headers["cache-control"] == "no-store"
    post.deliver()
    assert replay(service)


def test_an_expired_page_says_so(service: Service, address: str) -> None:
    pass_time(service, days=20)
    page = httpx.get(address, headers=FRENCH)
    assert (page.status_code, pages.words("fr")["said"]["expired"]["heading"] in page.text) == (410, True)
