"""Attacks on what a passkey answers: enrolling, signing in, and signing a dangerous act. One each, over HTTP.

The dangerous acts here are those of one's own account; what others sign goes the same way.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import jose
from app.core.terms import Kind
from app.identity import service as identity
from app.identity.people import passkeys, sessions
from app.identity.people import service as people
from app.identity.people.challenges import LASTS, MOST_WAITING
from app.identity.people.service import INVITED_FOR
from app.platform.strangers import Strangers
from tests.programs.browser import Invited, invite
from tests.programs.service import Service, running
from tests.programs.webclient import PRESENT, VERIFIED, Passkey, WebClient

SIGN_IN = "/console/sign-in"
ACCOUNT = "/console/account"
ANOTHER = "/console/account/passkeys"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(Service(tmp_path_factory.mktemp("answers") / "home")) as up:
        yield up


@pytest.fixture
def service(shared: Service) -> Iterator[Service]:
    """With nobody shut out, and the machine's own time again afterwards."""
    shared.app.state.console_strangers = Strangers("too many answers from your address did not hold")
    yield shared
    shared.clock.ahead = timedelta()


def somebody(service: Service) -> WebClient:
    return WebClient(service, invite(service, Kind.HOTLINE))


def is_in(client: WebClient) -> bool:
    return client.get(ACCOUNT).status_code == 200


def invited(client: WebClient) -> Invited:
    assert client.invited is not None
    return client.invited


def another_passkey(client: WebClient, label: str = "key") -> WebClient:
    """The same person's second device, signed in."""
    token = client.signed_post(ANOTHER).headers["location"].partition("#")[2]
    other = WebClient(client.service)
    assert other.enrol(token, label).status_code == 200
    assert other.sign_in().status_code == 303
    return other


def kids(client: WebClient) -> list[str]:
    with client.service.database.reading() as session:
        return [one.kid for one in passkeys.of(session, invited(client).person)]


def test_an_invitation_that_was_used_makes_no_second_passkey(service: Service) -> None:
    client = somebody(service)
    thief = WebClient(service)
    assert thief.enrol(invited(client).token).status_code == 404
    assert len(kids(client)) == 1


def test_an_invitation_asked_for_twice_is_used_once(service: Service) -> None:
    whose = invite(service, Kind.HOTLINE)
    first, second = WebClient(service), WebClient(service)
    asked = [
        one.post("/console/enrol/options", {"invitation": whose.token}).json() for one in (first, second)
    ]
    answers = []
    for one, options in zip((first, second), asked, strict=True):
        made = one.passkey.made(options["publicKey"])
        fields = {"invitation": whose.token, "ceremony": options["ceremony"], "answer": made, "label": "x"}
        answers.append(one.post("/console/enrol", fields).status_code)
    assert answers == [200, 404]


@pytest.mark.parametrize("how", ["expired", "taken back", "never made", "empty", "of somebody gone"])
def test_an_invitation_out_of_force_is_refused_in_the_same_words(service: Service, how: str) -> None:
    whose, token = invite(service, Kind.HOTLINE), ""
    if how == "expired":
        service.clock.ahead += INVITED_FOR
    with service.database.writing() as session:
        if how == "taken back":
            people.invite_again(session, whose.person, service.clock())
        if how == "of somebody gone":
            people.end(session, whose.person, service.clock())
    token = {"never made": "A" * 43, "empty": ""}.get(how, whose.token)
    answer = WebClient(service).enrol(token)
    assert answer.status_code == 404
    assert "was used, has expired or never was" in answer.text


def test_a_challenge_of_one_invitation_does_not_enrol_for_another(service: Service) -> None:
    one, other = invite(service, Kind.HOTLINE), invite(service, Kind.OPERATOR)
    client = WebClient(service)
    asked = client.post("/console/enrol/options", {"invitation": one.token}).json()
    made = client.passkey.made(asked["publicKey"])
    fields = {"invitation": other.token, "ceremony": asked["ceremony"], "answer": made, "label": "x"}
    assert client.post("/console/enrol", fields).status_code == 422


@pytest.mark.parametrize(
    "passkey",
    [
        {"origin": "https://elsewhere.example"},
        {"rp_id": "elsewhere.example"},
        {"flags": PRESENT},
        {"flags": VERIFIED},
    ],
    ids=["origin", "site", "unverified", "absent"],
)
def test_a_false_passkey_is_not_enrolled(service: Service, passkey: dict[str, Any]) -> None:
    honest = {"origin": service.settings.console, "rp_id": "localhost"}
    client = WebClient(service, passkey=Passkey(**{**honest, **passkey}))
    assert client.enrol(invite(service, Kind.HOTLINE).token).status_code == 422


def test_a_passkey_made_in_a_frame_or_for_another_challenge_is_not_enrolled(service: Service) -> None:
    whose = invite(service, Kind.HOTLINE)
    for said in ({"crossOrigin": True}, {"challenge": "AAAA"}, {"type": "webauthn.get"}):
        client = WebClient(service)
        asked = client.post("/console/enrol/options", {"invitation": whose.token}).json()
        made = client.passkey.made(asked["publicKey"], **said)
        fields = {"invitation": whose.token, "ceremony": asked["ceremony"], "answer": made, "label": "x"}
        assert client.post("/console/enrol", fields).status_code == 422, said


