"""Whom to tell of an entry, in which turn, and why: the rule stands with the entry (`routed_by`).

The hosting country's partner hotline comes first where there is one, and the provider with or without it as
the list's policy says; then the network. Whoever cannot be told without connecting to the entry's own host is
no contact for it.
"""

from sqlmodel import Session

from app.core.policy import Policy
from app.entries.models import Entry
from app.entries.schemas import RoutedBy
from app.entries.secrets import Opened


def route(session: Session, policy: Policy, entry: Entry, opened: Opened) -> list[RoutedBy]:
    """Turn 0 is law enforcement, where the policy hears it first; turns 1, 2, ... come in that order."""
    return []
