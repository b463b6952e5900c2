"""A list's protected hosts and shared suffixes: reading them, and replacing them as a whole.

The public log learns how many there are, never which: a host name stands in no leaf.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core import url
from app.core.collateral import SHARED, Protection
from app.lists.models import ProtectedHost
from app.log import service as log
from app.platform.problems import FieldError, Problem


def of(session: Session, name: str) -> Protection:
    """What the list protects now."""
    rows = session.exec(select(ProtectedHost).where(ProtectedHost.list == name)).all()
    return Protection(
        frozenset(row.host for row in rows if not row.is_shared),
        frozenset(row.host for row in rows if row.is_shared),
    )


def names(session: Session, name: str) -> list[str]:
    """The same as it was given, sorted."""
    protection = of(session, name)
    return sorted([*protection.hosts, *(SHARED + host for host in protection.shared)])


def replace(session: Session, name: str, given: Sequence[str], now: datetime) -> Protection:
    """Put these hosts in the place of all before. Raises a 422 problem that names each unusable line."""
    hosts: dict[str, bool] = {}
    faults: list[FieldError] = []
    for index, line in enumerate(given):
        is_shared = line.startswith(SHARED)
        host = _host(line.removeprefix(SHARED))
        if host is None:
            detail = "write a host name, or *. and a suffix"
            faults.append({"field": "hosts", "index": index, "detail": detail, "code": "invalid-input"})
        else:
            hosts[host] = is_shared
    if faults:
        raise Problem("invalid-input", "nothing was changed; see errors", faults[:100])
    session.execute(sa.delete(ProtectedHost).where(col(ProtectedHost.list) == name))
    if hosts:
        rows = [{"list": name, "host": host, "is_shared": shared} for host, shared in hosts.items()]
        session.execute(sa.insert(ProtectedHost), rows)
    log.append(session, "list.protected", now, list=name, hosts=len(hosts))
    return of(session, name)


def _host(text: str) -> str | None:
    host = url.named_host(text)
    return host if host and "." in host else None
