"""Lists, their policies and subscribers."""

from datetime import datetime

from sqlmodel import Session, col, func, select

from app.core.terms import Confidentiality, EntryScope, Kind
from app.identity import service as identity
from app.identity.service import Caller
from app.lists.models import BlockList, Snapshot, Subscription
from app.lists.schemas import DEFAULT_QUORUM, ListView, NewList
from app.log import service as log
from app.platform.problems import Problem, at_field


def create(session: Session, new: NewList, now: datetime) -> BlockList:
    """Create a list. Raises Problem when the name is taken or the policy cannot be kept here."""
    if new.confidentiality is Confidentiality.SEALED:
        raise at_field(
            "sealing-unavailable", "confidentiality", "this release serves plain lists only; say plain"
        )
    if session.get(BlockList, new.name):
        raise at_field("list-exists", "name", "choose another name, or use the list there is")
    quorum = {scope.value: new.quorum.get(scope, DEFAULT_QUORUM[scope]) for scope in new.scopes}
    created = BlockList(
        **new.model_dump(exclude={"scopes", "quorum"}),
        scopes=[scope.value for scope in new.scopes],
        quorum=quorum,
        created_at=now,
    )
    session.add(created)
    session.flush()
    log.append(
        session,
        "list.created",
        now,
        list=created.name,
        scopes=created.scopes,
        quorum=quorum,
        confidentiality=created.confidentiality.value,
        recheck_days=created.recheck_days,
        retention_days=created.retention_days,
        min_poll_seconds=created.min_poll_seconds,
    )
    return created


def subscribe(session: Session, name: str, organisation_id: str, now: datetime) -> None:
    """Let an internet provider read a list. Doing it again changes nothing. Raises Problem."""
    if session.get(BlockList, name) is None:
        raise at_field("list-unknown", "list", "create the list first")
    if identity.organisation(session, organisation_id).kind is not Kind.ISP:
        raise at_field("invalid-input", "org", "only an isp subscribes to a list")
    if session.get(Subscription, (name, organisation_id)) is None:
        session.add(Subscription(list=name, organisation_id=organisation_id, created_at=now))
        session.flush()
        log.append(session, "list.subscribed", now, list=name, organisation=organisation_id)


def unsubscribe(session: Session, name: str, organisation_id: str, now: datetime) -> None:
    """End a subscription; takes effect at the provider's next request. Raises Problem."""
    found = session.get(Subscription, (name, organisation_id))
    if found is None:
        raise at_field("invalid-input", "org", "this organisation does not subscribe to the list")
    session.delete(found)
    log.append(session, "list.unsubscribed", now, list=name, organisation=organisation_id)


def policy(session: Session, name: str) -> BlockList | None:
    """The list of that name, for its policy."""
    return session.get(BlockList, name)


def quorum(session: Session, name: str, scope: EntryScope) -> int:
    """How many organisations must agree on an entry of this scope."""
    return int(session.get_one(BlockList, name).quorum[scope.value])


def is_subscribed(session: Session, caller: Caller, name: str) -> bool:
    """Whether the caller's organisation subscribes to the list."""
    return session.get(Subscription, (name, caller.organisation_id)) is not None


def visible(session: Session, caller: Caller, name: str) -> BlockList:
    """The list, if the caller may know of it: a provider knows only lists it subscribes to.

    Raises a 404 problem.
    """
    found = session.get(BlockList, name)
    if found is None or (caller.kind is Kind.ISP and not is_subscribed(session, caller, name)):
        raise Problem("not-found", "there is no list of this name for you")
    return found


def readable(session: Session, caller: Caller, name: str) -> BlockList:
    """The list, if the caller may read its entries. Raises a 404 or 403 problem."""
    found = visible(session, caller, name)
    if not is_subscribed(session, caller, name):
        raise Problem("forbidden", "only subscribed internet providers read a list's entries")
    return found


def all_visible(session: Session, caller: Caller) -> list[BlockList]:
    """Every list the caller may know of, by name."""
    query = select(BlockList).order_by(col(BlockList.name))
    if caller.kind is Kind.ISP:
        query = query.join(Subscription).where(Subscription.organisation_id == caller.organisation_id)
    return list(session.exec(query))


def view(session: Session, found: BlockList) -> ListView:
    """A list in the API's shape."""
    latest = session.exec(
        select(func.max(Snapshot.version)).where(Snapshot.list == found.name, col(Snapshot.is_served))
    ).one()
    return ListView(**found.model_dump(), latest_version=latest)
