"""Appeals: filing one, reading it with its secret, and what waits for a review body.

Filing looks at the form of the address and at nothing else: whether it is listed is asked later, out of the
request, so that neither answer nor time can tell. Sources: Directive 2011/93/EU art. 25; DSA art. 20.
"""

import hashlib
import hmac
import secrets as random
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from app.appeals import concern, secrets
from app.appeals.concern import Sought
from app.appeals.models import Appeal, AppealEntry
from app.appeals.schemas import AppealStatus, AppealView, ConcernedEntry, FiledAppeal, NewAppeal
from app.appeals.secrets import Opened
from app.core import commitment, url
from app.core.lifecycle import Status
from app.core.terms import AppealOutcome, AppealState, OwnershipProof
from app.entries.models import Entry
from app.identity.service import Caller
from app.lists import service as lists
from app.log import service as log
from app.platform.epochs import Epochs
from app.platform.keyring import Keyring
from app.platform.problems import Problem, at_field

_NOBODY = hashlib.sha256(b"").hexdigest()
_HOW = {
    OwnershipProof.DNS_TXT: "Publish the token as a TXT record of the host, named _wardlist-appeal. "
    "A person looks for it once; leave it there until the decision.",
    OwnershipProof.WELL_KNOWN: "Serve the token as plain text of the host, at /.well-known/wardlist-appeal. "
    "A person looks for it once; leave it there until the decision.",
}


def file(session: Session, epochs: Epochs, new: NewAppeal, now: datetime) -> FiledAppeal:
    """Take in an appeal. Raises a 422 problem for an address that could not be listed anyway."""
    try:
        canonical = url.admit(new.url)
    except url.Refused as refused:
        raise at_field(refused.code, "url", refused.advice) from None
    name, days = lists.appeal_days(session, new.list)
    secret, token = random.token_urlsafe(32), random.token_urlsafe(32) if new.proof else None
    filed_at = now.replace(microsecond=0)
    appeal = Appeal(
        id=str(uuid.uuid4()),
        log_id=str(uuid.uuid4()),
        secret_sha256=_sha256(secret),
        list=name,
        proof=new.proof.value if new.proof else None,
        filed_at=filed_at,
        decide_by=filed_at + timedelta(days=days),
    )
    session.add(appeal)
    session.flush()
    opened = Opened(commitment.new_key(), canonical, new.statement, token)
    secrets.insert(session, epochs, appeal.id, opened)
    log.append(session, "appeal.filed", now, appeal=appeal.log_id)
    return FiledAppeal(
        reference=appeal.id,
        secret=secret,
        state=AppealState.FILED,
        decide_by=appeal.decide_by,
        proof_token=token,
        proof_instructions=_HOW[new.proof] if new.proof else None,
    )


def status(session: Session, epochs: Epochs, appeal_id: str, secret: str | None) -> AppealStatus:
    """What the appellant may know. The same 404 problem for a wrong secret and for no such appeal."""
    appeal = get(session, appeal_id)
    expected = appeal.secret_sha256 if appeal else _NOBODY
    is_right = hmac.compare_digest(expected, _sha256(secret or ""))
    if appeal is None or not secret or not is_right:
        raise Problem("not-found", "there is no appeal of this reference and secret")
    told = AppealStatus(
        reference=appeal.id, state=AppealState.FILED, filed_at=appeal.filed_at, decide_by=appeal.decide_by
    )
    if appeal.decided_at is None:
        return told
    if appeal.outcome == AppealState.LAPSED:
        return told.model_copy(update={"state": AppealState.LAPSED})
    opened = secrets.of(session, epochs, [appeal.id]).get(appeal.id)
    reasons = secrets.unseal_reason(opened, appeal.id, appeal.reason) if opened and appeal.reason else None
    decided = {"outcome": AppealOutcome(str(appeal.outcome)), "decided_at": appeal.decided_at}
    return told.model_copy(update={"state": AppealState.DECIDED, "reasons": reasons, **decided})


