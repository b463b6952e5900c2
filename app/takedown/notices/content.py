"""What is sent: a parcel as a signed mail, or as the JSON body of a webhook.

A notice and its reminder are X-ARF mails: `multipart/report; report-type=feedback-report` with the text for
people, `message/feedback-report`, and the report as `application/json` (xarf.py beside this), as "XARF over
email" of XARF 4 has it. That is the form of RFC 5965 with two departures, both
X-ARF's. RFC 5965 reports on a mail and carries it, or its headers, as third part: here no mail is reported
on, and the report stands in its place; `Arrival-Date` and what else is told of that mail are left out. And
`Feedback-Type` is `xarf`, which is not registered with IANA: of the registered types only `other` would fit,
and programs for X-ARF would pass it over, while those for RFC 5965 alone would look for a mail. `X-XARF:
PLAIN` is not set: it announces version 0.2, whose second part is YAML.

The whole address stands where programs read it: once in the feedback report (`Reported-URI`, unless it is
longer than a line may be), once in the JSON. The text has it in a form that nothing follows
(wording.py). No header, and so no mail server's log, has anything of it. A retraction and a
question to law enforcement are no abuse reports: text and JSON without that envelope, and a retraction
without the address.

Two tries of a notice differ in the signature's time only: `Message-ID` and `Date` are the notice's. Addresses
stand alone in `To`: a contact's name is in the text, where it is a line among lines.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC
from email.errors import MessageError
from email.headerregistry import Address
from email.message import MIMEPart
from email.policy import SMTP
from email.utils import format_datetime
from ipaddress import ip_address
from typing import Any

import app
from app.core import url
from app.core.terms import NoticeKind
from app.platform.clock import instant
from app.platform.settings import Settings
from app.takedown.notices import dkim, wording, xarf
from app.takedown.notices.parcels import Parcel

_REPORTS = (NoticeKind.NOTICE, NoticeKind.REMINDER)
_LONGEST_URI = 900
"""Characters, so that its line stays below the 998 of RFC 5322, section 2.1.1."""
_VISIBLE = re.compile(r"[!-~]+")
_MAIL = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,253}")


class Unwritable(ValueError):
    """No mail can be written: an address is missing, or is none. The text never has it."""


def mail(parcel: Parcel, settings: Settings, dkim_key: bytes) -> bytes:
    """The signed mail, with CRLF line ends. Raises Unwritable."""
    domain = _sender(settings).domain
    return dkim.sign(letter(parcel, settings), dkim_key, settings.dkim_selector, domain)


def letter(parcel: Parcel, settings: Settings) -> bytes:
    """The mail before it is signed; the same bytes in every try. Raises Unwritable."""
    text = wording.text(parcel, settings)
    made = MIMEPart(policy=SMTP)
    for name, value in _headers(parcel, settings, text.subject):
        made[name] = value
    report = parcel.kind in _REPORTS
    kind = "report; report-type=feedback-report" if report else "mixed"
    # "=" never stands bare in quoted-printable or base64, nor at the start of a line of the feedback report.
    made["Content-Type"] = f'multipart/{kind}; boundary="=_{parcel.id}"'
    made.attach(_text(text.body, wording.spoken(parcel.language)))
    if report:
        made.attach(_feedback(parcel))
        made.attach(_json("xarf.json", _bytes(xarf.report(parcel, settings))))
    else:
        made.attach(_json("notice.json", body(parcel, settings)))
    return made.as_bytes()


def body(parcel: Parcel, settings: Settings) -> bytes:
    """What a webhook is sent: an event with the XARF report in it; the same bytes in every try.

    `{"type": "takedown.notice", "timestamp", "data": {...}}` as Standard Webhooks has it; `data.xarf` is null
    in a retraction.
    """
    data = {
        "notice": parcel.id,
        "report": parcel.report,
        "entry": parcel.entry_id,
        "list": parcel.list,
        "scope": parcel.scope,
        "measures": list(parcel.measures),
        "legal_ground": parcel.legal_ground,
        "material": parcel.material,
        "jurisdiction": parcel.jurisdiction,
        "removal_due_at": parcel.removal_due_at and instant(parcel.removal_due_at),
        "held_until": parcel.held_until and instant(parcel.held_until),
        "answer_at": parcel.link,
        "answer_until": instant(parcel.expires_at) if parcel.link else None,
        "xarf": xarf.report(parcel, settings) if parcel.url else None,
    }
    event = {"type": f"takedown.{parcel.kind.value}", "timestamp": instant(parcel.made_at), "data": data}
    return _bytes(event)


def _headers(parcel: Parcel, settings: Settings, subject: str) -> Iterator[tuple[str, Any]]:
    sender = _sender(settings)
    yield "From", sender
    yield "To", _address(parcel.address)
    yield "Subject", subject
    yield "Date", format_datetime(parcel.made_at.astimezone(UTC))
    yield "Message-ID", f"<{parcel.id}@{sender.domain}>"
    if parcel.report != parcel.id:
        yield "In-Reply-To", f"<{parcel.report}@{sender.domain}>"
        yield "References", f"<{parcel.report}@{sender.domain}>"
    yield "Auto-Submitted", "auto-generated"
    yield "MIME-Version", "1.0"


def _sender(settings: Settings) -> Address:
    if settings.mail_from is None:
        raise Unwritable("set WARDLIST_MAIL_FROM")
    return _address(settings.mail_from, "wardlist")


def _address(text: str, name: str = "") -> Address:
    if not _MAIL.fullmatch(text):
        raise Unwritable("not a mail address")
    try:
        return Address(name, addr_spec=text)
    except (MessageError, ValueError, IndexError):
        raise Unwritable("not a mail address") from None


def _text(text: str, language: str) -> MIMEPart:
    part = MIMEPart(policy=SMTP)
    part.set_content(text, charset="utf-8", cte="quoted-printable")
    part["Content-Language"] = language
    return part


def _feedback(parcel: Parcel) -> MIMEPart:
    """Fields for programs that know RFC 5965, sections 3.1 to 3.3."""
    address = parcel.url or ""
    fields = ["Feedback-Type: xarf", f"User-Agent: wardlist/{app.__version__}", "Version: 1", "Incidents: 1"]
    if parcel.hosting_address and _is_ip(parcel.hosting_address):
        fields.append(f"Source-IP: {parcel.hosting_address}")
    if len(address) <= _LONGEST_URI and _VISIBLE.fullmatch(address):
        fields += [f"Reported-Domain: {url.host_of(address)}", f"Reported-URI: {address}"]
    part = MIMEPart(policy=SMTP)
    part["Content-Type"] = "message/feedback-report"
    part["Content-Disposition"] = "inline"
    part.set_payload("".join(f"{field}\r\n" for field in fields))
    return part


def _json(name: str, data: bytes) -> MIMEPart:
    part = MIMEPart(policy=SMTP)
    part.set_content(data, "application", "json", cte="base64", filename=name, params={"name": name})
    return part


def _bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
