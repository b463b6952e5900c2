"""Authorities that may read a list's entries as indicators: the operator's word, each a leaf.

Only law enforcement, which a national CERT is registered as here, reads a list so. Without a grant of its own
an organisation does not learn that the list is there.
"""

from datetime import datetime

from sqlmodel import Session, col, select

from app.core.terms import Kind
from app.identity import service as identity
from app.lists import service as lists
from app.lists.models import BlockList, ListReader
from app.log import service as log
from app.platform.problems import at_field


def add(session: Session, name: str, organisation_id: str, now: datetime) -> None:
    """Let an authority read a list. Doing it again changes nothing. Raises Problem."""
    lists.every(session, name)
    if identity.organisation(session, organisation_id).kind is not Kind.LAW_ENFORCEMENT:
        raise at_field("invalid-input", "org", "only law_enforcement reads a list's entries as indicators")
    if session.get(ListReader, (name, organisation_id)) is None:
        session.add(ListReader(list=name, organisation_id=organisation_id, created_at=now))
        session.flush()
        log.append(session, "list.reader_added", now, list=name, organisation=organisation_id)


def remove(session: Session, name: str, organisation_id: str, now: datetime) -> None:
    """Take it back; the list is not there for the authority's next request. Raises Problem."""
    found = session.get(ListReader, (name, organisation_id))
    if found is None:
        raise at_field("invalid-input", "org", "this organisation does not read the list")
    session.delete(found)
    session.flush()
    log.append(session, "list.reader_removed", now, list=name, organisation=organisation_id)


def of_list(session: Session, name: str) -> list[ListReader]:
    """Who may read a list, in the order of their grants. Raises Problem when there is no such list."""
    lists.every(session, name)
    query = select(ListReader).where(ListReader.list == name)
    return list(session.exec(query.order_by(col(ListReader.created_at), col(ListReader.organisation_id))))


def lists_of(session: Session, organisation_id: str) -> list[BlockList]:
    """The lists that an organisation may read, by name."""
    query = select(BlockList).join(ListReader).where(ListReader.organisation_id == organisation_id)
    return list(session.exec(query.order_by(col(BlockList.name))))


def is_read(session: Session, name: str) -> bool:
    """Whether anybody may read the list."""
    return session.exec(select(ListReader.list).where(ListReader.list == name).limit(1)).first() is not None


def names_read(session: Session) -> list[str]:
    """Lists that somebody may read, by name."""
    return list(session.exec(select(ListReader.list).distinct().order_by(col(ListReader.list))))


def beginning(session: Session) -> datetime:
    """When the installation's first list was made. Raises NoResultFound without a list."""
    return session.exec(select(BlockList.created_at).order_by(col(BlockList.created_at)).limit(1)).one()
