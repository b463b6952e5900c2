"""Months that were closed after the backup: their reports are public, so whoever kept one can give it back.

A report says more than leaves do, and cannot be made again. What is given is held to the digest in the leaf.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from app.audit.report import counting
from app.audit.report.models import Report
from app.backup.forward.state import CannotStep, Forward, Leaf, moment
from app.core import jose, tally
from app.log import stream

_JWS = re.compile(rb"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_LARGEST = 64 << 20


def kept(files: Iterable[Path]) -> dict[str, str]:
    """The signed reports in these files, by the SHA-256 of what was signed. Raises OSError."""
    found = {}
    for path in files:
        with path.open("rb") as file:
            body = file.read(_LARGEST)
        for token in _JWS.findall(body):
            try:
                document = jose.unverified(token.decode())
            except jose.Invalid:
                continue
            found[hashlib.sha256(document).hexdigest()] = token.decode()
    return found


def _published(at: Forward, leaf: Leaf) -> None:
    """The month is closed here too, and the next is counted from this leaf on."""
    period, closed_at = leaf["period"], moment(leaf["at"])
    jws = at.reports.get(leaf["sha256"])
    if jws is None:
        raise CannotStep(
            f"the report of {period} was published after the backup, and cannot be made again: give it as it "
            "was published (--report FILE)"
        )
    while not counting.count(at.session, closed_at):
        pass
    row, progress = stream.newest(at.session), counting.progress(at.session)
    if progress is None or progress.period != period:
        raise CannotStep(f"the report of {period} is not that of the next month to be closed")
    document = jose.unverified(jws)
    at.session.add(
        Report(
            period=period,
            document=document,
            jws=jws,
            sha256=leaf["sha256"],
            leaf_id=row,
            closed_at=closed_at,
        )
    )
    counting.forget(at.session, period)
    progress.period, progress.leaf_id = tally.later(period), row
    at.session.add(progress)


CARRY: dict[str, Callable[[Forward, Leaf], None]] = {"report.published": _published}
"""What this leaf changes in the rows."""
