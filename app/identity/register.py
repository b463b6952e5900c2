"""The register at the service: taking in what was signed elsewhere. No key of it is ever here.

Source: design section 3; app/core/register.py has the rules.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from app.core import register
from app.core.register import Authority, Register, Reviewer
from app.identity import service as identity
from app.identity.models import RegisterAuthority, RegisterVersion, ReviewerCertificate
from app.log import service as log
from app.platform.clock import instant
from app.platform.problems import at_field


def open_register(session: Session, opened: Authority, now: datetime) -> None:
    """Fix, once, which offline keys sign the register first; the first leaf of the log says so."""
    if session.get(RegisterAuthority, 1) is None:
        keys = dict(opened.keys)
        session.add(RegisterAuthority(id=1, keys=keys, threshold=opened.threshold))
        log.append(session, "register.opened", now, keys=keys, threshold=opened.threshold)


def current(session: Session) -> Register:
    """The register in force; version 0 before the first."""
    newest = newest_version(session)
    if newest is None:
        return Register()
    return register.read(newest.proposal, authority(session), newest.version - 1)


def newest_version(session: Session) -> RegisterVersion | None:
    """The newest version as it was signed."""
    return session.exec(
        select(RegisterVersion).order_by(col(RegisterVersion.version).desc()).limit(1)
    ).first()


def publish(session: Session, proposal: Mapping[str, Any], now: datetime) -> Register:
    """Take in the next version. Raises a 422 problem when it does not hold."""
    newest = newest_version(session)
    try:
        read = register.read(proposal, authority(session), newest.version if newest else 0)
    except register.Invalid as fault:
        raise at_field("register-invalid", "proposal", str(fault)) from None
    if read.authority:
        in_force = session.get_one(RegisterAuthority, 1)
        in_force.keys, in_force.threshold = dict(read.authority.keys), read.authority.threshold
        session.add(in_force)
    signed = {"metadata": proposal["metadata"], "register": proposal["register"]}
    session.add(RegisterVersion(version=read.version, proposal=signed, published_at=now))
    log.append(session, "register.published", now, version=read.version, **signed)
    return read


def admit(session: Session, token: str, now: datetime) -> Reviewer | str:
    """Take in a body's certificate, or its revocation of one (its thumbprint). Raises a 422 problem."""
    try:
        if register.kind_of(token) == register.REVOCATION:
            return _revoke(session, token, now)
        reviewer = register.certified(token, current(session))
    except register.Invalid as fault:
        raise at_field("certificate-invalid", "certificate", str(fault)) from None
    if session.get(ReviewerCertificate, reviewer.jwk["kid"]):
        raise at_field("certificate-invalid", "certificate", "this key is certified already")
    client = identity.active(session, reviewer.client)
    if client is None or client[1].id != reviewer.organisation:
        raise at_field("certificate-invalid", "certificate", "the body has no such client in force")
    kid = reviewer.jwk["kid"]
    if kid not in identity.keys(session, reviewer.client):
        raise at_field("certificate-invalid", "certificate", "the client has no such key")
    session.add(
        ReviewerCertificate(
            kid=kid, organisation_id=reviewer.organisation, certificate=token, admitted_at=now
        )
    )
    log.append(
        session,
        "reviewer.certified",
        now,
        certificate=token,
        client=reviewer.client,
        organisation=reviewer.organisation,
    )
    return reviewer


def lists_of(session: Session, organisation_id: str) -> tuple[str, ...]:
    """The lists that a body is registered for (`*`: all), none when it is not registered."""
    body = current(session).bodies.get(organisation_id)
    return body.lists if body else ()


def certified_kids(session: Session, kids: Sequence[str]) -> set[str]:
    """Those of the keys that a body certified and did not revoke."""
    query = select(ReviewerCertificate.kid).where(
        col(ReviewerCertificate.kid).in_(kids), col(ReviewerCertificate.revoked_at).is_(None)
    )
    return set(session.exec(query))


def reviewer_key(session: Session, client_id: str, kid: object, name: str, now: datetime) -> dict[str, Any]:
    """The key a decision may be signed with. Raises a 403 or 422 problem."""
    jwk = identity.keys(session, client_id).get(kid) if isinstance(kid, str) else None
    if jwk is None:
        raise at_field("signature-invalid", "signature", "kid must name a key of this client in force")
    found = session.get(ReviewerCertificate, kid)
    if found is None or found.revoked_at:
        raise at_field("reviewer-not-certified", "signature", "ask your review body to certify this key")
    in_force = current(session)
    try:
        reviewer = register.certified(found.certificate, in_force)
    except register.Invalid:
        detail = "your body's key changed; make a new key of yours and have that one certified"
        raise at_field("reviewer-not-certified", "signature", detail) from None
    if reviewer.client != client_id or not register.may_sign(in_force, reviewer, name, instant(now)):
        raise at_field("reviewer-not-certified", "signature", "your body is not registered for this list now")
    return jwk


def authority(session: Session) -> Authority:
    """The offline keys that sign the register's next version. Raises a 422 problem where none was opened."""
    found = session.get(RegisterAuthority, 1)
    if found is None:
        raise at_field("register-invalid", "register", "run `wardlist init`: no register was opened here")
    return Authority(found.keys, found.threshold)


def _revoke(session: Session, token: str, now: datetime) -> str:
    organisation, kid = register.revoked(token, current(session))
    found = session.get(ReviewerCertificate, kid)
    if found is None or found.revoked_at or found.organisation_id != organisation:
        raise register.Invalid("the body has no such certificate in force")
    found.revoked_at = now
    session.add(found)
    log.append(session, "reviewer.revoked", now, kid=kid, organisation=organisation, revocation=token)
    return kid


def proposal_from(raw: bytes) -> dict[str, Any]:
    """Read a proposal file. Raises a 422 problem."""
    try:
        found = json.loads(raw)
        if not isinstance(found, dict) or not {"metadata", "register"} <= found.keys():
            raise ValueError
    except ValueError:
        raise at_field(
            "register-invalid", "proposal", "this is no file of `wardlist register propose`"
        ) from None
    return found
