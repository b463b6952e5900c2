"""A parcel as the courier gathers it, on reserved names, and its mail as a reader sees it."""

import json
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from app.core.terms import ContactKind, NoticeKind
from app.platform.settings import Settings
from app.takedown.notices import content as notices
from app.takedown.notices.parcels import Parcel

URL = "https://a.example.test/1?u=http://b.example.test/2"
STATEMENT = "Assessed on site by two analysts.\nSeen at https://a.example.test/1 and on a.example.test again."
MADE_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FIRST, LATER, ENTRY = "a" * 32, "b" * 32, "e" * 32
LINK = "https://wardlist.example/takedown/LINK"
SETTINGS = Settings(mail_from="notices@wardlist.example", issuer="https://wardlist.example")


def parcel(kind: NoticeKind = NoticeKind.NOTICE, **changes: Any) -> Parcel:
    """A parcel of that kind, with what such a one carries; `changes` replace fields."""
    asks = kind in (NoticeKind.NOTICE, NoticeKind.REMINDER)
    is_retraction = kind is NoticeKind.RETRACTION
    members: dict[str, Any] = {
        "id": LATER if kind in (NoticeKind.REMINDER, NoticeKind.RETRACTION) else FIRST,
        "report": FIRST,
        "kind": kind,
        "attempt": 1,
        "made_at": MADE_AT,
        "language": "en",
        "contact_id": "c" * 32,
        "contact_kind": ContactKind.PROVIDER,
        "contact_name": "Example Hosting",
        "address": "abuse@provider.test",
        "link": LINK if asks else None,
        "expires_at": MADE_AT + timedelta(days=14),
        "entry_id": ENTRY,
        "list": "national-url",
        "scope": "url",
        "measures": ("takedown", "blocking"),
        "legal_ground": "lanzarote-20-1-b",
        "material": "lanzarote-20-2-conduct-real",
        "hosting_country": "NL",
        "jurisdiction": "DE",
        "assessed_at": datetime(2025, 12, 31, 23, 0, tzinfo=UTC),
        "removal_due_at": MADE_AT + timedelta(hours=24) if asks else None,
        "url": None if is_retraction else URL,
        "statement": None if is_retraction else STATEMENT,
        "hosting_address": None if is_retraction else "192.0.2.7",
        "held_until": MADE_AT + timedelta(hours=48) if kind is NoticeKind.DECONFLICTION else None,
    }
    return Parcel(**{**members, **changes})


def read(raw: bytes) -> EmailMessage:
    """A mail, parsed. Its line ends are CRLF, and no line is longer than RFC 5322 allows."""
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    assert not found.defects
    return found


def letter(one: Parcel, settings: Settings = SETTINGS) -> EmailMessage:
    """The parcel's mail before it is signed, parsed."""
    return read(notices.letter(one, settings))


def text_of(mail: EmailMessage) -> str:
    """What a person reads."""
    part = mail.get_body(("plain",))
    assert part is not None
    found: str = part.get_content()
    return found.replace("\r\n", "\n")


def fields_of(mail: EmailMessage) -> list[tuple[str, str]]:
    """The fields of the feedback report."""
    (part,) = (one for one in mail.iter_parts() if one.get_content_type() == "message/feedback-report")
    (report,) = part.iter_parts()
    return [(name, str(value)) for name, value in report.items()]


def json_of(mail: EmailMessage) -> dict[str, Any]:
    """The attached document."""
    (part,) = (one for one in mail.iter_parts() if one.get_content_type() == "application/json")
    found: dict[str, Any] = json.loads(part.get_content())
    return found
