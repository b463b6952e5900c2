"""The one place that touches JOSE: ES256 and nothing else.

python-jose accepts a public key as an HMAC secret when algorithms are not pinned, and does not
require `exp` or `aud` unless told; so callers get only what is below. Sources: RFC 7515, 7517,
7518 section 3.4, 7638.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jws
from jose.exceptions import JOSEError

ALGORITHM = "ES256"
_LIMIT = 16 * 1024
_SITE = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class Invalid(ValueError):
    """A key or signature that is not what it must be. The text names the fault, no content."""


def generate() -> dict[str, str]:
    """A fresh private P-256 JWK with `kid` set to its thumbprint."""
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    public = {
        "kty": "EC",
        "crv": "P-256",
        "x": _number(numbers.public_numbers.x),
        "y": _number(numbers.public_numbers.y),
    }
    return {**public, "d": _number(numbers.private_value), "alg": ALGORITHM, "kid": thumbprint(public)}


def public_part(jwk: dict[str, Any]) -> dict[str, str]:
    """The checked public JWK (kty, crv, x, y, alg, use, kid; a passkey's `rp_id` too). Raises Invalid.

    Anything that is not a point on P-256 is refused, so no other kind of key is ever stored.
    """
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256" or jwk.get("alg", ALGORITHM) != ALGORITHM:
        raise Invalid("the key must be an EC key on P-256 for ES256")
    try:
        x, y = (int.from_bytes(decode(jwk[name]), "big") for name in ("x", "y"))
        ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Invalid("the key's x and y are not a point on P-256") from None
    site = jwk.get("rp_id", "")
    if "rp_id" in jwk and not (isinstance(site, str) and _SITE.fullmatch(site)):
        raise Invalid("rp_id must be the host name of the site that the passkey is bound to")
    public = {"kty": "EC", "crv": "P-256", "x": _number(x), "y": _number(y)}
    bound = {"rp_id": site} if site else {}
    return {**public, "alg": ALGORITHM, "use": "sig", "kid": thumbprint(public), **bound}


def thumbprint(jwk: dict[str, Any]) -> str:
    """RFC 7638 thumbprint, base64url."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return encode(hashlib.sha256(canonical).digest())


def sign(payload: bytes, private_jwk: dict[str, Any], typ: str | None = None) -> str:
    """A compact JWS (ES256) over the payload; the header carries the key's `kid`."""
    headers = {"kid": private_jwk["kid"]} | ({"typ": typ} if typ else {})
    signed: str = jws.sign(payload, _for_jose(private_jwk), headers=headers, algorithm=ALGORITHM)
    return signed


def header(token: str, longest: int = _LIMIT) -> dict[str, Any]:
    """The unverified header, to choose a key by `kid`. Raises Invalid."""
    if len(token) > longest:
        raise Invalid("the signature is too long")
    if not token.isascii():
        raise Invalid("this is not a compact JWS")
    try:
        found: dict[str, Any] = jws.get_unverified_header(token)
    except (JOSEError, RecursionError):
        raise Invalid("this is not a compact JWS") from None
    if found.get("alg") != ALGORITHM:
        raise Invalid("the algorithm must be ES256")
    if {"crit", "b64"} & found.keys():
        raise Invalid("the header asks for an extension")
    return found


def verify(token: str, public_jwk: dict[str, Any], longest: int = _LIMIT) -> bytes:
    """The payload, once its signature holds. Raises Invalid."""
    header(token, longest)
    try:
        payload: bytes = jws.verify(token, _key(public_jwk["x"], public_jwk["y"]), algorithms=[ALGORITHM])
    except JOSEError:
        raise Invalid("the signature does not verify") from None
    return payload


def unverified(token: str) -> bytes:
    """The payload of a signature that somebody else verifies. Raises Invalid."""
    header(token)
    try:
        payload: bytes = jws.get_unverified_claims(token)
    except JOSEError:
        raise Invalid("this is not a compact JWS") from None
    return payload


def claims(payload: bytes) -> dict[str, Any]:
    """The payload as a JSON object. Raises Invalid."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        raise Invalid("the payload is not JSON") from None
    if not isinstance(found, dict):
        raise Invalid("the payload is not an object")
    return found


def decode(text: str) -> bytes:
    """Base64url without padding. Raises Invalid."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise Invalid("not base64url") from None


def encode(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_key(public_jwk: Mapping[str, str]) -> ec.EllipticCurvePublicKey:
    """The key itself, for what is signed in another form than JWS. Raises Invalid."""
    checked = public_part(dict(public_jwk))
    x, y = (int.from_bytes(decode(checked[name]), "big") for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


@lru_cache(maxsize=1024)
def _key(x: str, y: str) -> Any:
    """Making a key from its numbers costs as much as verifying with it."""
    return jwk.construct({"kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": ALGORITHM}, ALGORITHM)


def _for_jose(jwk: dict[str, Any], names: tuple[str, ...] = ("kty", "crv", "x", "y", "d")) -> dict[str, str]:
    return {name: jwk[name] for name in names} | {"alg": ALGORITHM}


def _number(value: int) -> str:
    return encode(value.to_bytes(32, "big"))
