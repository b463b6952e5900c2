"""Lists, their policies and subscribers."""

from datetime import datetime

import pycountry
import sqlalchemy as sa
from sqlmodel import Session, and_, col, func, select

from app.core.legal import Ground
from app.core.policy import Policy
from app.core.terms import Confidentiality, Kind
from app.identity import service as identity
from app.identity.service import Caller
from app.lists.models import BlockList, ListPolicy, Snapshot, Standing, Subscription
from app.lists.schemas import ListView, NewList, PolicyChange
from app.log import service as log
from app.platform.problems import Problem, at_field

_IN_FORCE = and_(
    col(BlockList.name) == col(ListPolicy.list), col(BlockList.policy_version) == col(ListPolicy.version)
)
_POLICY = (
    sa.select(col(ListPolicy.policy))
    .join(BlockList, _IN_FORCE)
    .where(col(BlockList.name) == sa.bindparam("name"))
)
"""Made once: nothing is asked as often."""


def create(session: Session, new: NewList, now: datetime) -> BlockList:
    """Create a list. Raises Problem when the name is taken or the policy cannot be kept here."""
    asked = new.policy()
    _refuse_unkept(session, new.name, asked)
    if session.get(BlockList, new.name):
        raise at_field("list-exists", "name", "choose another name, or use the list there is")
    created = BlockList(name=new.name, title=new.title, created_at=now)
    session.add(created)
    session.flush()
    session.add(ListPolicy(list=new.name, version=1, policy=asked.to_json(), changed_at=now))
    log.append(session, "list.created", now, list=created.name, **asked.to_json())
    return created


def rename(session: Session, name: str, title: str) -> None:
    """Give a list another title, which no rule and no leaf knows. Raises Problem where there is no list."""
    found = _existing(session, name)
    found.title = title
    session.add(found)


def change_policy(
    session: Session, caller: Caller | None, name: str, change: PolicyChange, now: datetime
) -> ListPolicy:
    """Put the next version of a policy in force. Raises Problem when it was changed meanwhile."""
    found = _existing(session, name)
    if change.base_version != found.policy_version:
        detail = f"version {found.policy_version} is in force; read it and send your change again"
        raise at_field("policy-outdated", "base_version", detail)
    asked = change.policy()
    _refuse_unkept(session, name, asked)
    if asked.confidentiality is not policy_in_force(session, name).confidentiality is Confidentiality.PLAIN:
        _refuse_unsealed(session, subscribers(session, name), "confidentiality")
    found.policy_version += 1
    client = caller.client_id if caller else None
    changed = ListPolicy(
        list=name, version=found.policy_version, policy=asked.to_json(), changed_at=now, client_id=client
    )
    session.add_all((found, changed))
    session.flush()
    by = {"client": client} if client else {}
    log.append(session, "policy.changed", now, list=name, version=changed.version, **asked.to_json(), **by)
    return changed


def policy_version(session: Session, name: str, version: int | None) -> ListPolicy:
    """A version of a list's policy, the one in force when None. Raises a 404 problem."""
    found = session.get(BlockList, name)
    stored = session.get(ListPolicy, (name, version or found.policy_version)) if found else None
    if stored is None:
        raise Problem("not-found", "this list has no such policy version")
    return stored


def _refuse_unkept(session: Session, name: str, asked: Policy) -> None:
    unknown = set(asked.reserved_grounds) - {ground.value for ground in Ground}
    if unknown:
        raise at_field(
            "invalid-input", "reserved_grounds", "name grounds by their codes, lanzarote-20-1-a to -f"
        )
    if asked.jurisdiction and pycountry.countries.get(alpha_2=asked.jurisdiction) is None:
        raise at_field("invalid-input", "jurisdiction", "not an ISO 3166-1 alpha-2 code")
    for canary in asked.canaries:
        if session.get(Subscription, (name, canary)) is None:
            raise at_field("invalid-input", "canaries", "subscribe each canary to the list first")


def _refuse_unsealed(session: Session, organisations: set[str], field: str) -> None:
    """Nobody silently gets files that it cannot open."""
    without = sorted(organisations - identity.with_recipients(session, organisations))
    if without:
        detail = f"the list is sealed: add an age recipient first to {', '.join(without)}"
        raise at_field("recipient-missing", field, detail)


def _existing(session: Session, name: str) -> BlockList:
    found = session.get(BlockList, name)
    if found is None:
        raise at_field("list-unknown", "list", "create the list first")
    return found


def subscribe(session: Session, name: str, organisation_id: str, now: datetime) -> None:
    """Let an internet provider read a list. Doing it again changes nothing. Raises Problem."""
    _existing(session, name)
    if identity.organisation(session, organisation_id).kind is not Kind.ISP:
        raise at_field("invalid-input", "org", "only an isp subscribes to a list")
    if session.get(Subscription, (name, organisation_id)) is None:
        if policy_in_force(session, name).confidentiality is Confidentiality.SEALED:
            _refuse_unsealed(session, {organisation_id}, "org")
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


