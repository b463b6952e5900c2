"""Attacks on sessions: one each, over HTTP, and what a session's cookie and pages carry."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from app.core.terms import Kind
from app.identity import service as identity
from app.identity.people import service as people
from app.identity.people.sessions import IDLE, LONGEST
from app.platform.strangers import REFUSED_AT_ONCE, Strangers
from app.web.access import LARGEST_FORM
from app.web.pages import HEADERS
from tests.programs.browser import invite
from tests.programs.service import Service, leaves, running
from tests.programs.webclient import WebClient

SIGN_IN = "/console/sign-in"
ACCOUNT = "/console/account"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(Service(tmp_path_factory.mktemp("sessions") / "home")) as up:
        yield up


@pytest.fixture
def service(shared: Service) -> Iterator[Service]:
    """With nobody shut out, and the machine's own time again afterwards."""
    shared.app.state.console_strangers = Strangers("too many answers from your address did not hold")
    yield shared
    shared.clock.ahead = timedelta()


def somebody(service: Service, kind: Kind = Kind.HOTLINE, name: str = "Test Person") -> WebClient:
    return WebClient(service, invite(service, kind, name=name))


def is_in(client: WebClient) -> bool:
    answer = client.get(ACCOUNT)
    assert answer.status_code == 200 or answer.headers["location"] == SIGN_IN
    return answer.status_code == 200


def test_a_cookie_set_before_signing_in_is_not_the_sessions(service: Service) -> None:
    client = WebClient(service)
    invited = invite(service, Kind.HOTLINE)
    client.enrol(invited.token)
    client.cookies["wardlist"] = planted = "A" * 43
    client.sign_in()
    assert client.cookies["wardlist"] != planted
    assert is_in(client)
    client.cookies["wardlist"] = planted
    assert not is_in(client)


def test_signing_in_again_ends_the_session_before(service: Service) -> None:
    client = somebody(service)
    before = client.cookies["wardlist"]
    client.sign_in()
    assert is_in(client)
    client.cookies["wardlist"] = before
    assert not is_in(client)


def test_a_stolen_cookie_is_worth_nothing_after_signing_out(service: Service) -> None:
    client, thief = somebody(service), WebClient(service)
    thief.cookies["wardlist"] = client.cookies["wardlist"]
    assert is_in(thief)
    client.post("/console/sign-out")
    assert "wardlist" not in client.cookies
    assert not is_in(thief)


def test_signing_out_everywhere_else_leaves_this_session(service: Service) -> None:
    client = somebody(service)
    other = WebClient(service, passkey=client.passkey)
    other.sign_in()
    assert client.post(f"{ACCOUNT}/sessions/end").status_code == 303
    assert (is_in(client), is_in(other)) == (True, False)


def test_a_session_ends_when_unused(service: Service) -> None:
    client = somebody(service)
    for _ in range(3):
        service.clock.ahead += IDLE - timedelta(minutes=2)
        assert is_in(client)
    service.clock.ahead += IDLE
    assert not is_in(client)


