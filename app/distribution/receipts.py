"""Receipts: what internet providers say, signed, of the versions they got. A canary's word decides.

Source: design section 2 ("receipt"); app/core/receipt.py has the statement.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from app.core import jose, receipt, signature
from app.core.terms import ReceiptOutcome
from app.distribution.models import Receipt
from app.distribution.schemas import NewReceipt
from app.identity import service as identity
from app.identity.service import Caller
from app.lists import service as lists
from app.lists import snapshots, staging
from app.log import service as log
from app.platform.problems import at_field

CLOCK_SKEW = timedelta(minutes=5)


def take_in(
    session: Session, caller: Caller, name: str, new: NewReceipt, now: datetime
) -> tuple[Receipt, bool]:
    """Record what became of a version, and whether that is new; a canary's failure takes it back.

    Raises Problem.
    """
    lists.readable(session, caller, name)
    found = snapshots.visible(session, caller, name, new.version)
    if new.content_sha256 != found.content_sha256:
        raise at_field("digest-mismatch", "content_sha256", "send the digest that the manifest states")
    applied_at = datetime.fromisoformat(new.applied_at)
    if applied_at > now + CLOCK_SKEW:
        raise at_field("invalid-input", "applied_at", "it lies in the future")
    if applied_at < found.published_at - CLOCK_SKEW:
        raise at_field("invalid-input", "applied_at", "it lies before this version was made")
    _check_signature(session, caller, name, new)
    earlier = _known(session, caller, name, new, applied_at)
    if earlier:
        return earlier, False
    taken = _write(session, caller, name, new, applied_at, now)
    if new.outcome is ReceiptOutcome.FAILED and caller.organisation_id in lists.canaries(session, name):
        staging.fail(session, found, now)
    return taken, True


def outcomes(session: Session, name: str, version: int) -> Mapping[str, str]:
    """What each organisation said last of a version."""
    query = (
        select(Receipt.organisation_id, Receipt.outcome)
        .where(Receipt.list == name, Receipt.version == version)
        .order_by(col(Receipt.id))
    )
    return dict(session.exec(query).all())


def _known(
    session: Session, caller: Caller, name: str, new: NewReceipt, applied_at: datetime
) -> Receipt | None:
    """The organisation's last word on the version when it is the same; else these very bytes, sent again.

    Raises Problem for what was said before the last word, and is signed anew with the moment it had then.
    """
    of_version = select(Receipt).where(Receipt.list == name, Receipt.version == new.version)
    own = of_version.where(Receipt.organisation_id == caller.organisation_id)
    last = session.exec(own.order_by(col(Receipt.id).desc()).limit(1)).first()
    if last and last.outcome == new.outcome.value:
        return last
    same = of_version.where(
        Receipt.client_id == caller.client_id,
        Receipt.outcome == new.outcome.value,
        Receipt.applied_at == applied_at,
    )
    earlier = session.exec(same).first()
    if earlier and not hmac.compare_digest(earlier.signature, new.signature):
        raise at_field("invalid-input", "applied_at", "you said another word since; date this one by now")
    return earlier


def _write(
    session: Session, caller: Caller, name: str, new: NewReceipt, applied_at: datetime, now: datetime
) -> Receipt:
    taken = Receipt(
        list=name,
        version=new.version,
        organisation_id=caller.organisation_id,
        client_id=caller.client_id,
        outcome=new.outcome.value,
        content_sha256=new.content_sha256,
        applied_at=applied_at,
        signature=new.signature,
        at=now,
    )
    session.add(taken)
    session.flush()
    log.append(
        session,
        "receipt",
        now,
        client=caller.client_id,
        content_sha256=taken.content_sha256,
        list=name,
        organisation=caller.organisation_id,
        outcome=taken.outcome,
        signature=taken.signature,
        version=taken.version,
    )
    return taken


def _check_signature(session: Session, caller: Caller, name: str, new: NewReceipt) -> None:
    expected = receipt.statement(
        applied_at=new.applied_at,
        content_sha256=new.content_sha256,
        in_list=name,
        outcome=new.outcome.value,
        version=new.version,
    )
    try:
        jwk = identity.keys(session, caller.client_id).get(str(signature.kid(new.signature)))
        if jwk is None:
            raise jose.Invalid("its kid names no key of this client in force")
        payload = jose.verify(new.signature, jwk)
    except jose.Invalid as fault:
        raise at_field("signature-invalid", "signature", str(fault)) from None
    if not hmac.compare_digest(payload, expected):
        raise at_field("signature-invalid", "signature", "sign the RFC 8785 statement of this very receipt")
