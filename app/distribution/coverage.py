"""Coverage: by its receipts, how far each provider is with a list. Each costs three looks at an index."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from app.core.terms import ReceiptOutcome
from app.distribution import unblocking
from app.distribution.models import Receipt
from app.distribution.schemas import Coverage, Objection, ProviderCoverage, SecondsToUnblock
from app.identity import service as identity
from app.lists import figures as lists
from app.lists import snapshots

_APPLIED = ReceiptOutcome.APPLIED.value
_OBJECTIONS = (ReceiptOutcome.HELD.value, ReceiptOutcome.FAILED.value)


def of_list(
    session: Session, name: str, now: datetime, unblocked: SecondsToUnblock | None = None
) -> Coverage:
    """The figures of a list there is, of its subscribers that are not suspended.

    Most of the work is in the times to unblock: who has them already gives them.
    """
    newest = snapshots.latest(session, name, served=True)
    since = lists.subscribed_since(session, name)
    asked = sorted(set(since) & identity.providers_in_force(session))
    version = newest.version if newest else 0
    providers = _providers(session, name, version, {one: since[one] for one in asked}, now)
    return Coverage(
        list=name,
        newest_version=newest.version if newest else None,
        published_at=newest.published_at if newest else None,
        providers=providers,
        applied_by_percent=_percent(providers) if newest else None,
        seconds_to_unblock=unblocked or unblocking.seconds(session, name, asked, now),
    )


def _percent(providers: list[ProviderCoverage]) -> float | None:
    if not providers:
        return None
    return round(100 * sum(one.versions_behind == 0 for one in providers) / len(providers), 1)


def _providers(
    session: Session, name: str, newest: int, since: dict[str, datetime], now: datetime
) -> list[ProviderCoverage]:
    said = newest_receipts(session, [(name, one) for one in since])
    has = {one: applied_version(said[name, one]) for one in since}
    lacks = lists.next_published(session, {(name, version) for version in has.values()})
    names = identity.providers(session)
    return [
        of_provider(
            (one, names[one]), said[name, one], newest, max(lacks.get((name, has[one]), now), since[one]), now
        )
        for one in since
    ]


def applied_version(said: dict[str, Receipt]) -> int:
    """The newest version that a provider's newest receipts say it applied; 0 for none."""
    return said[_APPLIED].version if _APPLIED in said else 0


def of_provider(
    provider: tuple[str, str],
    said: dict[str, Receipt],
    newest: int,
    lacks_since: datetime,
    now: datetime,
) -> ProviderCoverage:
    """How far a provider (id, name) is with a list by its newest receipts.

    `newest` is the list's newest version, `lacks_since` when the first that the provider lacks was made.
    """
    applied = said.get(_APPLIED)
    last = max(said.values(), key=_order, default=None)
    objected = max((said[one] for one in _OBJECTIONS if one in said), key=_order, default=None)
    behind = max(0, newest - (applied.version if applied else 0))
    return ProviderCoverage(
        organisation=provider[0],
        name=provider[1],
        applied_version=applied.version if applied else None,
        applied_at=applied.applied_at if applied else None,
        outcome=ReceiptOutcome(last.outcome) if last else None,
        versions_behind=behind,
        seconds_behind=max(0, int((now - lacks_since).total_seconds())) if behind else 0,
        last_held_or_failed=Objection.model_validate(objected, from_attributes=True) if objected else None,
    )


def _order(receipt: Receipt) -> tuple[int, int]:
    return receipt.version, receipt.id or 0


def newest_receipts(
    session: Session, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, Receipt]]:
    """By (list, organisation) and outcome the newest receipt, without `applied` ones taken back since."""
    found: dict[tuple[str, str], dict[str, Receipt]] = {pair: {} for pair in pairs}
    if not pairs:
        return found
    columns = sa.column("list", sa.String), sa.column("organisation", sa.String)
    asked = sa.values(*columns, name="asked").data(list(pairs)).cte("asked")
    ids = [_newest(asked, outcome) for outcome in (_APPLIED, *_OBJECTIONS)]
    wanted = [one for row in session.execute(sa.select(*ids).select_from(asked)) for one in row if one]
    for receipt in session.exec(select(Receipt).where(col(Receipt.id).in_(wanted))):
        found[receipt.list, receipt.organisation_id][receipt.outcome] = receipt
    return found


def _newest(asked: sa.CTE, outcome: str) -> sa.ScalarSelect[int]:
    query = sa.select(col(Receipt.id)).where(
        col(Receipt.list) == asked.c.list,
        col(Receipt.organisation_id) == asked.c.organisation,
        col(Receipt.outcome) == outcome,
    )
    if outcome == _APPLIED:
        later = aliased(Receipt)
        query = query.where(
            ~sa.exists().where(
                col(later.list) == asked.c.list,
                col(later.organisation_id) == asked.c.organisation,
                col(later.outcome).in_(_OBJECTIONS),
                col(later.version) == col(Receipt.version),
                col(later.id) > col(Receipt.id),
            )
        )
    newest_first = query.order_by(col(Receipt.version).desc(), col(Receipt.id).desc())
    return newest_first.limit(1).correlate(asked).scalar_subquery()
