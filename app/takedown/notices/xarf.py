"""A notice as an XARF report: category `content`, type `csam`, for the programs of abuse desks.

Follows XARF 4.0.0 and its schemas xarf-core, content-base and content-csam. What stands where:

- `report_id` is made from the id of the first notice, so that a reminder is the same report again.
- `timestamp` and `verified_at` are when analysts saw the material; `url` is the address as it is listed.
- The hotline's statement is the evidence, as text. There is never any content.
- The law is in `tags`: list, scope, legal ground and class of material, in the words of the API.
- `classification` must be `baseline`, A1, A2, B1 or B2, which go by age. wardlist holds no age, and classes
  material by the Lanzarote Convention: each report says `baseline`, and in `description` that this is no age.
"""

import base64
import hashlib
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from app.core import url
from app.platform.clock import instant
from app.platform.settings import Settings
from app.takedown.notices.parcels import Parcel

VERSION = "4.0.0"
DESCRIPTION = (
    "Child sexual abuse material, assessed by analysts of a hotline and confirmed by independent reviewers. "
    "It is classed by the Lanzarote Convention, article 20(2), not by age: 'baseline' stands for illegal "
    "material."
)


def report(parcel: Parcel, settings: Settings) -> dict[str, Any]:
    """The report of a parcel that has a URL, as JSON takes it. The same in every try."""
    if parcel.url is None:
        raise ValueError("a report needs an address")
    host = url.host_of(parcel.url)
    assessed = instant(parcel.assessed_at)
    sender = _sender(parcel.list, settings)
    return {
        "xarf_version": VERSION,
        "report_id": str(UUID(hex=parcel.report, version=4)),
        "timestamp": assessed,
        "reporter": sender,
        "sender": sender,
        "source_identifier": parcel.hosting_address or host,
        "category": "content",
        "type": "csam",
        "classification": "baseline",
        "detection_method": "manual_review",
        "verification_method": "manual",
        "verified_at": assessed,
        "evidence_source": "researcher_analysis",
        "url": parcel.url,
        "domain": host,
        "country_code": parcel.hosting_country,
        **({"hosting_provider": parcel.hosting_provider} if parcel.hosting_provider else {}),
        "description": DESCRIPTION,
        "evidence": [_evidence(parcel.statement)] if parcel.statement else [],
        "tags": [
            f"list:{parcel.list}",
            f"scope:{parcel.scope}",
            f"ground:{parcel.legal_ground}",
            f"material:{parcel.material}",
        ],
    }


def _sender(name: str, settings: Settings) -> dict[str, str]:
    host = urlsplit(settings.address).hostname or "localhost"
    contact = settings.mail_from or f"postmaster@{host}"
    return {"org": f"wardlist, list {name}", "contact": contact, "domain": contact.rpartition("@")[2]}


def _evidence(statement: str) -> dict[str, Any]:
    data = statement.encode()
    return {
        "content_type": "text/plain",
        "description": "The hotline's statement of reasons (UTF-8)",
        "payload": base64.b64encode(data).decode(),
        "hash": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "size": len(data),
    }
