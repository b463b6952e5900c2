"""Passkeys: enrolling one, signing in with one, and having one sign a statement.

An answer holds for what was asked (challenges.py), and never from within a page of another site. The
authenticator must verify its user. Attestation is not asked for: the review body certifies the key instead,
knowing whose it is. Source: W3C Web Authentication Level 3, sections 7.1 and 7.2.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import webauthn
from sqlmodel import Session, col, select
from webauthn.helpers import bytes_to_base64url, encode_cbor, parse_authentication_credential_json
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.decode_credential_public_key import DecodedEC2PublicKey, decode_credential_public_key
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.core import jose, passkey
from app.identity import service as identity
from app.identity.models import ClientKey
from app.identity.people import challenges
from app.identity.people import service as people
from app.identity.people.challenges import refused
from app.identity.people.models import Passkey, Purpose
from app.identity.people.service import Member
from app.platform.problems import Problem, at_field

MOST = 10
"""Passkeys of one person."""
LARGEST_ANSWER = 16 * 1024
"""Characters of what a browser answers."""
_VERIFIED = UserVerificationRequirement.REQUIRED
_TRANSPORTS = {one.value for one in AuthenticatorTransport}
_ALGORITHMS = [COSEAlgorithmIdentifier.ECDSA_SHA_256]


@dataclass(frozen=True)
class Site:
    """Where the console is: its origin, whose host name passkeys are bound to."""

    origin: str

    @property
    def rp_id(self) -> str:
        """The relying party's id."""
        return urlsplit(self.origin).hostname or ""


@dataclass(frozen=True)
class Signed:
    """A statement that a passkey signed: the signature in its compact form, and which key made it."""

    token: str
    kid: str


def ask_to_enrol(
    session: Session, site: Site, member: Member, held_by: str, now: datetime
) -> tuple[str, dict[str, Any]]:
    """Ask the browser for a new passkey: the ceremony's id and the options of `create()`. Raises Problem."""
    known = in_force(session, member)
    if len(known) >= MOST:
        raise at_field("invalid-input", "passkey", f"{MOST} passkeys are enrolled; remove one first")
    options = webauthn.generate_registration_options(
        rp_id=site.rp_id,
        rp_name="wardlist",
        user_id=member.person.id.encode(),
        user_name=member.person.name,
        challenge=secrets.token_bytes(32),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_VERIFIED
        ),
        exclude_credentials=_descriptors(known),
        supported_pub_key_algs=_ALGORITHMS,
    )
    made = challenges.put(session, Purpose.ENROL, held_by, member.person.id, options.challenge, now)
    return made, _as_json(options)


