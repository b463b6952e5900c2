"""A passkey's signature over a statement, in the compact form that other signatures have.

What a passkey signs is not the statement: it signs its authenticator's data and the hash of what the browser
says, which holds the challenge, and the challenge is the hash of the statement. So the header carries those
two beside `alg`, `kid` and `typ`, the payload is the statement, and whoever verifies goes the whole way. The
site that the passkey is bound to stands with its public key, as the member `rp_id` of the JWK, which the
review body certifies. Nothing in the header is free: it stands in the public log. Sources: W3C Web
Authentication Level 3, sections 5.8.1, 6.1 and 7.2; RFC 7515; RFC 7518 section 3.4.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from app.core import jose
from app.core.jose import Invalid

TYP = "wardlist-passkey"
_MEMBERS = frozenset({"alg", "authenticator_data", "client_data", "kid", "typ"})
_BYTES = ("authenticator_data", "client_data")
_SAID = frozenset({"challenge", "crossOrigin", "origin", "type"})
_ORIGIN = re.compile(r"(https?)://([a-z0-9.-]{1,253})(?::[0-9]{1,5})?")
_REMINDER = "other_keys_can_be_added_here"
_REMINDER_SHA256 = "6ab8c07430fca47c1fc5e77f862ef7d8c8fca365ef720b3fa7e8b1bf60d243b0"
"""Some browsers add this member, by chance, always with the one same text."""
_LENGTH = 37
"""Bytes of authenticator data without extensions: hash of the site, flags, counter."""
_PRESENT_AND_VERIFIED = 0b0000_0101
_MORE_FOLLOWS = 0b1100_0000


def challenge(statement: bytes) -> bytes:
    """What the passkey is asked to sign for a statement: its SHA-256, 32 bytes."""
    return hashlib.sha256(statement).digest()


def token(
    statement: bytes, *, kid: str, authenticator_data: bytes, client_data: bytes, signature: bytes
) -> str:
    """The compact form of an assertion; `signature` is ASN.1 DER. Raises Invalid when it is none."""
    header = {
        "alg": jose.ALGORITHM,
        "authenticator_data": jose.encode(authenticator_data),
        "client_data": jose.encode(client_data),
        "kid": kid,
        "typ": TYP,
    }
    try:
        numbers = decode_dss_signature(signature)
        raw = b"".join(number.to_bytes(32, "big") for number in numbers)
    except (ValueError, OverflowError):
        raise Invalid("this is no ECDSA signature on P-256") from None
    return ".".join(map(jose.encode, (rfc8785.dumps(header), statement, raw)))


def is_one(header: Mapping[str, Any]) -> bool:
    """Whether a signature with this header claims to be a passkey's."""
    return header.get("typ") == TYP


def require_plain(signed: str, header: Mapping[str, Any]) -> None:
    """Refuse a header in which more stands than must, or in another form. Raises Invalid."""
    _opened(signed, header)


def verify(signed: str, jwk: Mapping[str, str]) -> bytes:
    """The statement, once the passkey's signature over it holds. Raises Invalid."""
    header = jose.header(signed)
    if not is_one(header):
        raise Invalid("this key signs as a passkey only")
    data, client_data, said = _opened(signed, header)
    if header["kid"] != jose.thumbprint(dict(jwk)):
        raise Invalid("another key is said to have signed")
    statement = jose.unverified(signed)
    if not hmac.compare_digest(said["challenge"].encode(), jose.encode(challenge(statement)).encode()):
        raise Invalid("the passkey signed another statement")
    _check_site(data, said["origin"], jwk["rp_id"])
    if data[32] & _PRESENT_AND_VERIFIED != _PRESENT_AND_VERIFIED:
        raise Invalid("the passkey did not verify its user")
    _check_signature(signed, data + hashlib.sha256(client_data).digest(), jwk)
    return statement


def _opened(signed: str, header: Mapping[str, Any]) -> tuple[bytes, bytes, dict[str, Any]]:
    """The authenticator's data, what the browser said as bytes and read, each in its one form."""
    if header.keys() != _MEMBERS or not all(isinstance(value, str) for value in header.values()):
        raise Invalid("the header of a passkey's signature holds other members")
    written, *others = signed.split(".")
    if len(others) != 2 or written != jose.encode(_canonical(header)):
        raise Invalid("the header is not in RFC 8785 form")
    if any(part != jose.encode(jose.decode(part)) for part in (*others, *(header[name] for name in _BYTES))):
        raise Invalid("its base64url is not in its one form")
    data, client_data = (jose.decode(header[name]) for name in _BYTES)
    if len(data) != _LENGTH or data[32] & _MORE_FOLLOWS:
        raise Invalid("the authenticator's data holds extensions")
    return data, client_data, _said(client_data)


def _canonical(header: Mapping[str, Any]) -> bytes:
    try:
        return rfc8785.dumps(dict(header))
    except rfc8785.CanonicalizationError:
        raise Invalid("the header holds what is no text") from None


def _said(client_data: bytes) -> dict[str, Any]:
    """What the browser says of a signature, and nothing else, in one form. Raises Invalid."""
    said = jose.claims(client_data)
    if json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") != client_data:
        raise Invalid("the browser's words are not in their one form")
    reminder = said.pop(_REMINDER, None)
    if reminder is not None and hashlib.sha256(str(reminder).encode()).hexdigest() != _REMINDER_SHA256:
        raise Invalid("the browser added something of its own; sign again")
    if not said.keys() <= _SAID or said.get("crossOrigin", False) is not False:
        raise Invalid("the browser added something of its own, or the page was framed")
    if said.get("type") != "webauthn.get":
        raise Invalid("this is no assertion of a passkey")
    if not all(isinstance(said.get(name), str) for name in ("challenge", "origin")):
        raise Invalid("the browser did not say challenge and origin")
    return said


def _check_site(data: bytes, origin: str, site: str) -> None:
    found = _ORIGIN.fullmatch(origin)
    scheme, name = found.groups() if found else ("", "")
    is_secure = scheme == "https" or (scheme, name) == ("http", "localhost")
    if not is_secure or not (name == site or name.endswith(f".{site}")):
        raise Invalid("it was signed on another site")
    if not hmac.compare_digest(data[:32], hashlib.sha256(site.encode()).digest()):
        raise Invalid("it was signed for another site")


def _check_signature(signed: str, message: bytes, jwk: Mapping[str, str]) -> None:
    raw = jose.decode(signed.rpartition(".")[2])
    if len(raw) != 64:
        raise Invalid("the signature has another length")
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    try:
        jose.public_key(jwk).verify(der, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Invalid("the signature does not verify") from None
