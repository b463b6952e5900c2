"""How far one provider is with each list it subscribes to: as coverage says it of all, in as many queries."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from app.distribution import coverage
from app.distribution.schemas import ProviderCoverage
from app.lists import figures as lists
from app.lists.figures import Subscribed


@dataclass(frozen=True)
class Standing:
    """A list, and what the provider's receipts say of it."""

    list: Subscribed
    own: ProviderCoverage

    @property
    def is_held(self) -> bool:
        """Whether the provider did not put in force the newest version it spoke of."""
        said = self.own.last_held_or_failed
        return said is not None and said.version > (self.own.applied_version or 0)


def standings(session: Session, organisation: str, now: datetime) -> list[Standing]:
    """Of every list that the organisation subscribes to, by name."""
    subscribed = lists.subscribed(session, organisation)
    said = coverage.newest_receipts(session, [(one.list, organisation) for one in subscribed])
    has = {one.list: coverage.applied_version(said[one.list, organisation]) for one in subscribed}
    lacks = lists.next_published(session, has.items())
    return [
        Standing(
            one,
            coverage.of_provider(
                (organisation, ""),
                said[one.list, organisation],
                one.version or 0,
                max(lacks.get((one.list, has[one.list]), now), one.since),
                now,
            ),
        )
        for one in subscribed
    ]
