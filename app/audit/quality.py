"""Quality figures per hotline and review body: how often they were wrong, how long they took, who agrees.

Organisations stand by id and kind only. A rate needs five cases: below that it says more about one case than
about an organisation. Everything is counted in one pass over rows that other rooms give.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from app.audit import flags
from app.audit.schemas import HotlineQuality, QualityView, ReviewBodyQuality
from app.core.lifecycle import DelistReason, Status
from app.core.percentile import nearest_rank
from app.core.policy import Policy
from app.core.terms import Decision, Kind
from app.entries import figures as entries
from app.entries.figures import Outcome
from app.lists import service as lists
from app.platform.problems import at_field
from app.reviews import figures as reviews
from app.reviews.figures import Opinion, Vote

FEWEST = 5
"""Cases below which there is no rate."""


@dataclass(frozen=True)
class Asked:
    """Which entries to count: of one list or all, submitted in that time (`until` not included)."""

    list: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass
class _Hotline:
    submitted: int = 0
    approved: int = 0
    rejected: int = 0
    listed: int = 0
    overturned: int = 0
    stale: int = 0
    seconds: list[int] = field(default_factory=list)


@dataclass
class _Body:
    decisions: int = 0
    approvals: int = 0
    overturned: int = 0
    opinions_given: int = 0
    opinions_asked: int = 0
    answered: int = 0
    agreeing: int = 0
    seconds: list[int] = field(default_factory=list)


Votes = dict[tuple[str, Decision], list[Vote]]
"""Votes by entry and decision."""


def view(session: Session, asked: Asked) -> QualityView:
    """The figures. Raises a 422 problem for an unknown list or an empty time."""
    if asked.list and lists.policy(session, asked.list) is None:
        raise at_field("list-unknown", "list", "GET /v1/lists names the lists there are")
    if asked.since and asked.until and asked.since >= asked.until:
        raise at_field("invalid-input", "to", "it must lie after `from`")
    found = {one.entry: one for one in entries.outcomes(session, asked.list, asked.since, asked.until)}
    cast = [vote for vote in reviews.votes(session, asked.since) if vote.entry in found]
    opinions = [one for one in reviews.opinions(session, asked.since) if one.entry in found]
    votes = _by_decision(cast)
    policies = {name: lists.policy_in_force(session, name) for name in {one.list for one in found.values()}}
    flagged = flags.in_force(session, asked.list)
    hotlines, bodies = _hotlines(found.values(), votes, policies), _bodies(found, cast, votes, opinions)
    return QualityView(
        list=asked.list,
        since=asked.since,
        until=asked.until,
        hotlines=[
            _hotline_view(one, hotlines[one], flagged.get(one, []))
            for one in sorted(hotlines.keys() | flagged.keys())
        ],
        review_bodies=[_body_view(one, bodies[one]) for one in sorted(bodies)],
    )


def _by_decision(cast: Iterable[Vote]) -> Votes:
    votes: Votes = defaultdict(list)
    for vote in cast:
        votes[vote.entry, vote.decision].append(vote)
    return votes


def _hotlines(
    found: Iterable[Outcome], votes: Votes, policies: Mapping[str, Policy]
) -> defaultdict[str, _Hotline]:
    tallies: defaultdict[str, _Hotline] = defaultdict(_Hotline)
    for one in found:
        tally, verdict = tallies[one.organisation], _verdict(one, votes, policies[one.list])
        tally.submitted += 1
        tally.approved += verdict is Decision.APPROVE
        tally.rejected += verdict is Decision.REJECT
        if verdict and (decisive := votes.get((one.entry, verdict))):
            decided_at = max(vote.at for vote in decisive)
            tally.seconds.append(round((decided_at - one.submitted_at).total_seconds()))
        if one.was_listed:
            tally.listed += 1
            tally.overturned += one.is_overturned
            tally.stale += one.delist_reason is DelistReason.NOT_REAFFIRMED
    return tallies


def _verdict(one: Outcome, votes: Votes, policy: Policy) -> Decision | None:
    """What was decided on an entry. An erased one that never was approved was rejected, or withdrawn."""
    if one.status is Status.REJECTED:
        return Decision.REJECT
    if one.was_approved and one.status is not Status.SUBMITTED:
        return Decision.APPROVE
    rejections = len(votes.get((one.entry, Decision.REJECT), ()))
    is_rejected = one.status is Status.ERASED and rejections >= policy.needed(one.scope, one.is_protected)
    return Decision.REJECT if is_rejected else None


def _bodies(
    found: Mapping[str, Outcome], cast: Iterable[Vote], votes: Votes, opinions: Iterable[Opinion]
) -> dict[str, _Body]:
    tallies: defaultdict[str, _Body] = defaultdict(_Body)
    for vote in cast:
        tally, entry = tallies[vote.organisation], found[vote.entry]
        tally.decisions += 1
        tally.seconds.append(round((vote.at - entry.submitted_at).total_seconds()))
        if vote.decision is Decision.APPROVE:
            tally.approvals += 1
            tally.overturned += entry.is_overturned
    for opinion in opinions:
        if opinion.organisation:
            tallies[opinion.organisation].opinions_given += 1
        for vote in votes.get((opinion.entry, opinion.first), ()):
            tally = tallies[vote.organisation]
            tally.opinions_asked += 1
            tally.answered += opinion.decision is not None
            tally.agreeing += opinion.decision is opinion.first
    return tallies


def _hotline_view(organisation: str, tally: _Hotline, flagged_on: list[str]) -> HotlineQuality:
    return HotlineQuality(
        organisation=organisation,
        kind=Kind.HOTLINE,
        submitted=tally.submitted,
        approved=tally.approved,
        rejected=tally.rejected,
        listed=tally.listed,
        overturned=tally.overturned,
        overturn_rate=_share(tally.overturned, tally.listed),
        stale=tally.stale,
        stale_share=_share(tally.stale, tally.listed),
        decision_seconds_median=_median(tally.seconds),
        decision_seconds_p90=nearest_rank(tally.seconds, 90),
        flagged=bool(flagged_on),
        flagged_on=flagged_on,
    )


def _body_view(organisation: str, tally: _Body) -> ReviewBodyQuality:
    return ReviewBodyQuality(
        organisation=organisation,
        kind=Kind.REVIEW_BODY,
        decisions=tally.decisions,
        approvals=tally.approvals,
        overturned=tally.overturned,
        overturn_rate=_share(tally.overturned, tally.approvals),
        decision_seconds_median=_median(tally.seconds),
        decision_seconds_p90=nearest_rank(tally.seconds, 90),
        opinions_given=tally.opinions_given,
        opinions_asked=tally.opinions_asked,
        opinions_answered=tally.answered,
        agreement_share=_share(tally.agreeing, tally.answered),
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole >= FEWEST else None


def _median(seconds: list[int]) -> int | None:
    return round(statistics.median(seconds)) if seconds else None
