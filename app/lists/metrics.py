"""Lists as gauges: how old their newest version is, whether one is held, and until when TUF's files hold.

All are small tables, or one look at the end of an index for each list.
"""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import Metric
from sqlmodel import Session, select

from app.lists import brakes, expiry, figures, keys_due, snapshots
from app.lists.fence import PublisherTerm
from app.lists.repository import LIFE, Repository
from app.platform.gauges import gauge, seconds_since
from app.platform.settings import Settings


def of_versions(session: Session, now: datetime) -> Iterable[Metric]:
    """Of each list that has a version for all."""
    found = figures.newest(session).values()
    yield gauge(
        "wardlist_list_version",
        "Number of the newest version that all may have",
        ["list"],
        [((one.list,), one.version) for one in found],
    )
    yield gauge(
        "wardlist_list_version_age_seconds",
        "Seconds since the newest version that all may have was made",
        ["list"],
        [((one.list,), seconds_since(one.published_at, now)) for one in found],
    )
    yield gauge(
        "wardlist_list_entries",
        "Entries of the newest version that all may have",
        ["list"],
        [((one.list,), one.entry_count) for one in found],
    )


def of_brakes(session: Session, now: datetime) -> Iterable[Metric]:
    """Of each list: 1 while a brake waits for somebody's word, and for how long it has been engaged."""
    since = {one.list: one.engaged_at for one in brakes.every_engaged(session) if one.released_at is None}
    names = snapshots.names(session)
    yield gauge(
        "wardlist_brake_engaged",
        "1 while a version of the list is held and waits for its release",
        ["list"],
        [((name,), float(name in since)) for name in names],
    )
    yield gauge(
        "wardlist_brake_engaged_seconds",
        "How long a version of the list has been held, 0 without one",
        ["list"],
        [((name,), seconds_since(since[name], now) if name in since else 0.0) for name in names],
    )


def of_publisher(session: Session, _now: datetime) -> Iterable[Metric]:
    """The newest publisher's term: it grows by one with each process that takes over."""
    term = session.exec(select(PublisherTerm.number)).one()
    yield gauge("wardlist_publisher_term", "Number of the newest publisher's term", (), [((), term)])


def of_keys(settings: Settings, now: datetime) -> Iterable[Metric]:
    """When each key is to be changed, as `wardlist keys status` says; of those renewed by hand, their end.

    What the publisher renews by itself is in `wardlist_tuf_expires_seconds`. Raises as keys_due.
    """
    soonest: dict[str, float] = {}
    for one in keys_due.due(settings):
        ends = one.expires_at if one.role in keys_due.BY_HAND else one.rotate_by
        if ends:
            left = (ends - now).total_seconds()
            soonest[one.role] = min(left, soonest.get(one.role, left))
    yield gauge(
        "wardlist_key_due_seconds",
        "Seconds until a key is to be changed, or renewed by hand; below 0 it was to be",
        ["role"],
        [((role,), left) for role, left in soonest.items()],
    )


class OfRepository:
    """Of the TUF metadata as it lies here for readers."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def __call__(self, now: datetime) -> Iterable[Metric]:
        """Nothing before the first. Raises OSError or tuf's errors where a file cannot be read."""
        if not self._repository.exists:
            return
        roles = expiry.of_roles(self._repository)
        yield gauge(
            "wardlist_tuf_expires_seconds",
            "Seconds until a role's newest metadata runs out; below 0 it has",
            ["role"],
            [((one.role,), (one.expires - now).total_seconds()) for one in roles],
        )
        yield gauge(
            "wardlist_tuf_version",
            "Version of a role's newest metadata",
            ["role"],
            [((one.role,), one.version) for one in roles],
        )
        signed_at = next(one.expires for one in roles if one.role == "timestamp") - LIFE["timestamp"]
        yield gauge(
            "wardlist_tuf_timestamp_age_seconds",
            "Seconds since the timestamp was signed",
            (),
            [((), seconds_since(signed_at, now))],
        )
