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


class ContactKind(StrEnum):
    """Who can be told of what is hosted somewhere."""

    PARTNER_HOTLINE = "partner_hotline"
    PROVIDER = "provider"
    NETWORK = "network"
    LAW_ENFORCEMENT = "law_enforcement"


class ProviderClass(StrEnum):
    """What a provider does for the material, for the figures."""

    HOSTING = "hosting"
    PLATFORM = "platform"
    CDN = "cdn"
    REGISTRAR = "registrar"
    ACCESS = "access"
    OTHER = "other"


class Channel(StrEnum):
    """How somebody is told. `own`: a hotline did it by its own means."""

    MAIL = "mail"
    WEBHOOK = "webhook"
    PEER = "peer"
    OWN = "own"


class NoticeKind(StrEnum):
    """What a notice is for. A `deconfliction` goes to law enforcement, before anybody else is told."""

    NOTICE = "notice"
    REMINDER = "reminder"
    RETRACTION = "retraction"
    DECONFLICTION = "deconfliction"


class NoticeOutcome(StrEnum):
    """What became of a notice."""

    SENT = "sent"
    FAILED = "failed"
    BOUNCED = "bounced"
    CANCELLED = "cancelled"


class MessageType(StrEnum):
    """What peers tell each other."""

    REFERRAL = "referral"
    ACKNOWLEDGEMENT = "acknowledgement"
    OUTCOME = "outcome"
    RETRACTION = "retraction"


class Rule(StrEnum):
    """Why a notice goes where it goes."""

    PARTNER_OF_COUNTRY = "partner_of_country"
    PROVIDER_BY_NAME = "provider_by_name"
    PROVIDER_BY_HOST = "provider_by_host"
    NETWORK_BY_ADDRESS = "network_by_address"
    LAW_ENFORCEMENT_FIRST = "law_enforcement_first"


class ProviderNotices(StrEnum):
    """When a provider abroad is told, besides or in the place of its country's partner hotline."""

    NEVER = "never"
    WITHOUT_PARTNER = "without_partner"
    ALWAYS = "always"


class Excuse(StrEnum):
    """Why no notice is possible."""

    NO_CONTACT = "no_contact"
    HOSTILE_HOST = "hostile_host"
    LAW_ENFORCEMENT_HOLD = "law_enforcement_hold"
    HIDDEN_SERVICE = "hidden_service"


class Deconfliction(StrEnum):
    """Why notices wait for law enforcement."""

    DECONFLICTION = "deconfliction"
    INVESTIGATION = "investigation"
    VICTIM_IDENTIFICATION = "victim_identification"


class AnsweredBy(StrEnum):
    """Who says how a takedown stands. `service`: its own clock."""

    PROVIDER = "provider"
    HOTLINE = "hotline"
    PEER = "peer"
    SERVICE = "service"


class ProviderAnswer(StrEnum):
    """What whoever was told may say by the link in its notice."""

    ACKNOWLEDGED = "acknowledged"
    REMOVED = "removed"
    REFUSED = "refused"


class TakedownReport(StrEnum):
    """What a hotline may say of a takedown."""

    NOTIFIED = "notified"
    ACKNOWLEDGED = "acknowledged"
    REMOVED = "removed"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    STILL_AVAILABLE = "still_available"
    NO_NOTICE = "no_notice"


class RefusalReason(StrEnum):
    """Why somebody who was told does not remove."""

    NOT_FOUND = "not_found"
    NOT_HOSTED_HERE = "not_hosted_here"
    NOT_ILLEGAL_HERE = "not_illegal_here"
    REJECTED_IN_REVIEW = "rejected_in_review"
    NOT_ACCEPTED = "not_accepted"
    OTHER = "other"


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
    """What an appellant is told: filed, decided, or that nobody decided; nothing in between shows."""

    FILED = "filed"
    DECIDED = "decided"
    LAPSED = "lapsed"
    """Nobody decided, and what was written is destroyed; what had left its list stays off."""


class OwnershipProof(StrEnum):
    """Where an appellant publishes a token that a person looks for by hand."""

    DNS_TXT = "dns_txt"
    WELL_KNOWN = "well_known"
