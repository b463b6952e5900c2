"""Passkeys: enrolling one, signing in with one, and having one sign a statement.

Each challenge is of use once, within five minutes, to the browser that asked for it, and for what it was
asked for; never from within a page of another site. The authenticator must verify its user. Attestation is
not asked for: the review body certifies the key instead, knowing whose it is. Source: W3C Web Authentication
Level 3, sections 7.1 and 7.2.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
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
from app.identity.people import service as people
from app.identity.people.models import Ceremony, Invitation, Passkey, Purpose
from app.identity.people.service import Member
from app.platform.problems import Problem, at_field

LASTS = timedelta(minutes=5)
MOST = 10
"""Passkeys of one person."""
MOST_WAITING = 20
"""Challenges of one session that wait for their answer."""
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
    made = _ceremony(session, Purpose.ENROL, held_by, member.person.id, options.challenge, now)
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
    asked = _answered(session, Purpose.ENROL, ceremony, held_by, now)
    if asked.person_id != member.person.id:
        raise _refused("it was asked of somebody else")
    label = label.strip()[:40] or f"passkey of {now:%Y-%m-%d}"
    try:
        verified = webauthn.verify_registration_response(
            credential=_limited(answer),
            expected_challenge=bytes.fromhex(asked.challenge),
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
        jwk = _jwk(verified.credential_public_key) | {"rp_id": site.rp_id}
        _refuse_framed(webauthn.helpers.parse_registration_credential_json(answer).response.client_data_json)
    except (WebAuthnException, jose.Invalid, ValueError, KeyError, TypeError, RecursionError):
        raise _refused("the browser's answer does not hold; try again") from None
    if session.get(Passkey, bytes_to_base64url(verified.credential_id)):
        raise _refused("this passkey is enrolled already")
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


def use_up(session: Session, invitation: Invitation, now: datetime) -> None:
    """An invitation served; it does no more."""
    used = sa.update(Invitation).where(
        col(Invitation.token_sha256) == invitation.token_sha256, col(Invitation.used_at).is_(None)
    )
    if session.execute(used.values(used_at=now)).rowcount != 1:  # type: ignore[attr-defined]
        raise Problem("not-found", "the invitation was used meanwhile; ask for a new one")


def ask_to_sign_in(secret: bytes, site: Site, now: datetime) -> tuple[str, dict[str, Any]]:
    """Ask whoever is there: what the browser keeps meanwhile, and the options of `get()`.

    Anybody can ask, so nothing is written: what the browser keeps says when it was asked, under our key.
    """
    issued = f"{int(now.timestamp())}.{secrets.token_urlsafe(32)}"
    held = f"{issued}.{_mark(secret, issued)}"
    options = webauthn.generate_authentication_options(
        rp_id=site.rp_id, challenge=passkey.challenge(held.encode()), user_verification=_VERIFIED
    )
    return held, _as_json(options)


def sign_in(session: Session, secret: bytes, site: Site, held: str, answer: str, now: datetime) -> Member:
    """Who answered, once. Raises a 422 problem."""
    asked = _sign_in_asked(secret, held, now)
    credential = _parsed(answer)
    found = session.get(Passkey, bytes_to_base64url(credential.raw_id))
    if found is None:
        raise _refused("this passkey is not known here, or was removed")
    challenge = passkey.challenge(held.encode())
    _verify(session, site, found, credential, challenge, now)
    _spend(session, people.digest(held), found.person_id, challenge, asked)
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
    made = _ceremony(session, Purpose.SIGN, held_by, member.person.id, options.challenge, now)
    return made, _as_json(options)


def asked_at(session: Session, ceremony: str, held_by: str, now: datetime) -> int:
    """When a statement was asked to be signed, in seconds since 1970: its `iat`. Raises a 422 problem."""
    return int(_pending(session, Purpose.SIGN, ceremony, held_by, now).issued_at.timestamp())


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
    asked = _answered(session, Purpose.SIGN, ceremony, held_by, now)
    credential = _parsed(answer)
    found = session.get(Passkey, bytes_to_base64url(credential.raw_id))
    if found is None or found.person_id != member.person.id or asked.person_id != member.person.id:
        raise _refused("sign with a passkey of your own")
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
        raise _refused(str(fault)) from None
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
        raise _refused("this passkey was revoked")
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
        raise _refused("the passkey's answer does not hold for what was asked; try again") from None
    found.sign_count, found.used_at = verified.new_sign_count, now
    session.add(found)


def _mark(secret: bytes, issued: str) -> str:
    key = hashlib.sha256(b"wardlist/sign-in/v1" + secret).digest()
    return jose.encode(hmac.digest(key, issued.encode(), "sha256"))


def _sign_in_asked(secret: bytes, held: str, now: datetime) -> datetime:
    """When what a browser kept was given to it. Raises a 422 problem."""
    issued, _, mark = held.rpartition(".")
    is_ours = held.isascii() and hmac.compare_digest(mark, _mark(secret, issued))
    asked = datetime.fromtimestamp(int(issued.partition(".")[0]), UTC) if is_ours else None
    if asked is None or not asked <= now < asked + LASTS:
        raise _refused("this was asked too long ago, or of another browser; begin again")
    return asked


def _spend(session: Session, name: str, person_id: str, challenge: bytes, asked: datetime) -> None:
    if session.get(Ceremony, name):
        raise _refused("this was answered already; begin again")
    session.add(_row(name, Purpose.SIGN_IN, name, person_id, challenge, asked))
    session.flush()


def _ceremony(
    session: Session, purpose: Purpose, held_by: str, person_id: str, challenge: bytes, now: datetime
) -> str:
    session.execute(sa.delete(Ceremony).where(col(Ceremony.expires_at) <= now))
    waiting = session.exec(select(sa.func.count()).where(Ceremony.held_by == held_by)).one()
    if waiting >= MOST_WAITING:
        raise Problem("too-many-requests", "too much waits for your passkey; try again in five minutes")
    made = _row(secrets.token_hex(16), purpose, held_by, person_id, challenge, now.replace(microsecond=0))
    session.add(made)
    return made.id


def _row(
    name: str, purpose: Purpose, held_by: str, person_id: str, challenge: bytes, issued: datetime
) -> Ceremony:
    return Ceremony(
        id=name,
        purpose=purpose,
        held_by=held_by,
        person_id=person_id,
        challenge=challenge.hex(),
        issued_at=issued,
        expires_at=issued + LASTS,
    )


def _pending(session: Session, purpose: Purpose, ceremony: str, held_by: str, now: datetime) -> Ceremony:
    found = session.get(Ceremony, ceremony)
    is_ours = found is not None and secrets.compare_digest(found.held_by, held_by)
    if found is None or not is_ours or found.purpose is not purpose or found.expires_at <= now:
        raise _refused("this was answered already, or was asked too long ago; begin again")
    return found


def _answered(session: Session, purpose: Purpose, ceremony: str, held_by: str, now: datetime) -> Ceremony:
    """What was asked; once the answer holds, it is asked no more."""
    found = _pending(session, purpose, ceremony, held_by, now)
    done = session.execute(sa.delete(Ceremony).where(col(Ceremony.id) == found.id))
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise _refused("this was answered already")
    session.expunge(found)
    return found


def _parsed(answer: str) -> AuthenticationCredential:
    try:
        return parse_authentication_credential_json(_limited(answer))
    except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError):
        raise _refused("the browser's answer cannot be read; try again") from None


def _refuse_framed(client_data: bytes) -> None:
    """Refuse what was made within a page of another site (section 7.2, step 14). Raises ValueError."""
    if jose.claims(client_data).get("crossOrigin", False) is not False:
        raise ValueError


def _limited(answer: str) -> str:
    if not 2 <= len(answer) <= LARGEST_ANSWER:
        raise _refused("the browser's answer has another length")
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


def _refused(detail: str) -> Problem:
    return at_field("signature-invalid", "passkey", detail)
