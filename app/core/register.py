"""The register of review bodies, and the certificates by which a body names its reviewers' keys.

Who may sign off is not the server's word: a register version is TUF metadata of the role `register`, signed
by hand with keys that are kept offline, and a body's own key certifies each reviewer's key. Sources: design
section 3; The Update Framework specification 1.0, section 4.5; RFC 7515.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner, SSlibKey

from app.core import jose

ROLE, TARGET = "register", "register.json"
ROOT_FIELD = "wardlist_register"
"""The member of TUF's root that names the register's keys: the online targets role cannot replace them."""
LARGEST = 48 * 1024
"""Bytes of a register: it stands whole in one leaf."""
LIFE = timedelta(days=365)
LEAST_SIGNATURES = 2
EVERY_LIST = "*"
CERTIFICATE, REVOCATION = "wardlist-reviewer", "wardlist-reviewer-revocation"
_SPEC = "1.0.31"


class Invalid(ValueError):
    """A register or certificate that does not hold. The text says why."""


@dataclass(frozen=True)
class Authority:
    """The offline keys of the role: TUF key id -> Ed25519 public key (hex), and how many must sign."""

    keys: Mapping[str, str]
    threshold: int

    def changed(self, added: Iterable[tuple[str, str]], removed: Iterable[str]) -> "Authority":
        """With keys that come, and without those named by their id or its beginning. Raises Invalid."""
        keys = {**self.keys, **dict(added)}
        for given in removed:
            found = [one for one in keys if given and one.startswith(given)]
            if len(found) != 1:
                raise Invalid(f"there is {'no' if not found else 'more than one'} register key {given}")
            del keys[found[0]]
        if len(keys) <= self.threshold:
            raise Invalid(f"more than {self.threshold} keys are needed: one may be lost")
        return Authority(keys, self.threshold)


@dataclass(frozen=True)
class Body:
    """A review body: its key (public JWK), lists (`*`: all) and dates (RFC 3339 UTC; `until` may be open)."""

    organisation: str
    jwk: dict[str, str]
    lists: tuple[str, ...]
    since: str
    until: str | None = None

    def may_review(self, name: str, at: str) -> bool:
        """Whether the body may decide for that list at that instant."""
        in_time = self.since <= at and (self.until is None or at < self.until)
        return in_time and (EVERY_LIST in self.lists or name in self.lists)

    def to_json(self) -> dict[str, Any]:
        """As it stands in register.json."""
        return {
            "jwk": self.jwk,
            "lists": list(self.lists),
            "organisation": self.organisation,
            "since": self.since,
            "until": self.until,
        }


@dataclass(frozen=True)
class Register:
    """One version of the register, bodies by organisation id.

    With `authority` it names the offline keys that sign from here on; every later version then does too.
    """

    version: int = 0
    bodies: Mapping[str, Body] = field(default_factory=dict)
    authority: Authority | None = None

    def to_json(self) -> dict[str, Any]:
        """register.json as an object."""
        bodies = [self.bodies[name].to_json() for name in sorted(self.bodies)]
        keys = (
            {"keys": dict(self.authority.keys), "threshold": self.authority.threshold}
            if self.authority
            else {}
        )
        return {"bodies": bodies, "version": self.version, **keys}


@dataclass(frozen=True)
class Reviewer:
    """A certified key: whose, since when, and the thumbprint of the body's key that certified it."""

    organisation: str
    client: str
    jwk: dict[str, str]
    since: str
    body_kid: str


def propose(
    bodies: Iterable[Body], version: int, now: datetime, authority: Authority | None = None
) -> dict[str, Any]:
    """An unsigned proposal: `{"register", "metadata"}`. Raises Invalid when it is too large."""
    register = Register(version, {body.organisation: body for body in bodies}, authority).to_json()
    raw = rfc8785.dumps(register)
    if len(raw) > LARGEST:
        raise Invalid(f"the register is larger than {LARGEST} bytes")
    signed = {
        "_type": "targets",
        "expires": (now + LIFE).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "spec_version": _SPEC,
        "targets": {TARGET: {"hashes": {"sha256": hashlib.sha256(raw).hexdigest()}, "length": len(raw)}},
        "version": version,
    }
    return {"metadata": {"signatures": [], "signed": signed}, "register": register}


def sign(proposal: dict[str, Any], pem: bytes) -> dict[str, Any]:
    """The proposal with one more signature (an Ed25519 private key as PKCS 8 PEM). Raises Invalid."""
    try:
        signer = CryptoSigner(load_pem_private_key(pem, password=None))
        metadata = proposal["metadata"]
        made = signer.sign(_to_sign(metadata["signed"]))
        others = [one for one in metadata["signatures"] if one["keyid"] != made.keyid]
    except (ValueError, KeyError, TypeError):
        raise Invalid("this is no proposal, or no private key") from None
    return {**proposal, "metadata": {**metadata, "signatures": [*others, made.to_dict()]}}


