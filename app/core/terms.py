"""The closed words that every room uses. Source: design section 2."""

from enum import StrEnum


class Kind(StrEnum):
    """What an organisation is; decides which scopes its clients may hold."""

    HOTLINE = "hotline"
    REVIEW_BODY = "review_body"
    ISP = "isp"
    AUDITOR = "auditor"
    LAW_ENFORCEMENT = "law_enforcement"
    OPERATOR = "operator"


class EntryScope(StrEnum):
    """How much an entry covers, narrowest first."""

    URL = "url"
    PATH = "path"
    HOST = "host"
    DOMAIN = "domain"


class Measure(StrEnum):
    """What an entry asks for."""

    TAKEDOWN = "takedown"
    BLOCKING = "blocking"


class Confidentiality(StrEnum):
    """Whether artefacts that show a URL travel sealed."""

    PLAIN = "plain"
    SEALED = "sealed"


class Format(StrEnum):
    """What a version of a list is written as. `jsonl` is the reference form."""

    JSONL = "jsonl"
    CSV = "csv"
    HASHES = "hashes"
    RPZ = "rpz"
    HOSTS = "hosts"
    UNBOUND = "unbound"
    SQUID = "squid"


class ErasureReason(StrEnum):
    """Why an entry's secret is destroyed."""

    RETENTION = "retention"
    VICTIM_REQUEST = "victim_request"
    SELF_GENERATED = "self_generated"
    COURT_ORDER = "court_order"


class HoldReason(StrEnum):
    """Why law enforcement stays an erasure."""

    INVESTIGATION = "investigation"
    PROSECUTION = "prosecution"
    COURT_ORDER = "court_order"


class Decision(StrEnum):
    """What a reviewer decides."""

    APPROVE = "approve"
    REJECT = "reject"


class ConflictReason(StrEnum):
    """Why two organisations are not independent of each other."""

    SHARED_STAFF = "shared_staff"
    FUNDING = "funding"
    OWNERSHIP = "ownership"
    CONTRACT = "contract"
    OTHER = "other"


class RecheckOutcome(StrEnum):
    """What a hotline found when it looked again."""

    STILL_AVAILABLE = "still_available"
    REMOVED = "removed"
    CHANGED = "changed"
    UNREACHABLE = "unreachable"


class ReceiptOutcome(StrEnum):
    """What became of a version at an internet provider."""

    APPLIED = "applied"
    HELD = "held"
    FAILED = "failed"


class DeliveryOutcome(StrEnum):
    """What became of a message to a webhook."""

    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    GIVEN_UP = "given_up"
    GONE = "gone"
    NOT_ENTITLED = "not_entitled"


class BrakeReason(StrEnum):
    """Why a version is held."""

    ADDITIONS = "additions"
    WITHDRAWALS = "withdrawals"
    PROTECTED_HOST = "protected_host"
    CANARY_FAILED = "canary_failed"


class AppealOutcome(StrEnum):
    """What a review body decides on an appeal."""

    UPHELD = "upheld"
    DENIED = "denied"


class AppealState(StrEnum):
    """What an appellant is told before and after a person decided; nothing in between shows."""

    FILED = "filed"
    DECIDED = "decided"


class OwnershipProof(StrEnum):
    """Where an appellant publishes a token that a person looks for by hand."""

    DNS_TXT = "dns_txt"
    WELL_KNOWN = "well_known"