def test_a_session_ends_at_its_end_however_much_it_is_used(service: Service) -> None:
    client = somebody(service)
    for _ in range(LONGEST // timedelta(minutes=20) - 1):
        service.clock.ahead += timedelta(minutes=20)
        assert is_in(client)
    service.clock.ahead += timedelta(minutes=20)
    assert not is_in(client)


@pytest.mark.parametrize("how", ["suspended", "client revoked", "ended"])
def test_who_may_no_longer_is_out_at_the_next_request(service: Service, how: str) -> None:
    client = somebody(service)
    assert client.invited is not None
    with service.database.writing() as session:
        if how == "suspended":
            identity.suspend_organisation(session, client.invited.organisation, True, service.clock())
        elif how == "client revoked":
            identity.revoke_client(session, client.invited.client, service.clock())
        else:
            people.end(session, client.invited.person, service.clock())
    assert not is_in(client)
    assert client.post("/console/sign-out").headers["location"] == SIGN_IN
    assert client.sign_in().status_code in (404, 422)


def test_a_form_with_another_sessions_token_is_refused(service: Service) -> None:
    client, other = somebody(service), somebody(service)
    for path in ("/console/sign-out", f"{ACCOUNT}/sessions/end", f"{ACCOUNT}/passkeys/options"):
        assert client.post(path, {"csrf": other.csrf()}).status_code == 403
    again = WebClient(service, passkey=client.passkey)
    again.sign_in()
    assert client.post("/console/sign-out", {"csrf": again.csrf()}).status_code == 403
    assert is_in(client)


def test_a_form_too_large_is_not_read(service: Service) -> None:
    client = somebody(service)
    assert client.post(f"{ACCOUNT}/sessions/end", {"x": "y" * LARGEST_FORM}).status_code == 413
    assert client.post("/console/enrol/options", {"x": "y" * LARGEST_FORM}).status_code == 413
    many = {f"f{number}": "" for number in range(1)} | {f"f{number}": "x" for number in range(100)}
    assert client.post(f"{ACCOUNT}/sessions/end", many).status_code == 403
    assert len(urlencode(many)) < LARGEST_FORM


def test_who_answers_wrongly_too_often_is_not_looked_at_for_a_while(service: Service) -> None:
    client = somebody(service)
    client.post("/console/sign-out")
    for _ in range(REFUSED_AT_ONCE):
        assert client.post(SIGN_IN, {"answer": "{}"}).status_code == 422
    refused = client.sign_in()
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 3
    for path in ("/console/enrol", "/console/enrol/options"):
        assert client.post(path, {"invitation": "guess"}).status_code == 429
    service.clock.ahead += timedelta(seconds=4)
    assert client.sign_in().status_code == 303


def test_a_cookie_is_for_this_host_alone_and_no_script_reads_it(service: Service) -> None:
    client = somebody(service)
    answer = client.sign_in()
    (made,) = [line for line in answer.headers.get_list("set-cookie") if line.startswith("wardlist=")]
    attributes = {part.strip().lower() for part in made.split(";")[1:]}
    assert attributes == {"httponly", "path=/", "samesite=strict"}
    (gone,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith("wardlist-asked=")]
    assert "max-age=0" in gone.lower()


def test_over_tls_the_cookies_are_bound_to_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    secure = Service(tmp_path_factory.mktemp("tls") / "home", issuer="https://wardlist.example")
    secure.address = f"http://127.0.0.1:{secure.settings.port}"
    with running(secure):
        client = somebody(secure)
        asked, answer = client.post(f"{SIGN_IN}/options"), client.sign_in()
        assert is_in(client)
        out = client.post("/console/sign-out")
        for one in (asked, answer, out):
            for line in one.headers.get_list("set-cookie"):
                attributes = {part.strip().lower() for part in line.split(";")[1:]}
                assert line.startswith("__Host-wardlist")
                assert {"secure", "httponly", "path=/", "samesite=strict"} <= attributes
                assert not [one for one in attributes if one.startswith("domain")]
        client.cookies = {"wardlist": "A" * 43}
        assert not is_in(client)


def test_every_answer_carries_the_headers_of_a_page(service: Service) -> None:
    client, stranger = somebody(service), WebClient(service)
    answers = {
        "page": client.get(ACCOUNT),
        "open page": stranger.get(SIGN_IN),
        "enrolment": stranger.get("/console/enrol"),
        "home": client.get("/console"),
        "refusal": client.post(f"{ACCOUNT}/sessions/end", {"csrf": ""}),
        "not signed in": stranger.get(ACCOUNT),
        "another name": stranger.get(SIGN_IN, Host="127.0.0.1:1"),
        "options": client.post(f"{ACCOUNT}/passkeys/options"),
        "step-up": client.signed_post(f"{ACCOUNT}/passkeys"),
        "signed out": client.post("/console/sign-out"),
    }
    for name, answer in answers.items():
        missing = {header for header, value in HEADERS.items() if answer.headers.get(header) != value}
        assert not missing, name
        assert answer.headers["x-content-type-options"] == "nosniff"
    policy = dict(part.strip().partition(" ")[::2] for part in HEADERS["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert not {"*", "http:", "https:", "data:", "blob:"} & {
        word for words in policy.values() for word in words.split()
    }


def test_neither_name_nor_secret_is_in_log_or_leaves(
    service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    client = somebody(service, name="Zaphod Quillfeather")
    answer = client.signed_post(f"{ACCOUNT}/passkeys")
    assert answer.status_code == 303
    link = answer.headers["location"].partition("#")[2]
    assert "Zaphod" in client.get(ACCOUNT).text
    client.post("/console/enrol/options", {"invitation": "guess", "label": "Zaphod"})
    client.get(f"/console/nowhere/{link}")
    with service.database.reading() as session:
        public = "".join(str(leaf) for leaf in leaves(session))
    said = capfd.readouterr()
    assert client.invited is not None
    assert "/console/account/passkeys" in said.out + said.err
    for secret in ("Zaphod", "Quillfeather", client.invited.token, client.cookies["wardlist"], link):
        assert secret not in public
        assert secret not in said.out + said.err


def test_answers_of_signed_out_and_unknown_cookies_are_the_same(service: Service) -> None:
    client = somebody(service)
    ended = client.cookies["wardlist"]
    client.post("/console/sign-out")
    seen = []
    for cookie in (ended, "", "A" * 43, "é", "a" * 4000):
        client.cookies["wardlist"] = cookie
        answer = client.get(ACCOUNT)
        seen.append((answer.status_code, answer.headers["location"], answer.text))
    assert set(seen) == {(303, SIGN_IN, "")}