def test_a_passkey_is_enrolled_once(service: Service) -> None:
    client = somebody(service)
    again = WebClient(service, passkey=client.passkey)
    assert again.enrol(invite(service, Kind.OPERATOR).token).status_code == 422
    same_key = Passkey(service.settings.console, "localhost", private=client.passkey.private)
    assert WebClient(service, passkey=same_key).enrol(invite(service, Kind.OPERATOR).token).status_code == 422


def test_an_answer_signs_in_once(service: Service) -> None:
    client = somebody(service)
    asked = client.options(SIGN_IN)
    fields, held = client.signed_fields(asked), client.cookies["wardlist-asked"]
    thief = WebClient(service)
    assert thief.post(SIGN_IN, fields).status_code == 422
    assert client.post(SIGN_IN, fields).status_code == 303
    thief.cookies["wardlist-asked"] = held
    assert thief.post(SIGN_IN, fields).status_code == 422
    thief.options(SIGN_IN)
    assert thief.post(SIGN_IN, fields).status_code == 422


@pytest.mark.parametrize("held", ["", "1", "1.a", "1.a.b", "9" * 40 + ".a.b", "é.é.é", "..", "a" * 4000])
def test_no_browser_makes_up_what_it_was_asked(service: Service, held: str) -> None:
    client = somebody(service)
    fields = client.signed_fields(client.options(SIGN_IN))
    client.cookies = {"wardlist-asked": held}
    assert client.post(SIGN_IN, fields).status_code == 422


def test_a_challenge_lasts_five_minutes(service: Service) -> None:
    client = somebody(service)
    fields, signed = (
        client.signed_fields(client.options(SIGN_IN)),
        client.signed_fields(client.options(ANOTHER)),
    )
    service.clock.ahead += LASTS
    assert client.post(SIGN_IN, fields).status_code == 422
    assert client.post(ANOTHER, signed).status_code == 422


@pytest.mark.parametrize(
    "said",
    [
        {"origin": "https://elsewhere.example"},
        {"challenge": "AAAA"},
        {"type": "webauthn.create"},
        {"crossOrigin": True},
    ],
    ids=lambda said: next(iter(said)),
)
def test_what_the_browser_says_must_be_true(service: Service, said: dict[str, Any]) -> None:
    client = somebody(service)
    assert client.sign_in(**said).status_code == 422
    asked = client.options(ANOTHER)
    assert client.post(ANOTHER, client.signed_fields(asked, **said)).status_code == 422


@pytest.mark.parametrize(
    "changes",
    [{"rp_id": "elsewhere.example"}, {"flags": PRESENT}, {"flags": VERIFIED}, {"count": 0}, {"count": -1}],
    ids=["site", "unverified", "absent", "the same counter", "counter back"],
)
def test_what_the_authenticator_says_must_be_true(service: Service, changes: dict[str, Any]) -> None:
    client = somebody(service)
    client.passkey.count = 7
    assert client.sign_in().status_code == 303
    for name, value in changes.items():
        setattr(client.passkey, name, value + 7 if name == "count" else value)
    assert client.sign_in().status_code == 422
    asked = client.options(ANOTHER)
    client.passkey.count = 7 + changes.get("count", 1)
    assert client.post(ANOTHER, client.signed_fields(asked)).status_code == 422


def test_an_unknown_or_another_persons_passkey_does_not_sign(service: Service) -> None:
    client, other = somebody(service), somebody(service)
    stranger = WebClient(service)
    assert stranger.sign_in().status_code == 422
    asked = client.options(ANOTHER)
    fields = {"ceremony": asked["ceremony"], "answer": other.passkey.asserted(asked["publicKey"])}
    answer = client.post(ANOTHER, fields)
    assert (answer.status_code, "passkey of your own" in answer.text) == (422, True)
    # Under the name of the right passkey, signed by the wrong one.
    forged = json.loads(other.passkey.asserted(asked["publicKey"]))
    mine = json.loads(client.passkey.asserted(asked["publicKey"]))
    forged |= {"id": mine["id"], "rawId": mine["rawId"]}
    fields["answer"] = json.dumps(forged)
    assert client.post(ANOTHER, fields).status_code == 422


def test_a_signature_serves_one_act_once(service: Service) -> None:
    client = somebody(service)
    fields = client.signed_fields(client.options(ANOTHER))
    assert client.post(ANOTHER, fields).status_code == 303
    assert client.post(ANOTHER, fields).status_code == 422
    asked = client.options(ANOTHER)
    assert client.post(ANOTHER, {**fields, "ceremony": asked["ceremony"]}).status_code == 422


