"""Scopes, and which kinds of organisation may hold them."""

from enum import StrEnum

from app.core.terms import Kind


class Scope(StrEnum):
    """OAuth 2.0 scopes. Source: design section 6."""

    ENTRIES_WRITE = "entries:write"
    ENTRIES_READ = "entries:read"
    REVIEWS_WRITE = "reviews:write"
    LISTS_READ = "lists:read"
    RECEIPTS_WRITE = "receipts:write"
    AUDIT_READ = "audit:read"
    ERASURE_WRITE = "erasure:write"
    HOLDS_WRITE = "holds:write"
    APPEALS_DECIDE = "appeals:decide"
    INDICATORS_READ = "indicators:read"
    ADMIN = "admin"


S = Scope
MAY_HOLD: dict[Kind, frozenset[Scope]] = {
    Kind.HOTLINE: frozenset({S.ENTRIES_WRITE, S.ENTRIES_READ, S.LISTS_READ}),
    Kind.REVIEW_BODY: frozenset({S.REVIEWS_WRITE, S.ENTRIES_READ, S.LISTS_READ, S.APPEALS_DECIDE}),
    Kind.ISP: frozenset({S.LISTS_READ, S.RECEIPTS_WRITE}),
    Kind.AUDITOR: frozenset({S.AUDIT_READ, S.LISTS_READ}),
    Kind.LAW_ENFORCEMENT: frozenset({S.HOLDS_WRITE, S.LISTS_READ, S.INDICATORS_READ}),
    Kind.OPERATOR: frozenset({S.ADMIN, S.LISTS_READ, S.ERASURE_WRITE, S.AUDIT_READ}),
}
"""An operator can neither submit nor review: whoever runs the machine cannot fill the list."""
