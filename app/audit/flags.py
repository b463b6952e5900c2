"""Hotlines that are wrong too often: flagged for suspension, which an operator decides, never a program.

Looked at when an upheld appeal ended another listing, and once an hour, for the share also moves with new
listings and another policy. A flag stays until an operator clears it; the appeals of before are then
forgiven. Each flag and each clearing is on the record.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from app.audit.models import OrganisationFlag
from app.entries import figures
from app.lists import service as lists
from app.log import service as log
from app.platform.clock import Clock
from app.platform.database import Database
from app.platform.problems import at_field

EVERY = timedelta(hours=1)
Pair = tuple[str, str]
"""organisation id, list"""


def look(database: Database, clock: Clock) -> int:
    """Flag each hotline whose overturn rate on a list is over the policy's; returns how many were flagged."""
    with database.reading() as session:
        pairs = list(_to_look_at(session, clock()))
    if not pairs:
        return 0
    with database.writing() as session:
        now, counts = clock(), figures.overturned(session)
        return sum(_look_at(session, pair, counts.get(pair, 0), now) for pair in pairs)


def every(session: Session) -> list[OrganisationFlag]:
    """Flags in force, oldest first."""
    query = select(OrganisationFlag).where(col(OrganisationFlag.flagged_at).is_not(None))
    return list(session.exec(query.order_by(col(OrganisationFlag.flagged_at))))


def in_force(session: Session, in_list: str | None) -> dict[str, list[str]]:
    """Lists on which an organisation is flagged, by organisation."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for flag in every(session):
        if in_list in (None, flag.list):
            found[flag.organisation_id].append(flag.list)
    return found


def clear(session: Session, organisation: str, name: str, now: datetime) -> None:
    """An operator dealt with it; only further upheld appeals raise it again. Raises Problem."""
    flag = session.get(OrganisationFlag, (organisation, name))
    if flag is None or flag.flagged_at is None:
        raise at_field("invalid-input", "org", "this organisation is not flagged on this list")
    flag.flagged_at, flag.forgiven = None, figures.overturned(session).get((organisation, name), 0)
    session.add(flag)
    session.flush()
    log.append(session, "organisation.unflagged", now, list=name, organisation=organisation)


def _to_look_at(session: Session, now: datetime) -> Iterable[Pair]:
    seen = {(flag.organisation_id, flag.list): flag for flag in session.exec(select(OrganisationFlag))}
    for pair, overturned in figures.overturned(session).items():
        flag = seen.get(pair)
        if flag is None or (
            flag.flagged_at is None and (flag.overturned != overturned or flag.looked_at <= now - EVERY)
        ):
            yield pair


def _look_at(session: Session, pair: Pair, overturned: int, now: datetime) -> bool:
    organisation, name = pair
    flag = session.get(OrganisationFlag, pair) or OrganisationFlag(
        organisation_id=organisation, list=name, overturned=overturned, looked_at=now
    )
    flag.overturned, flag.looked_at = overturned, now
    is_new = flag.flagged_at is None and overturned > flag.forgiven and _is_over(session, pair, overturned)
    if is_new:
        flag.flagged_at = now
        log.append(session, "organisation.flagged", now, list=name, organisation=organisation)
    session.add(flag)
    return is_new


def _is_over(session: Session, pair: Pair, overturned: int) -> bool:
    policy, listed = lists.policy_in_force(session, pair[1]), figures.listings(session, *pair)
    return listed >= policy.overturn_after and overturned * 100 > listed * policy.overturn_percent
