"""POST /oauth/token: what is granted, and every way an assertion can be wrong."""

import json
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jose import jwt

from app.client.session import Connection, Credentials
from app.core import jose
from app.core.terms import Kind
from app.identity import service as identity
from app.identity import tokens
from app.identity.permissions import MAY_HOLD, Scope
from tests.programs.service import Service

GRANT = "client_credentials"


def claims(who: Credentials, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    body = {
        "iss": who.client_id,
        "sub": who.client_id,
        "aud": who.token_endpoint,
        "iat": now,
        "exp": now + 120,
        "jti": secrets.token_hex(8),
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def ask(who: Credentials, assertion: str, **changes: str) -> httpx.Response:
    form = {
        "grant_type": GRANT,
        "client_assertion_type": tokens.ASSERTION_TYPE,
        "client_assertion": assertion,
        **changes,
    }
    return httpx.post(who.token_endpoint, data=form)


def signed(who: Credentials, **changes: Any) -> str:
    return jose.sign(json.dumps(claims(who, **changes)).encode(), who.private_jwk)


@pytest.fixture
def who(service: Service) -> Credentials:
    return service.credentials(service.organisation(Kind.HOTLINE), set(MAY_HOLD[Kind.HOTLINE]))


def test_a_token_is_rfc_9068_and_lives_ten_minutes(service: Service, who: Credentials) -> None:
    answer = ask(who, signed(who), scope="entries:read")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 600, "entries:read")
    keys = httpx.get(f"{service.address}/.well-known/jwks.json").json()
    read = jwt.decode(
        body["access_token"], keys, algorithms=["ES256"], audience=service.address, issuer=service.address
    )
    assert jwt.get_unverified_header(body["access_token"])["typ"] == "at+jwt"
    assert read["exp"] - read["iat"] == 600
    assert (read["client_id"], read["scope"]) == (who.client_id, "entries:read")
    assert all("d" not in key for key in keys["keys"])


@pytest.mark.parametrize("name", ["client_assertion", "scope"])
def test_a_parameter_stands_once(who: Credentials, name: str) -> None:
    form: dict[str, Any] = {
        "grant_type": GRANT,
        "client_assertion_type": tokens.ASSERTION_TYPE,
        "client_assertion": signed(who),
        "scope": "entries:read",
    }
    twice = httpx.post(who.token_endpoint, data={**form, name: [form[name], form[name]]})
    assert (twice.status_code, twice.json()["error"]) == (400, "invalid_request")
    assert name in twice.json()["error_description"]
    assert httpx.post(who.token_endpoint, data=form).status_code == 200


def test_metadata_is_rfc_8414(service: Service) -> None:
    found = httpx.get(f"{service.address}/.well-known/oauth-authorization-server").json()
    assert found["issuer"] == service.address
    assert found["token_endpoint"] == f"{service.address}/oauth/token"
    assert found["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert found["token_endpoint_auth_signing_alg_values_supported"] == ["ES256"]


@pytest.mark.parametrize("audience", ["issuer", "endpoint", "list"])
def test_accepted_audiences(who: Credentials, audience: str) -> None:
    value = {"issuer": who.issuer, "endpoint": who.token_endpoint, "list": ["other", who.issuer]}[audience]
    assert ask(who, signed(who, aud=value)).status_code == 200


WRONG: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "http://other.example/oauth/token"},
    "no audience": {"aud": None},
    "audience of another type": {"aud": {"a": 1}},
    "another issuer": {"iss": "somebody"},
    "no issuer": {"iss": None},
    "unknown subject": {"iss": "nobody", "sub": "nobody"},
    "subject of another type": {"sub": 7},
    "no expiry": {"exp": None},
    "expired": {"exp": int(time.time()) - 60},
    "expiry as text": {"exp": "soon"},
    "expiry true": {"exp": True},
    "expiry huge": {"exp": 1e300},
    "too far ahead": {"exp": int(time.time()) + 3600},
    "issued in the future": {"iat": int(time.time()) + 86_400},
    "not yet valid": {"nbf": int(time.time()) + 86_400},
    "no jti": {"jti": None},
    "empty jti": {"jti": ""},
    "jti of another type": {"jti": 5},
    "long jti": {"jti": "x" * 300},
    "zero byte in jti": {"jti": "a\x00"},
    "half a character in jti": {"jti": "a\ud800"},
    "zero byte in subject": {"iss": "a\x00", "sub": "a\x00"},
    "half a character in subject": {"iss": "a\ud800", "sub": "a\ud800"},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
def test_wrong_claims_are_refused(service: Service, who: Credentials, changes: dict[str, Any]) -> None:
    before = service.state()
    answer = ask(who, signed(who, **changes))
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert service.state() == before


def _unsigned(who: Credentials) -> str:
    return str(jwt.encode(claims(who), "", algorithm="HS256"))


def _public_key_as_secret(who: Credentials) -> str:
    secret = json.dumps(jose.public_part(who.private_jwk))
    return str(jwt.encode(claims(who), secret, algorithm="HS256"))


def _der_key_as_secret(who: Credentials) -> str:
    """What python-jose through 3.5.0 takes for a secret (CVE-2026-85394)."""
    public = jose.public_key(who.private_jwk)
    secret = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return str(jwt.encode(claims(who), secret, algorithm="HS256"))


def _none(who: Credentials) -> str:
    head = "eyJhbGciOiJub25lIn0"
    return f"{head}.{signed(who).split('.')[1]}."


def _other_key(who: Credentials) -> str:
    other = jose.generate() | {"kid": who.private_jwk["kid"]}
    return jose.sign(json.dumps(claims(who)).encode(), other)


def _other_payload(who: Credentials) -> str:
    first, second = signed(who).split("."), signed(who, jti="other").split(".")
    return ".".join([first[0], second[1], first[2]])


def _unknown_kid(who: Credentials) -> str:
    return jose.sign(json.dumps(claims(who)).encode(), who.private_jwk | {"kid": "none"})


FORGED: list[Callable[[Credentials], str]] = [
    _unsigned,
    _public_key_as_secret,
    _der_key_as_secret,
    _none,
    _other_key,
    _other_payload,
    _unknown_kid,
    lambda who: "",
    lambda who: "a.b.c",
    lambda who: "...." + signed(who),
    lambda who: signed(who)[:-4],
    lambda who: "x" * 20000,
    lambda who: "é.ü.ö",
]


@pytest.mark.parametrize("forge", FORGED)
def test_forged_assertions_are_refused(who: Credentials, forge: Callable[[Credentials], str]) -> None:
    answer = ask(who, forge(who))
    assert answer.status_code in (401, 422)
    assert "access_token" not in answer.text


def test_an_assertion_works_once(who: Credentials) -> None:
    assertion = signed(who)
    assert ask(who, assertion).status_code == 200
    again = ask(who, assertion)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")


def test_scopes_beyond_the_clients_are_refused(who: Credentials) -> None:
    answer = ask(who, signed(who), scope="entries:read admin")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_another_grant_is_refused(who: Credentials) -> None:
    answer = ask(who, signed(who), grant_type="password")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_a_grant_is_named(who: Credentials) -> None:
    answer = ask(who, signed(who), grant_type="")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_client_that_names_itself_is_the_one_that_signed(who: Credentials) -> None:
    assert ask(who, signed(who), client_id=who.client_id).status_code == 200
    answer = ask(who, signed(who), client_id="another")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def get(service: Service, token: str) -> int:
    return httpx.get(f"{service.address}/v1/lists", headers={"Authorization": f"Bearer {token}"}).status_code


def test_tokens_end_after_ten_minutes(service: Service, who: Credentials) -> None:
    token = ask(who, signed(who)).json()["access_token"]
    assert get(service, token) == 200
    service.clock.ahead += timedelta(seconds=601)
    assert get(service, token) == 401


@pytest.mark.parametrize("act", ["revoke", "suspend"])
def test_revocation_and_suspension_act_at_the_next_request(
    service: Service, who: Credentials, act: str
) -> None:
    token = ask(who, signed(who)).json()["access_token"]
    assert get(service, token) == 200
    with service.database.writing() as session:
        if act == "revoke":
            identity.revoke_client(session, who.client_id, service.clock())
        else:
            found = identity.active(session, who.client_id)
            assert found
            identity.suspend_organisation(session, found[1].id, True, service.clock())
    assert get(service, token) == 401
    assert ask(who, signed(who)).status_code == 401


def test_a_foreign_token_is_refused(service: Service, who: Credentials) -> None:
    good = tokens.Issuer(service.address, service.keyring.token)
    now = service.clock()
    forged = tokens.Issuer(service.address, jose.generate()).issue(who.client_id, "o", {"lists:read"}, now)
    elsewhere = tokens.Issuer("http://other.example", service.keyring.token)
    assert get(service, forged) == 401
    assert get(service, elsewhere.issue(who.client_id, "o", {"lists:read"}, now)) == 401
    assert get(service, good.issue("nobody", "o", {"lists:read"}, now)) == 401
    assert get(service, signed(who)) == 401
    manifest_key = tokens.Issuer(service.address, service.keyring.manifest)
    assert get(service, manifest_key.issue(who.client_id, "o", {"lists:read"}, now)) == 401


def test_a_token_cannot_hold_more_than_the_client(service: Service) -> None:
    who = service.credentials(service.organisation(Kind.HOTLINE), {Scope.ENTRIES_READ})
    issuer = tokens.Issuer(service.address, service.keyring.token)
    token = issuer.issue(who.client_id, "o", {"entries:read", "lists:read"}, service.clock())
    assert get(service, token) == 403


def test_keys_rotate_without_a_gap(service: Service, who: Credentials) -> None:
    fresh = jose.generate()
    with service.database.writing() as session:
        identity.add_key(session, who.client_id, fresh, service.clock())
    renewed = Credentials(who.issuer, who.token_endpoint, who.client_id, fresh)
    for one in (who, renewed):
        with Connection(one) as connection:
            assert connection.send("GET", "/v1/lists").status_code == 200
    with service.database.writing() as session:
        identity.revoke_key(session, who.private_jwk["kid"], service.clock())
    assert ask(who, signed(who)).status_code == 401
    assert ask(renewed, signed(renewed)).status_code == 200
