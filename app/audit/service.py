"""Asking for exports, and who may have entries opened."""

import uuid
from datetime import datetime

import pyrage
from sqlmodel import Session, col, func, select

from app.audit.models import Export, RevealRight, State
from app.audit.schemas import ExportView, NewExport
from app.core.terms import Kind
from app.identity import service as identity
from app.identity.service import Caller
from app.lists import service as lists
from app.log import service as log
from app.platform.clock import instant
from app.platform.problems import Problem, at_field

MOST_WAITING = 3


def allow_reveal(session: Session, organisation_id: str, recipient: str, now: datetime) -> None:
    """Let an auditor have openings, sealed to its age key. Raises Problem."""
    if identity.organisation(session, organisation_id).kind is not Kind.AUDITOR:
        raise at_field("invalid-input", "org", "only an auditor may have entries opened")
    try:
        pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise at_field("invalid-input", "recipient", "give an age X25519 recipient, age1...") from None
    session.merge(RevealRight(organisation_id=organisation_id, recipient=recipient, allowed_at=now))
    log.append(session, "audit.reveal_allowed", now, organisation=organisation_id, recipient=recipient)


def end_reveal(session: Session, organisation_id: str, now: datetime) -> None:
    """Take the right back. Raises Problem."""
    right = session.get(RevealRight, organisation_id)
    if right is None:
        raise at_field("invalid-input", "org", "this organisation has no such right")
    session.delete(right)
    log.append(session, "audit.reveal_ended", now, organisation=organisation_id)


def request(session: Session, caller: Caller, new: NewExport, now: datetime) -> Export:
    """Put an export in the queue; its leaf is on the record before anything is out. Raises Problem."""
    if new.list and lists.policy(session, new.list) is None:
        raise at_field("list-unknown", "list", "GET /v1/lists names the lists there are")
    if new.since and new.until and new.since >= new.until:
        raise at_field("invalid-input", "to", "it must lie after `from`")
    right = session.get(RevealRight, caller.organisation_id) if new.reveal else None
    if new.reveal and right is None:
        raise at_field(
            "reveal-not-allowed", "reveal", "the operator has not registered a key of yours for this"
        )
    _refuse_many(session, caller)
    made = Export(
        id=str(uuid.uuid4()),
        organisation_id=caller.organisation_id,
        client_id=caller.client_id,
        list=new.list,
        since=new.since,
        until=new.until,
        recipient=right.recipient if right else None,
        state=State.WAITING,
        created_at=now,
    )
    session.add(made)
    log.append(
        session,
        "export.made",
        now,
        client=caller.client_id,
        export=made.id,
        list=new.list,
        organisation=caller.organisation_id,
        reveal=new.reveal,
        since=instant(new.since) if new.since else None,
        until=instant(new.until) if new.until else None,
    )
    return made


def visible(session: Session, caller: Caller, export_id: str) -> Export:
    """One's own export. Raises a 404 problem."""
    found = session.get(Export, export_id)
    if found is None or found.organisation_id != caller.organisation_id:
        raise Problem("not-found", "your organisation has no export of this id")
    return found


def of_organisation(session: Session, organisation: str, most: int) -> list[Export]:
    """An organisation's exports, newest first."""
    query = select(Export).where(Export.organisation_id == organisation)
    return list(session.exec(query.order_by(col(Export.created_at).desc(), col(Export.id)).limit(most)))


def reveal_right(session: Session, organisation: str) -> RevealRight | None:
    """The right of an organisation to have entries opened in its exports, where it has one."""
    return session.get(RevealRight, organisation)


def refuse_revealing(session: Session, found: Export) -> None:
    """What holds openings is handed out while its organisation may have them, by the key they are sealed to.

    Raises a 403 problem.
    """
    if found.state is not State.READY or found.recipient is None:
        return
    right = reveal_right(session, found.organisation_id)
    if right is None:
        raise Problem("reveal-not-allowed", "it holds openings, which you may not have any longer")
    if right.recipient != found.recipient:
        detail = "its openings are sealed to a key that you no longer have; ask for a new export"
        raise Problem("reveal-not-allowed", detail)


def count_ready(session: Session, organisation: str) -> int:
    """How many exports of an organisation can be downloaded."""
    query = select(func.count()).select_from(Export)
    return session.exec(
        query.where(Export.organisation_id == organisation, Export.state == State.READY)
    ).one()


def view(found: Export) -> ExportView:
    """An export in the API's shape."""
    return ExportView(**found.model_dump(), reveal=found.recipient is not None)


def _refuse_many(session: Session, caller: Caller) -> None:
    waiting = session.exec(
        select(func.count()).where(
            Export.organisation_id == caller.organisation_id, Export.state == State.WAITING
        )
    ).one()
    if waiting >= MOST_WAITING:
        raise Problem("too-many-exports", "wait until one is ready", headers={"Retry-After": "60"})
