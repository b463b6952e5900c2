"""What a process without a web server says of itself: metrics, and whether it lives and is ready."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app import monitoring
from app.cli.output import fail
from app.platform.clock import system_clock
from app.platform.database import Database
from app.platform.listening import Unavailable
from app.platform.probes import serve_metrics
from app.platform.readiness import Check, NotReady, Readiness
from app.platform.settings import Settings


@contextmanager
def monitored(
    place: str | None,
    role: str,
    settings: Settings,
    database: Database,
    is_leading: Callable[[], bool],
    failing: Callable[[], str | None],
) -> Iterator[None]:
    """Answer at `place`, HOST:PORT, until the block ends; nothing without one. `role` as the command's word.

    Ends the command where the place cannot be listened on.
    """
    if place is None:
        yield
        return
    monitoring.count_connections(database)
    checks = monitoring.checks(settings, database, system_clock)
    own = (
        _of_publisher(checks, is_leading, failing)
        if role == "publisher"
        else {"database": checks["database"]}
    )
    try:
        close = serve_metrics(place, monitoring.figures(settings, database, system_clock), Readiness(own))
    except Unavailable as taken:
        fail(str(taken))
    try:
        yield
    finally:
        close()


def _of_publisher(
    checks: dict[str, Check], is_leading: Callable[[], bool], failing: Callable[[], str | None]
) -> dict[str, Check]:
    """A standby is ready to take over; that the files here are in order it sees to then."""

    def if_leading(check: Check) -> Check:
        return lambda: check() if is_leading() else "another process has it"

    def role() -> str:
        if text := failing():
            raise NotReady(text)
        return "leading" if is_leading() else "standing by"

    files = {name: if_leading(checks[name]) for name in ("repository", "log")}
    return {"database": checks["database"], "publisher": role, **files}