def policy(session: Session, name: str) -> Policy | None:
    """The policy in force on the list of that name, None without such a list."""
    found = session.execute(_POLICY, {"name": name}).scalar_one_or_none()
    return None if found is None else Policy.recorded(found)


def policies(session: Session) -> dict[str, Policy]:
    """The policy in force on every list, by the list's name."""
    query = select(ListPolicy).join(BlockList, _IN_FORCE)
    return {found.list: Policy.recorded(found.policy) for found in session.exec(query)}


def policy_in_force(session: Session, name: str) -> Policy:
    """The policy of a list there is. Raises NoResultFound."""
    return Policy.recorded(session.execute(_POLICY, {"name": name}).scalar_one())


def policy_at(session: Session, name: str, moment: datetime) -> Policy:
    """The policy that was in force on a list there is at a moment not before its creation."""
    query = (
        select(ListPolicy)
        .where(ListPolicy.list == name, col(ListPolicy.changed_at) <= moment)
        .order_by(col(ListPolicy.version).desc())
        .limit(1)
    )
    return Policy.recorded(session.exec(query).one().policy)


def appeal_days(session: Session, name: str | None) -> tuple[str | None, int]:
    """The list of that name and its days for an appeal; without such a list, the fewest of any."""
    policies = session.exec(select(ListPolicy.list, ListPolicy.policy).join(BlockList, _IN_FORCE))
    days = {found: Policy.recorded(policy).appeal_days for found, policy in policies}
    default: int = Policy.model_fields["appeal_days"].default
    return (name, days[name]) if name in days else (None, min(days.values(), default=default))


def is_subscribed(session: Session, caller: Caller, name: str) -> bool:
    """Whether the caller's organisation subscribes to the list."""
    return session.get(Subscription, (name, caller.organisation_id)) is not None


def subscribers(session: Session, name: str) -> set[str]:
    """Ids of the organisations that subscribe to the list."""
    return set(session.exec(select(Subscription.organisation_id).where(Subscription.list == name)))


def subscriptions(session: Session) -> dict[str, set[str]]:
    """Ids of the organisations that subscribe to each list that any does, by the list's name."""
    found: dict[str, set[str]] = {}
    for name, organisation in session.exec(select(Subscription.list, Subscription.organisation_id)):
        found.setdefault(name, set()).add(organisation)
    return found


def standing_number(session: Session) -> int:
    """Another one after each change that decides who may read which version."""
    return session.exec(select(Standing.number)).one()


def canaries(session: Session, name: str) -> list[str]:
    """Subscribers that get a version first."""
    named = policy_in_force(session, name).canaries
    return [one for one in named if session.get(Subscription, (name, one))]


def visible(session: Session, caller: Caller, name: str) -> BlockList:
    """The list, if the caller may know of it: a provider knows only lists it subscribes to.

    Raises a 404 problem.
    """
    found = session.get(BlockList, name)
    if found is None or (caller.kind is Kind.ISP and not is_subscribed(session, caller, name)):
        raise hidden()
    return found


def readable(session: Session, caller: Caller, name: str) -> BlockList:
    """The list, if the caller may read its entries. Raises a 404 or 403 problem."""
    found = visible(session, caller, name)
    if not is_subscribed(session, caller, name):
        raise unreadable()
    return found


def hidden() -> Problem:
    """The 404 problem of a list that the caller may not know of."""
    return Problem("not-found", "there is no list of this name for you")


def unreadable() -> Problem:
    """The 403 problem of a caller that may know of the list only."""
    return Problem("forbidden", "only subscribed internet providers read a list's entries")


def all_visible(session: Session, caller: Caller) -> list[BlockList]:
    """Every list the caller may know of, by name."""
    query = select(BlockList).order_by(col(BlockList.name))
    if caller.kind is Kind.ISP:
        query = query.join(Subscription).where(Subscription.organisation_id == caller.organisation_id)
    return list(session.exec(query))


def every(session: Session, name: str | None = None) -> list[BlockList]:
    """Every list by name, or the one of that name. Raises Problem when there is no such list."""
    if name:
        return [_existing(session, name)]
    return list(session.exec(select(BlockList).order_by(col(BlockList.name))))


def view(session: Session, found: BlockList) -> ListView:
    """A list in the API's shape."""
    latest = session.exec(
        select(func.max(Snapshot.version)).where(Snapshot.list == found.name, col(Snapshot.is_served))
    ).one()
    knobs = policy_in_force(session, found.name).model_dump(include=set(ListView.model_fields))
    return ListView(**found.model_dump(), **knobs, latest_version=latest)