def read(proposal: Mapping[str, Any], authority: Authority, last: int) -> Register:
    """The register version after `last`, once enough offline keys signed it. Raises Invalid.

    One that names other keys must be signed by enough of those as well.
    """
    try:
        register, metadata = proposal["register"], proposal["metadata"]
        signed, raw = metadata["signed"], rfc8785.dumps(register)
        message = _to_sign(signed)
        target = signed["targets"][TARGET]
        numbers = (signed["version"], register["version"])
        signatures = {one["keyid"]: bytes.fromhex(one["sig"]) for one in metadata["signatures"]}
        bodies = [_body(one) for one in register["bodies"]]
        named = _named(register) if "keys" in register else None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid("this is no signed register") from None
    stated = (target.get("length"), target.get("hashes", {}).get("sha256"))
    if signed.get("_type") != "targets" or stated != (len(raw), hashlib.sha256(raw).hexdigest()):
        raise Invalid("the metadata is not this register's")
    if numbers != (last + 1, last + 1):
        raise Invalid(f"version {last + 1} of the register comes next")
    for keys, which in ((authority, "offline keys"), (named or authority, "of the keys that it names")):
        valid = sum(
            _holds(keys.keys[one], sig, message) for one, sig in signatures.items() if one in keys.keys
        )
        if valid < keys.threshold:
            raise Invalid(f"{keys.threshold} {which} must sign the register, {valid} did")
    return Register(last + 1, {body.organisation: body for body in bodies}, named)


def offline_key(pem: bytes) -> tuple[str, str]:
    """(TUF key id, hex) of an offline key's public half in PEM. Raises Invalid."""
    try:
        public = load_pem_public_key(pem)
    except (ValueError, TypeError):
        public = None
    if not isinstance(public, Ed25519PublicKey):
        raise Invalid("this is no Ed25519 public key in PEM")
    key = SSlibKey.from_crypto(public)
    return key.keyid, str(key.keyval["public"])


def certify(
    body_jwk: dict[str, Any], *, organisation: str, client: str, jwk: dict[str, Any], since: str
) -> str:
    """A body's certificate (compact JWS) for a reviewer's key. Raises jose.Invalid."""
    payload: dict[str, Any] = {
        "client": client,
        "jwk": jose.public_part(jwk),
        "organisation": organisation,
        "since": since,
    }
    return jose.sign(rfc8785.dumps(payload), body_jwk, typ=CERTIFICATE)


def revoke(body_jwk: dict[str, Any], *, organisation: str, kid: str, since: str) -> str:
    """A body's dated revocation (compact JWS) of a reviewer's key."""
    payload = {"kid": kid, "organisation": organisation, "since": since}
    return jose.sign(rfc8785.dumps(payload), body_jwk, typ=REVOCATION)


def kind_of(token: str) -> str:
    """CERTIFICATE or REVOCATION. Raises Invalid."""
    try:
        header = jose.header(token)
        kind = header.get("typ") if header.keys() <= {"alg", "kid", "typ"} else None
    except jose.Invalid as fault:
        raise Invalid(str(fault)) from None
    if kind not in (CERTIFICATE, REVOCATION):
        raise Invalid("this is neither a certificate nor a revocation")
    return str(kind)


def certified(token: str, register: Register) -> Reviewer:
    """What a certificate says, once a body of the register signed it. Raises Invalid."""
    claims, body_kid = _signed_by_body(token, register, CERTIFICATE)
    try:
        return Reviewer(
            str(claims["organisation"]),
            str(claims["client"]),
            jose.public_part(claims["jwk"]),
            str(claims["since"]),
            body_kid,
        )
    except (KeyError, TypeError, AttributeError, jose.Invalid):
        raise Invalid("the certificate names no key") from None


def revoked(token: str, register: Register) -> tuple[str, str]:
    """(organisation, thumbprint) that a revocation names. Raises Invalid."""
    claims, _ = _signed_by_body(token, register, REVOCATION)
    return str(claims["organisation"]), str(claims.get("kid"))


def may_sign(register: Register, reviewer: Reviewer, name: str, at: str) -> bool:
    """Whether that reviewer's decision on an entry of that list counts at that instant."""
    body = register.bodies.get(reviewer.organisation)
    if body is None or body.jwk["kid"] != reviewer.body_kid:
        return False
    return body.may_review(name, at) and reviewer.since <= at


def _signed_by_body(token: str, register: Register, kind: str) -> tuple[dict[str, Any], str]:
    if kind_of(token) != kind:
        raise Invalid(f"this is no {kind}")
    try:
        kid = jose.header(token).get("kid")
        body = next((one for one in register.bodies.values() if one.jwk["kid"] == kid), None)
        if body is None:
            raise Invalid("no body of the register signed this")
        payload = jose.verify(token, body.jwk)
        claims = jose.claims(payload)
    except jose.Invalid as fault:
        raise Invalid(str(fault)) from None
    if claims.get("organisation") != body.organisation or rfc8785.dumps(claims) != payload:
        raise Invalid("the body signed for another organisation")
    return claims, body.jwk["kid"]


def _named(register: Mapping[str, Any]) -> Authority:
    """The keys that a version names: each under its own id, and at least two must sign."""
    found = Authority(
        {str(one): str(key) for one, key in register["keys"].items()}, int(register["threshold"])
    )
    for keyid, public in found.keys.items():
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        if SSlibKey.from_crypto(key).keyid != keyid:
            raise ValueError
    if not LEAST_SIGNATURES <= found.threshold < len(found.keys):
        raise ValueError
    return found


def _to_sign(signed: dict[str, Any]) -> bytes:
    """TUF's canonical JSON, which is not RFC 8785."""
    return (encode_canonical(signed) or "").encode()


def _body(found: dict[str, Any]) -> Body:
    public = jose.public_part(found["jwk"])
    since, until = found["since"], found["until"]
    for moment in (since, until):
        if moment is not None:
            datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")
    return Body(str(found["organisation"]), public, tuple(map(str, found["lists"])), since, until)


def _holds(public: str, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
