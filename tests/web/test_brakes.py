"""A brake in the console: the exact difference, and a release that two operators' passkeys sign."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from app.core.terms import Kind
from app.identity import service as identity
from tests.programs.browser import needs_chromium, signed_in, window
from tests.programs.service import LIST, Service, approve, new_entry, recorded, replay, running
from tests.programs.webclient import WebClient, signed_in_client

BRAKE = f"/console/brakes/{LIST}"
RELEASE = f"{BRAKE}/release"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(Service(tmp_path_factory.mktemp("brakes") / "home")) as found:
        found.add_list(brake_changes=1, brake_free=0, brake_percent=1)
        found.add_list("other", brake_changes=1, brake_free=0, brake_percent=1)
        yield found


@pytest.fixture(scope="module")
def operators(service: Service) -> tuple[WebClient, WebClient]:
    """Of two organisations."""
    return signed_in_client(service, Kind.OPERATOR), signed_in_client(service, Kind.OPERATOR)


def hold(service: Service, name: str, word: str, in_list: str = LIST) -> list[str]:
    """Have a version held; the entries that wait."""
    with service.connect(Kind.HOTLINE) as hotline, service.connect(Kind.REVIEW_BODY) as reviewer:
        bodies = [new_entry(f"https://{word}{number}.example.test/", list=in_list) for number in range(3)]
        entries = hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()["entries"]
        for entry in entries:
            approve(reviewer, entry)
    service.publish()
    assert service_holds(service, name)
    return [entry["id"] for entry in entries]


def service_holds(service: Service, name: str) -> bool:
    with service.connect(Kind.OPERATOR) as operator:
        return bool(operator.request("GET", f"/v1/lists/{name}/brake").json()["engaged"])


def versions(service: Service, name: str = LIST) -> int:
    return sum(leaf["type"] == "list.published" and leaf["list"] == name for leaf in recorded(service))


def difference(client: WebClient, path: str = BRAKE) -> str:
    return client.get(path).text.split('name="difference" value="')[1][:64]


@needs_chromium
def test_two_operators_release_a_held_version(service: Service, browser: Browser) -> None:
    held, before = hold(service, LIST, "a"), versions(service)
    for _ in range(2):
        with window(browser, service) as view:
            signed_in(view, Kind.OPERATOR)
            page = view.open(BRAKE)
            for entry in held:
                row = page.get_by_role("row").filter(has_text=entry)
                assert row.locator("td").all_inner_texts()[1:] == ["url", "less than a minute"]
            assert "example" not in page.locator("main").inner_text()
            page.get_by_role("button", name="Release this difference").press("Enter")
            page.get_by_text("gave its word").or_(page.get_by_text("It is released")).wait_for()
    service.publish()
    assert versions(service) == before + 1
    assert not service_holds(service, LIST)
    replay(service)


def test_no_release_without_a_passkey_or_by_one_for_something_else(
    service: Service, operators: tuple[WebClient, WebClient]
) -> None:
    hold(service, LIST, "b")
    hold(service, "other", "c", "other")
    one, before = operators[0], recorded(service)
    seen, elsewhere = difference(one), difference(one, "/console/brakes/other")
    asked = one.options("/console/brakes/other/release", {"difference": elsewhere})
    said = one.signed_fields(asked)
    assert one.post(RELEASE, {"difference": seen}).status_code == 422
    assert one.post(RELEASE, {"difference": seen, **said}).status_code == 422
    assert one.post(RELEASE, {"difference": elsewhere, **said}).status_code == 422
    assert recorded(service) == before


def test_a_difference_that_changed_since_is_not_released(
    service: Service, operators: tuple[WebClient, WebClient]
) -> None:
    one = operators[0]
    hold(service, LIST, "e")
    seen = difference(one)
    with service.connect(Kind.HOTLINE) as hotline, service.connect(Kind.REVIEW_BODY) as reviewer:
        approve(
            reviewer, hotline.request("POST", "/v1/entries", json=new_entry("https://d.example.test/")).json()
        )
    answer = one.signed_post(RELEASE, {"difference": seen})
    assert answer.status_code == 409
    assert "changed since you saw it" in answer.text


def test_one_organisation_gives_one_word(service: Service, operators: tuple[WebClient, WebClient]) -> None:
    one, two = operators
    hold(service, LIST, "d")
    assert one.signed_post(RELEASE, {"difference": difference(one)}).status_code == 303
    assert "gave its word" in one.get(BRAKE).text
    colleague = signed_in_client(service, Kind.OPERATOR, organisation=one.invited.organisation)  # type: ignore[union-attr]
    seen = difference(two)
    assert colleague.signed_post(RELEASE, {"difference": seen}).status_code == 409
    assert two.signed_post(RELEASE, {"difference": seen}).status_code == 303
    assert "It is released" in one.get(BRAKE).text


def test_where_two_words_count_again_either_releases(service: Service) -> None:
    one, two = (signed_in_client(service, Kind.OPERATOR) for _ in range(2))
    assert one.invited is not None
    hold(service, LIST, "g")
    assert one.signed_post(RELEASE, {"difference": difference(one)}).status_code == 303
    suspend(service, one.invited.organisation)
    assert two.signed_post(RELEASE, {"difference": difference(two)}).status_code == 303
    assert "gave its word" in two.get(BRAKE).text
    suspend(service, one.invited.organisation, False)
    assert two.signed_post(RELEASE, {"difference": difference(two)}).status_code == 303
    assert "It is released" in two.get(BRAKE).text


def suspend(service: Service, organisation: str, is_suspended: bool = True) -> None:
    with service.database.writing() as session:
        identity.suspend_organisation(session, organisation, is_suspended, service.clock())


def test_nobody_makes_a_second_word_alone(service: Service, operators: tuple[WebClient, WebClient]) -> None:
    """An operator neither adds another operator nor gets a passkey of one's people."""
    one, two = operators
    assert one.invited is not None
    assert two.invited is not None
    before = recorded(service)
    sham = {"name": "A second operator", "kind": "operator", "country": "NL"}
    assert one.post("/console/organisations", sham).status_code == 403
    fields = {"organisation": two.invited.organisation, "name": "Kim Example", "scope-admin": "yes"}
    assert one.get(f"/console/people/new/{two.invited.organisation}").status_code == 403
    assert one.signed_post("/console/people/invitation", fields).status_code == 403
    assert one.signed_post(f"/console/people/{two.invited.person}/again").status_code == 403
    assert recorded(service) == before
    own = {**fields, "organisation": one.invited.organisation}
    assert one.signed_post("/console/people/invitation", own).status_code == 200
