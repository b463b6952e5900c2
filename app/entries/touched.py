"""Which hosts are never called: those that an entry sits on, or covers.

The service sends messages to addresses that others chose. One on a listed host would be a connection to
what is listed, so it is refused before its name is even looked up. Hosts are compared by keyed fingerprints;
nothing is opened. An address is refused when a message is sent, never when it is registered: an answer then
would tell whoever registers it what is listed. Entries that were rejected, withdrawn or erased do not count.
"""

from collections.abc import Callable

from sqlmodel import Session, col, or_, select

from app.core import url
from app.core.lifecycle import Status
from app.core.terms import EntryScope
from app.entries.admission import fingerprint_of
from app.entries.models import Entry
from app.platform.database import Database

_NO_LONGER = (Status.REJECTED, Status.WITHDRAWN, Status.ERASED)


def guard(database: Database, key: bytes) -> Callable[[str], bool]:
    """Whether a host may be called, as `platform.outgoing` asks it; `key` is that of fingerprints."""

    def may_call(host: str) -> bool:
        with database.reading() as session:
            return not is_touched(session, key, host)

    return may_call


def is_touched(session: Session, key: bytes, host: str) -> bool:
    """Whether an entry sits on the host, or covers it with a name above. What is no host counts as such."""
    address = host if not _is_bare_ipv6(host) else f"[{host}]"
    canonical = url.canonicalise(f"https://{address}/")
    if canonical is None:
        return True
    name = url.host_of(canonical)
    labels = name.split(".")
    above = [] if url.is_ip(name) else [".".join(labels[at:]) for at in range(1, len(labels) - 1)]
    covers = [fingerprint_of(key, EntryScope.DOMAIN, one) for one in above]
    on_it = col(Entry.host_fingerprint) == fingerprint_of(key, EntryScope.HOST, name)
    query = select(Entry.seq).where(
        or_(on_it, col(Entry.fingerprint).in_(covers)), col(Entry.status).not_in(_NO_LONGER)
    )
    return session.exec(query.limit(1)).first() is not None


def _is_bare_ipv6(host: str) -> bool:
    return ":" in host and not host.startswith("[")