def enrol(
    session: Session,
    site: Site,
    member: Member,
    ceremony: str,
    held_by: str,
    answer: str,
    label: str,
    now: datetime,
) -> Passkey:
    """Take in a new passkey as one more key of the person's client. Raises Problem."""
    challenge = challenges.answered(session, Purpose.ENROL, ceremony, held_by, now)
    label = label.strip()[:40] or f"passkey of {now:%Y-%m-%d}"
    try:
        verified = webauthn.verify_registration_response(
            credential=_limited(answer),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
        jwk = _jwk(verified.credential_public_key) | {"rp_id": site.rp_id}
        _refuse_framed(webauthn.helpers.parse_registration_credential_json(answer).response.client_data_json)
    except (WebAuthnException, jose.Invalid, ValueError, KeyError, TypeError, RecursionError):
        raise refused("the browser's answer does not hold; try again") from None
    if session.get(Passkey, bytes_to_base64url(verified.credential_id)):
        raise refused("this passkey is enrolled already")
    key = identity.add_key(session, member.caller.client_id, jwk, now)
    made = Passkey(
        credential_id=bytes_to_base64url(verified.credential_id),
        person_id=member.person.id,
        kid=key.kid,
        label=label if label.isprintable() else "passkey",
        transports=_transports(answer),
        sign_count=verified.sign_count,
        created_at=now,
    )
    session.add(made)
    return made


def ask_to_sign_in(secret: bytes, site: Site, now: datetime) -> tuple[str, dict[str, Any]]:
    """Ask whoever is there: what the browser keeps meanwhile, and the options of `get()`."""
    held = challenges.held(secret, now)
    options = webauthn.generate_authentication_options(
        rp_id=site.rp_id, challenge=passkey.challenge(held.encode()), user_verification=_VERIFIED
    )
    return held, _as_json(options)


def sign_in(session: Session, secret: bytes, site: Site, held: str, answer: str, now: datetime) -> Member:
    """Who answered, once. Raises a 422 problem."""
    since = challenges.held_since(secret, held, now)
    credential = _parsed(answer)
    found = session.get(Passkey, bytes_to_base64url(credential.raw_id))
    if found is None:
        raise refused("this passkey is not known here, or was removed")
    challenge = passkey.challenge(held.encode())
    _verify(session, site, found, credential, challenge, now)
    challenges.spend(session, held, found.person_id, challenge, since)
    return people.member(session, found.person_id)


def ask_to_sign(
    session: Session, site: Site, member: Member, held_by: str, statement: bytes, now: datetime
) -> tuple[str, dict[str, Any]]:
    """Ask the signed-in person to sign a statement with one of its passkeys. Raises Problem."""
    options = webauthn.generate_authentication_options(
        rp_id=site.rp_id,
        challenge=passkey.challenge(statement),
        allow_credentials=_descriptors(in_force(session, member)),
        user_verification=_VERIFIED,
    )
    made = challenges.put(session, Purpose.SIGN, held_by, member.person.id, options.challenge, now)
    return made, _as_json(options)


def asked_at(session: Session, ceremony: str, held_by: str, now: datetime) -> int:
    """When a statement was asked to be signed, in seconds since 1970: its `iat`. Raises a 422 problem."""
    return int(challenges.pending(session, Purpose.SIGN, ceremony, held_by, now).issued_at.timestamp())


def signed(
    session: Session,
    site: Site,
    member: Member,
    ceremony: str,
    held_by: str,
    statement: bytes,
    answer: str,
    now: datetime,
) -> Signed:
    """The statement's signature by a passkey of the person, and for nothing else. Raises a 422 problem."""
    challenges.answered(session, Purpose.SIGN, ceremony, held_by, now)
    credential = _parsed(answer)
    found = session.get(Passkey, bytes_to_base64url(credential.raw_id))
    if found is None or found.person_id != member.person.id:
        raise refused("sign with a passkey of your own")
    _verify(session, site, found, credential, passkey.challenge(statement), now)
    said = credential.response
    try:
        token = passkey.token(
            statement,
            kid=found.kid,
            authenticator_data=said.authenticator_data,
            client_data=said.client_data_json,
            signature=said.signature,
        )
        passkey.verify(token, _key(session, found))
    except jose.Invalid as fault:
        raise refused(str(fault)) from None
    return Signed(token, found.kid)


def of(session: Session, person_id: str) -> list[Passkey]:
    """Somebody's passkeys, oldest first."""
    query = select(Passkey).where(Passkey.person_id == person_id)
    return list(session.exec(query.order_by(col(Passkey.created_at), col(Passkey.credential_id))))


def in_force(session: Session, member: Member) -> list[Passkey]:
    """Those whose key was not revoked, oldest first."""
    keys = identity.keys(session, member.caller.client_id)
    return [one for one in of(session, member.person.id) if one.kid in keys]


def remove(session: Session, member: Member, kid: str, now: datetime) -> None:
    """Take one of one's own passkeys out of use; never the last. Raises Problem."""
    mine = {one.kid: one for one in in_force(session, member)}
    if kid not in mine:
        raise Problem("not-found", "no such passkey of yours is enrolled")
    if len(mine) == 1:
        raise at_field("invalid-input", "passkey", "enrol another one before you remove the last")
    session.delete(mine[kid])
    session.flush()
    identity.revoke_key(session, kid, now)


def _key(session: Session, found: Passkey) -> dict[str, Any]:
    """Its public JWK, in force. Raises a 422 problem."""
    key = session.get(ClientKey, found.kid)
    jwk = identity.keys(session, key.client_id).get(found.kid) if key else None
    if jwk is None:
        raise refused("this passkey was revoked")
    return jwk


def _verify(
    session: Session,
    site: Site,
    found: Passkey,
    credential: AuthenticationCredential,
    challenge: bytes,
    now: datetime,
) -> None:
    try:
        verified = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=_cose(_key(session, found)),
            credential_current_sign_count=found.sign_count,
            require_user_verification=True,
        )
        _refuse_framed(credential.response.client_data_json)
    except (WebAuthnException, ValueError, TypeError, RecursionError):
        raise refused("the passkey's answer does not hold for what was asked; try again") from None
    found.sign_count, found.used_at = verified.new_sign_count, now
    session.add(found)


def _parsed(answer: str) -> AuthenticationCredential:
    try:
        return parse_authentication_credential_json(_limited(answer))
    except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError):
        raise refused("the browser's answer cannot be read; try again") from None


def _refuse_framed(client_data: bytes) -> None:
    """Refuse what was made within a page of another site (section 7.2, step 14). Raises ValueError."""
    if jose.claims(client_data).get("crossOrigin", False) is not False:
        raise ValueError


def _limited(answer: str) -> str:
    if not 2 <= len(answer) <= LARGEST_ANSWER:
        raise refused("the browser's answer has another length")
    return answer


def _transports(answer: str) -> str:
    found = webauthn.helpers.parse_registration_credential_json(answer).response.transports or []
    return " ".join(sorted(one.value for one in found if one.value in _TRANSPORTS))


def _descriptors(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=webauthn.base64url_to_bytes(one.credential_id),
            transports=[AuthenticatorTransport(part) for part in one.transports.split()] or None,
        )
        for one in known
    ]


def _jwk(cose: bytes) -> dict[str, str]:
    key = decode_credential_public_key(cose)
    if not isinstance(key, DecodedEC2PublicKey) or key.alg != _ALGORITHMS[0]:
        raise jose.Invalid("the key must be an EC key on P-256 for ES256")
    point = {"x": jose.encode(key.x), "y": jose.encode(key.y)}
    return jose.public_part({"kty": "EC", "crv": "P-256", **point})


def _cose(jwk: dict[str, Any]) -> bytes:
    """The key as WebAuthn writes it (RFC 9053, section 7.1.1), from what the log has of it."""
    return encode_cbor({1: 2, 3: -7, -1: 1, -2: jose.decode(jwk["x"]), -3: jose.decode(jwk["y"])})


def _as_json(options: Any) -> dict[str, Any]:
    found: dict[str, Any] = webauthn.helpers.options_to_json_dict(options)
    return found
