"""Mail that comes back: which notice it was, and what becomes of it.

A notice's envelope sender names it, with a code that only this installation can make (a variable envelope
return path), and a mail server returns what it cannot deliver to that address as a delivery status
notification (RFC 3464). Who else writes there is not believed: without the code a returned mail is refused,
and nothing else in it says which notice it was. Of the mail only the action and the enhanced status code (RFC
3463) are kept.

A bounce may come before the courier said that the notice was sent, or after; once it is on record the same
mail changes nothing. Whoever answered by the notice's link has it, whatever comes back.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from enum import StrEnum

from sqlmodel import Session, select

from app.core.terms import NoticeOutcome
from app.platform.problems import Problem
from app.takedown import outbox, service
from app.takedown.models import Notice

LONGEST_BYTES = 10_000_000
_SENT_BACK_TO = ("delivered-to", "x-original-to", "to")
_VERP = re.compile(r"bounce\+([0-9a-f]{32})\.([0-9a-f]{16})@[^@]+", re.IGNORECASE)
_STATUS = re.compile(r"\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
_NESTING = re.compile(rb"multipart/|message/", re.IGNORECASE)
_MOST_NESTED = 50
_LONGEST_HEADER = 2000
"""Characters; no mail server names more than a few recipients in what it returns."""
_UNKNOWN = "5.0.0"
"""Other undefined status (RFC 3463, section 3.1)."""


@dataclass(frozen=True)
class Returned:
    """Which notice came back, and with which status code; None when it did not fail."""

    notice_id: str
    status: str | None


class Effect(StrEnum):
    """What a returned mail did."""

    BOUNCED = "bounced"
    NOTHING = "nothing"


def sender(key: bytes, notice_id: str, mail_from: str) -> str:
    """The envelope sender of a notice, at the domain of its `From`."""
    return f"bounce+{notice_id}.{_code(key, notice_id)}@{mail_from.rpartition('@')[2]}"


def read(raw: bytes, key: bytes, recipient: str | None = None) -> Returned:
    """What a returned mail says. Reading one may take a second: hold no transaction meanwhile.

    `recipient` is whom the mail server delivered it to, else the mail's own headers say. Raises a problem:
    `body-too-large`, or `invalid-input` for what is no delivery status notification, or was not sent back to
    this installation.
    """
    if len(raw) > LONGEST_BYTES:
        raise Problem("body-too-large", f"a returned mail has at most {LONGEST_BYTES} bytes")
    try:
        notice_id = _notice(BytesHeaderParser().parsebytes(raw), key, recipient)
        reported = list(_recipients(message_from_bytes(raw))) if notice_id and _is_flat(raw) else []
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Problem("invalid-input", "the mail cannot be read") from None
    if notice_id is None:
        raise Problem("invalid-input", "the mail was not sent back to an address of this installation")
    if not reported:
        raise Problem("invalid-input", "the mail is no delivery status notification")
    failed = (one for one in reported if _field(one, "action").strip().lower() == "failed")
    return Returned(notice_id, next((_coded(one) for one in failed), None))


def record(session: Session, returned: Returned, now: datetime) -> Effect:
    """Put it on record, and tell the next contact where nobody else of its turn was told.

    A notice that is merely delayed, or that is settled otherwise, stays as it is. Raises the problem
    `not-found` when there is no such notice any more.
    """
    query = select(Notice).where(Notice.id == returned.notice_id).with_for_update()
    notice = session.exec(query.execution_options(populate_existing=True)).first()
    if notice is None:
        raise Problem("not-found", "no such notice is kept")
    has_left = notice.outcome is NoticeOutcome.SENT or (notice.done_at is None and notice.at_risk)
    if returned.status is None or not has_left or notice.answers:
        return Effect.NOTHING
    outbox.settle(session, notice, NoticeOutcome.BOUNCED, now, returned.status)
    service.on_failed(session, notice, now)
    return Effect.BOUNCED


def _is_flat(raw: bytes) -> bool:
    """Whether few parts lie in others: the time to read a mail grows with how deep they lie."""
    return len(_NESTING.findall(raw)) <= _MOST_NESTED


def _notice(found: Message, key: bytes, recipient: str | None) -> str | None:
    """The notice whose envelope sender the mail was sent back to."""
    texts = (
        [recipient] if recipient else [str(one) for name in _SENT_BACK_TO for one in found.get_all(name, [])]
    )
    for _, address in getaddresses([text for text in texts if len(text) <= _LONGEST_HEADER]):
        named = _VERP.fullmatch(address)
        if named and hmac.compare_digest(_code(key, named[1].lower()), named[2].lower()):
            return named[1].lower()
    return None


def _recipients(found: Message) -> Iterator[Message]:
    """The fields of each recipient in the report on the mail itself, not in one that it carries along."""
    if found.get_content_type() != "multipart/report" or not isinstance(parts := found.get_payload(), list):
        return
    for part in parts:
        if isinstance(part, Message) and part.get_content_type() == "message/delivery-status":
            fields = part.get_payload()
            groups = fields if isinstance(fields, list) else []
            yield from (one for one in groups if isinstance(one, Message) and "action" in one)


def _field(fields: Message, name: str) -> str:
    return str(fields.get(name, ""))


def _coded(fields: Message) -> str:
    stated = _STATUS.match(_field(fields, "status"))
    return stated[1] if stated else _UNKNOWN


def _code(key: bytes, notice_id: str) -> str:
    said = f"wardlist/bounce/v1\n{notice_id}".encode()
    return hmac.new(key, said, hashlib.sha256).hexdigest()[:16]