def get(session: Session, appeal_id: str, to_change: bool = False) -> Appeal | None:
    """An appeal by id; `to_change` keeps others from deciding it meanwhile."""
    query = select(Appeal).where(Appeal.id == appeal_id)
    return session.exec(query.with_for_update() if to_change else query).first()


def queue(
    session: Session, keyring: Keyring, caller: Caller, after: int, limit: int
) -> tuple[list[AppealView], int | None]:
    """Undecided appeals that this body may decide, of the next `limit` ones, and the place to go on from."""
    query = (
        select(Appeal)
        .where(col(Appeal.decided_at).is_(None), col(Appeal.seq) > after)
        .order_by(col(Appeal.seq))
        .limit(limit + 1)
    )
    found = list(session.exec(query))
    waiting = found[:limit]
    return _views(session, keyring, caller, waiting), waiting[-1].seq if len(found) > limit else None


def one(session: Session, keyring: Keyring, caller: Caller, appeal_id: str) -> AppealView:
    """An undecided appeal that this body may decide. Raises a 403, 404 or 409 problem."""
    appeal = get(session, appeal_id)
    if appeal is None:
        raise Problem("not-found", "there is no appeal of this reference")
    if appeal.decided_at is not None:
        raise Problem("appeal-decided", "another body decided it, or yours, or it lapsed")
    for view in _views(session, keyring, caller, [appeal]):
        return view
    raise took_part()


def took_part() -> Problem:
    """The 403 problem of a body that is not independent of an appeal's entries."""
    detail = "your body submitted or decided one of its entries, or is in conflict with who did"
    return Problem("took-part", detail)


def _views(session: Session, keyring: Keyring, caller: Caller, waiting: Sequence[Appeal]) -> list[AppealView]:
    opened = secrets.of(session, keyring.epochs, [one.id for one in waiting])
    sought = {one.id: Sought(opened[one.id].canonical_url, one.list) for one in waiting}
    concerned = concern.of(session, keyring, sought)
    barred = concern.barred(session, caller, [entry for some in concerned.values() for entry in some.known])
    return [
        _view(one, opened[one.id], concerned[one.id].entries)
        for one in waiting
        if not any(entry.id in barred for entry in concerned[one.id].known)
    ]


def count_undecided(session: Session) -> int:
    """How many appeals wait for a decision, of whichever body."""
    query = select(func.count()).select_from(Appeal).where(col(Appeal.decided_at).is_(None))
    return session.exec(query).one()


def overturned(session: Session) -> set[str]:
    """Ids of entries that an upheld appeal ended: they count against who submitted and who approved them."""
    query = (
        select(AppealEntry.entry_id)
        .join(Appeal, col(Appeal.id) == col(AppealEntry.appeal_id))
        .where(Appeal.outcome == AppealOutcome.UPHELD.value)
    )
    return set(session.exec(query))


def _view(appeal: Appeal, opened: Opened, entries: Sequence[Entry]) -> AppealView:
    return AppealView(
        reference=appeal.id,
        log_id=appeal.log_id,
        url=opened.canonical_url,
        statement=opened.statement,
        filed_at=appeal.filed_at,
        decide_by=appeal.decide_by,
        proof=OwnershipProof(appeal.proof) if appeal.proof else None,
        proof_token=opened.proof_token,
        appeal_key=opened.key.hex(),
        entries=[_shown(entry) for entry in entries],
        list=appeal.list,
    )


def _shown(entry: Entry) -> ConcernedEntry:
    """While a second opinion is asked for unseen, every body sees the entry as submitted."""
    seen = Status.SUBMITTED if entry.opinion_open else entry.status
    return ConcernedEntry(
        id=entry.id, status=seen, list=entry.list, scope=entry.scope, legal_ground=entry.legal_ground
    )


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
