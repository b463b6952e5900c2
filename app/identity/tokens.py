"""Sign-in of machines: a client proves its key, and gets a short-lived access token.

Sources: RFC 7521, RFC 7523 section 3 (private_key_jwt), RFC 6749 sections 4.4 and 5, RFC 9068.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.core import jose
from app.identity import service
from app.identity.models import SpentAssertion
from app.platform.keyring import Keyring

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_LIFE = timedelta(minutes=10)
ASSERTION_LIFE = timedelta(minutes=5)
LEEWAY = timedelta(seconds=30)
"""How far a client's clock may run ahead of ours."""


class Refused(Exception):
    """An RFC 6749 section 5.2 error: `error` is its code, `description` says what to do."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error, self.description = error, description


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """A verified access token: whose it is, for what, and from when to when (seconds since 1970)."""

    client_id: str
    scopes: frozenset[str]
    begins: float
    ends: float

    def require_in_force(self, now: float) -> None:
        """Raises jose.Invalid."""
        if not self.begins <= now < self.ends:
            raise jose.Invalid("the token has expired")


@dataclass(frozen=True)
class Issuer:
    """Signs and checks access tokens. `address` is issuer and audience at once."""

    address: str
    private_jwk: dict[str, Any]
    others: Sequence[Mapping[str, Any]] = ()
    """Public keys that tokens in force may be signed with besides."""

    @property
    def token_endpoint(self) -> str:
        """Where assertions are sent; also accepted as their audience."""
        return f"{self.address}/oauth/token"

    def issue(self, client_id: str, organisation_id: str, scopes: set[str], now: datetime) -> str:
        """An RFC 9068 access token of ten minutes."""
        body = {
            "iss": self.address,
            "aud": self.address,
            "sub": client_id,
            "client_id": client_id,
            "org": organisation_id,
            "scope": " ".join(sorted(scopes)),
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_LIFE).timestamp()),
            "jti": secrets.token_hex(16),
        }
        return jose.sign(json.dumps(body).encode(), self.private_jwk, typ="at+jwt")

    def require_form(self, token: str) -> None:
        """Refuse, at little cost, what is no access token at all. Raises jose.Invalid."""
        if jose.header(token).get("typ") != "at+jwt":
            raise jose.Invalid("this is not an access token")

    def read(self, token: str) -> Token:
        """A token of ours, in force or not. Raises jose.Invalid."""
        self.require_form(token)
        claims = jose.claims(jose.verify(token, self._key_of(token)))
        if claims.get("iss") != self.address or claims.get("aud") != self.address:
            raise jose.Invalid("the token is for another service")
        scopes = frozenset(str(claims.get("scope")).split())
        begins = _number(claims, "iat") - LEEWAY.total_seconds()
        return Token(str(claims.get("client_id")), scopes, begins, _number(claims, "exp"))

    def _key_of(self, token: str) -> dict[str, Any]:
        kid = jose.header(token).get("kid")
        for key in (self.private_jwk, *self.others):
            if key["kid"] == kid:
                return dict(key)
        raise jose.Invalid("no key in force here signed the token")


def issuer_of(address: str, keyring: Keyring, now: datetime) -> Issuer:
    """The issuer in force: a key that was rotated out is known until its last token has ended."""
    return Issuer(address, keyring.token, keyring.token_keys(now))


@dataclass(frozen=True)
class Shown:
    """What a client signs in with. It need not name itself besides: its assertion does."""

    assertion: str
    scope: str | None = None
    client_id: str | None = None


def sign_in(session: Session, issuer: Issuer, shown: Shown, now: datetime) -> dict[str, Any]:
    """Exchange an assertion for a token. Writes the spent `jti`. Raises Refused."""
    client_id, claims = _verified(session, issuer, shown.assertion, now)
    if shown.client_id and shown.client_id != client_id:
        # RFC 7521, section 4.2
        raise Refused("invalid_client", "client_id is another than the assertion's")
    found = service.active(session, client_id)
    if found is None:
        raise Refused("invalid_client", "the client is unknown, revoked or suspended")
    client, organisation = found
    held = set(client.scopes.split())
    asked = set(shown.scope.split()) if shown.scope else held
    if not asked or asked - held:
        raise Refused("invalid_scope", "ask only for scopes this client holds")
    _spend(session, client_id, str(claims["jti"]), _number(claims, "exp"), now)
    return {
        "access_token": issuer.issue(client_id, organisation.id, asked, now),
        "token_type": "Bearer",
        "expires_in": int(TOKEN_LIFE.total_seconds()),
        "scope": " ".join(sorted(asked)),
    }


def _verified(session: Session, issuer: Issuer, assertion: str, now: datetime) -> tuple[str, dict[str, Any]]:
    try:
        header = jose.header(assertion)
        client_id = _peek_subject(assertion)
        keys = service.keys(session, client_id)
        keys = {kid: jwk for kid, jwk in keys.items() if "rp_id" not in jwk}
        if "kid" in header:
            keys = {kid: jwk for kid, jwk in keys.items() if kid == header["kid"]}
        payload = _first_verifying(assertion, list(keys.values()))
        claims = jose.claims(payload)
        _check_assertion(claims, client_id, issuer, now)
    except jose.Invalid as fault:
        raise Refused("invalid_client", f"client assertion: {fault}") from None
    return client_id, claims


def _peek_subject(assertion: str) -> str:
    """The unverified subject, only to know whose keys to try."""
    middle = assertion.split(".")[1]
    subject = jose.claims(jose.decode(middle)).get("sub")
    if not isinstance(subject, str) or len(subject) > 64 or not subject.isprintable():
        raise jose.Invalid("sub must be the client id")
    return subject


def _first_verifying(assertion: str, candidates: list[dict[str, Any]]) -> bytes:
    for jwk in candidates:
        try:
            return jose.verify(assertion, jwk)
        except jose.Invalid:
            continue
    raise jose.Invalid("it is not signed by a key of this client in force")


def _check_assertion(claims: dict[str, Any], client_id: str, issuer: Issuer, now: datetime) -> None:
    present = now.timestamp()
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != client_id:
        raise jose.Invalid("iss must equal sub")
    if not {issuer.address, issuer.token_endpoint} & {a for a in audiences if isinstance(a, str)}:
        raise jose.Invalid("aud must be the token endpoint or the issuer")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= 200 or not jti.isprintable():
        raise jose.Invalid("jti must be 1 to 200 printable characters")
    if _number(claims, "exp") <= present:
        raise jose.Invalid("it has expired")
    if _number(claims, "exp") > present + (ASSERTION_LIFE + LEEWAY).total_seconds():
        raise jose.Invalid("exp must be at most 5 minutes ahead")
    for name in ("iat", "nbf"):
        if name in claims and _number(claims, name) > present + LEEWAY.total_seconds():
            raise jose.Invalid(f"{name} lies in the future")


def _number(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e11:
        raise jose.Invalid(f"{name} must be a time in seconds")
    return value


def _spend(session: Session, client_id: str, jti: str, expires: float, now: datetime) -> None:
    session.execute(sa.delete(SpentAssertion).where(col(SpentAssertion.expires_at) < now))
    identity = (client_id, hashlib.sha256(jti.encode("utf-8", "surrogatepass")).hexdigest())
    if session.get(SpentAssertion, identity):
        raise Refused("invalid_client", "client assertion: this jti was used before; make a new one")
    ends = datetime.fromtimestamp(expires, UTC)
    session.add(SpentAssertion(client_id=client_id, jti_sha256=identity[1], expires_at=ends))
