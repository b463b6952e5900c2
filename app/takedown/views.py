"""Takedowns in the API's shape. A contact's name is for the entry's hotline and operators, a URL for none.

But law enforcement that a list's policy asks whether a notice disturbs an inquiry, of the country that is
heard, is shown what it is asked about, for as long as it is asked and takes longer. Whoever holds an entry
of its own accord knows already what that is: ids stand in the public log, so a hold alone opens nothing.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from app.core.lifecycle import Status
from app.core.lifecycle import Takedown as State
from app.core.terms import Kind
from app.entries import secrets
from app.entries.models import Entry
from app.entries.schemas import RoutedBy
from app.identity import service as identity
from app.identity.service import Caller
from app.lists import service as lists
from app.log import service as log
from app.platform.epochs import Epochs
from app.takedown import feed, outbox, service
from app.takedown.models import Contact, Takedown
from app.takedown.schemas import Happened, NoticeView, TakedownDetail, TakedownHold, TakedownView

_OF_THE_CLOCK = (
    "opened_at",
    "first_notice_at",
    "acknowledge_due_at",
    "acknowledged_at",
    "removal_due_at",
    "removed_at",
    "confirmed_at",
    "ended_at",
    "excuse",
    "refusal",
    "provider_class",
)
_BLIND = {"state": State.NOT_STARTED, "status": Status.SUBMITTED}


def views(
    session: Session, epochs: Epochs, caller: Caller, found: Sequence[Entry], now: datetime
) -> list[TakedownView]:
    """Takedowns of entries that the caller may see, in that order."""
    clocks = feed.clocks(session, [entry for entry in found if not feed.is_blind(caller, entry)])
    asked = _asked_about(session, caller, found, clocks, now)
    shown = {one: opened.canonical_url for one, opened in secrets.of(session, epochs, asked).items()}
    return [
        TakedownView(
            **_members(entry, clocks.get(entry.id), now) | (_BLIND if feed.is_blind(caller, entry) else {}),
            canonical_url=shown.get(entry.id),
        )
        for entry in found
    ]


def detail(session: Session, epochs: Epochs, caller: Caller, entry: Entry, now: datetime) -> TakedownDetail:
    """One takedown with all there is of it."""
    found = views(session, epochs, caller, [entry], now)[0]
    if feed.is_blind(caller, entry):
        return TakedownDetail(**found.model_dump(), routed_by=[], notices=[], happened=[])
    return TakedownDetail(
        **found.model_dump(),
        routed_by=[RoutedBy.model_validate(step) for step in entry.routed_by or ()],
        notices=told(session, caller, [entry]).get(entry.id, []),
        happened=_history(session, entry),
    )


def _members(entry: Entry, clock: Takedown | None, now: datetime) -> dict[str, Any]:
    return {
        "id": entry.id,
        "state": entry.takedown,
        "list": entry.list,
        "country": entry.hosting_country,
        "status": entry.status,
        "submitted_by": entry.organisation_id,
        "is_overdue": clock is not None and feed.is_overdue(entry, clock, now),
        "to_confirm": clock is not None and feed.is_to_confirm(entry, clock),
        "hold": _hold(clock, now),
        **{name: getattr(clock, name, None) for name in _OF_THE_CLOCK},
    }


def _hold(clock: Takedown | None, now: datetime) -> TakedownHold | None:
    if clock is None or not service.is_held(clock, now) or not (clock.hold_reason and clock.held_until):
        return None
    return TakedownHold(
        reason=clock.hold_reason, until=clock.held_until, organisation=clock.hold_organisation_id
    )


def _asked_about(
    session: Session, caller: Caller, found: Sequence[Entry], clocks: dict[str, Takedown], now: datetime
) -> list[str]:
    if caller.kind is not Kind.LAW_ENFORCEMENT:
        return []
    country = identity.organisation(session, caller.organisation_id).country
    held = [entry for entry in found if entry.id in clocks and service.is_held(clocks[entry.id], now)]
    policies = {name: lists.policy_in_force(session, name) for name in {entry.list for entry in held}}
    return [
        entry.id
        for entry in held
        if policies[entry.list].law_enforcement_hours
        and country == (policies[entry.list].jurisdiction or entry.hosting_country)
        and _is_asked(session, caller, clocks[entry.id])
    ]


def _is_asked(session: Session, caller: Caller, held: Takedown) -> bool:
    """Whether the hold in force is the policy's, or the caller's that began while that one ran."""
    if held.hold_organisation_id is None:
        return True
    until = ""
    for leaf in map(json.loads, log.about(session, held.entry_id)):
        if leaf["type"] == "takedown.held":
            is_asked = "organisation" not in leaf or leaf["at"] < until
            until = leaf["until"] if is_asked else ""
        elif leaf["type"] == "takedown.released":
            until = ""
    return bool(until) and held.hold_organisation_id == caller.organisation_id


def told(session: Session, caller: Caller, found: Sequence[Entry]) -> dict[str, list[NoticeView]]:
    """Every notice about entries whose takedowns the caller may see, oldest first, by entry."""
    sent = outbox.of_entries(session, [entry.id for entry in found])
    named = {entry.id for entry in found if _may_know_names(caller, entry)}
    ids = {one.contact_id for one in sent if one.entry_id in named}
    contacts = session.exec(select(Contact.id, Contact.name).where(col(Contact.id).in_(ids))) if ids else ()
    names = dict(list(contacts))
    shown: dict[str, list[NoticeView]] = {}
    for one in sent:
        view = NoticeView(
            **one.model_dump(include=set(NoticeView.model_fields)),
            contact=one.contact_id,
            contact_name=names.get(one.contact_id) if one.entry_id in named else None,
        )
        shown.setdefault(one.entry_id, []).append(view)
    return shown


def _may_know_names(caller: Caller, entry: Entry) -> bool:
    return caller.kind is Kind.OPERATOR or caller.organisation_id == entry.organisation_id


def _history(session: Session, entry: Entry) -> list[Happened]:
    """By the leaves about the entry: a takedown's, and what a hotline saw when it looked again."""
    found = (json.loads(body) for body in log.about(session, entry.id))
    return [
        Happened(what=leaf["type"].partition(".")[2], **{name: leaf[name] for name in _SAID if name in leaf})
        for leaf in found
        if leaf["type"].startswith("takedown.") or leaf["type"] == "entry.rechecked"
    ]


_SAID = tuple(name for name in Happened.model_fields if name != "what")