def test_a_signature_for_one_act_does_not_serve_another(service: Service) -> None:
    client = somebody(service)
    other = another_passkey(client)
    first, second = kids(client)
    asked = client.options(f"{ANOTHER}/{first}/removal")
    assert client.post(f"{ANOTHER}/{second}/removal", client.signed_fields(asked)).status_code == 422
    assert client.post(ANOTHER, client.signed_fields(asked)).status_code == 422
    assert kids(client) == [first, second]
    assert client.post(f"{ANOTHER}/{first}/removal", client.signed_fields(asked)).status_code == 303
    assert kids(client) == [second]
    assert not is_in(other)


def test_a_challenge_of_another_session_is_not_answered_here(service: Service) -> None:
    client = somebody(service)
    other = WebClient(service, passkey=client.passkey)
    other.sign_in()
    fields = client.signed_fields(client.options(ANOTHER))
    assert other.post(ANOTHER, fields).status_code == 422
    signing_in = client.options(SIGN_IN)
    assert client.post(ANOTHER, client.signed_fields(signing_in)).status_code == 422


def test_a_dangerous_act_without_a_signature_is_refused(service: Service) -> None:
    client = somebody(service)
    for fields in ({}, {"ceremony": "0" * 32}, {"answer": "{}"}, {"ceremony": "\0", "answer": "\0"}):
        assert client.post(ANOTHER, fields).status_code == 422
        assert client.post(f"{ANOTHER}/{kids(client)[0]}/removal", fields).status_code == 422
    assert len(kids(client)) == 1


def test_the_last_passkey_in_force_stays(service: Service) -> None:
    client = somebody(service)
    first = kids(client)[0]
    assert client.signed_post(f"{ANOTHER}/{first}/removal").status_code == 422
    another_passkey(client)
    with service.database.writing() as session:
        identity.revoke_key(session, kids(client)[1], service.clock())
    assert client.signed_post(f"{ANOTHER}/{first}/removal").status_code == 422
    assert "You have one passkey" in client.get(ACCOUNT).text


def test_nobody_removes_another_persons_passkey(service: Service) -> None:
    client, other = somebody(service), somebody(service)
    another_passkey(other)
    assert client.signed_post(f"{ANOTHER}/{kids(other)[0]}/removal").status_code == 404
    assert len(kids(other)) == 2


def test_a_revoked_passkey_neither_signs_nor_keeps_its_person_signed_in(service: Service) -> None:
    client = somebody(service)
    asked = client.options(ANOTHER)
    with service.database.writing() as session:
        identity.revoke_key(session, kids(client)[0], service.clock())
    assert client.post(ANOTHER, client.signed_fields(asked)).status_code == 422
    assert client.sign_in().status_code == 422
    with service.database.writing() as session:
        sessions.end_of_key(session, kids(client)[0])
    assert not is_in(client)


def test_only_so_many_challenges_of_a_session_wait(service: Service) -> None:
    client = somebody(service)
    for _ in range(MOST_WAITING):
        client.options(ANOTHER)
    assert client.post(f"{ANOTHER}/options").status_code == 429
    service.clock.ahead += LASTS
    assert client.signed_post(ANOTHER).status_code == 303


def test_asking_to_sign_in_writes_nothing(service: Service) -> None:
    stranger = WebClient(service)
    before = service.state()
    for _ in range(3):
        stranger.options(SIGN_IN)
    assert service.state() == before


@pytest.fixture(scope="module")
def asked(shared: Service) -> tuple[WebClient, str]:
    """Somebody who was asked for a signature, and the ceremony."""
    client = somebody(shared)
    return client, client.options(ANOTHER)["ceremony"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_a_browser_answers_is_refused_as_a_page(
    asked: tuple[WebClient, str], data: st.DataObject
) -> None:
    client, ceremony = asked
    client.service.app.state.console_strangers = Strangers("too many answers did not hold")
    answer = json.loads(client.passkey.asserted({"challenge": "AAAA"}))
    where = data.draw(st.sampled_from([answer, answer["response"]]))
    where[data.draw(st.sampled_from(sorted(where)))] = data.draw(_JSON)
    text = data.draw(st.just(json.dumps(answer)) | st.text())
    _is_refused(client, ceremony, text)


@pytest.mark.parametrize("text", ["[" * 8000, '{"id":' + "[" * 8000, "9" * 5000, '{"id":"\\ud800"}'], ids=len)
def test_an_answer_made_to_break_a_reader_is_refused_as_a_page(
    asked: tuple[WebClient, str], text: str
) -> None:
    client, ceremony = asked
    client.service.app.state.console_strangers = Strangers("too many answers did not hold")
    _is_refused(client, ceremony, text)
    whole = json.loads(client.passkey.asserted({"challenge": "AAAA"}))
    whole["response"]["clientDataJSON"] = jose.encode(text.encode())
    _is_refused(client, ceremony, json.dumps(whole))


def _is_refused(client: WebClient, ceremony: str, answer: str) -> None:
    held = client.post(f"{SIGN_IN}/options")
    assert held.status_code == 200
    for path in (SIGN_IN, ANOTHER):
        got = client.post(path, {"ceremony": ceremony, "answer": answer})
        assert got.status_code == 422
        assert got.headers["content-type"].startswith("text/html")
