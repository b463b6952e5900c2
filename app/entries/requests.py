"""Idempotency-Key: the same request twice does its work once, for 24 hours.

What is kept is a keyed hash of the body and the ids it made, never the body. Source: the IETF
httpapi draft "The Idempotency-Key HTTP Header Field".
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.entries.models import RememberedRequest
from app.platform.problems import Problem

KEPT = timedelta(hours=24)


@dataclass(frozen=True)
class Attempt:
    """A request that carried an Idempotency-Key."""

    client_id: str
    key: str
    body_mac: str


def attempt(client_id: str, key: str | None, address: str, body: bytes, mac_key: bytes) -> Attempt | None:
    """The attempt, or None when no key was sent. Raises a 422 problem for a malformed key."""
    if key is None:
        return None
    if not 1 <= len(key) <= 255 or not all("!" <= letter <= "~" for letter in key):
        detail = "send 1 to 255 visible ASCII characters, a fresh UUID for instance"
        raise Problem("idempotency-key-invalid", detail, [{"field": "Idempotency-Key", "detail": detail}])
    mac = hmac.new(mac_key, address.encode() + b"\n" + body, hashlib.sha256).hexdigest()
    return Attempt(client_id, key, mac)


def recall(session: Session, current: Attempt | None, now: datetime) -> dict[str, Any] | None:
    """What this attempt was answered before, or None. Raises a 422 problem for another body."""
    if current is None:
        return None
    session.execute(sa.delete(RememberedRequest).where(col(RememberedRequest.created_at) < now - KEPT))
    found = session.get(RememberedRequest, (current.client_id, current.key))
    if found is None:
        return None
    if not hmac.compare_digest(found.body_mac, current.body_mac):
        detail = "repeat the request byte for byte, or choose a new key"
        raise Problem("idempotency-key-reused", detail, [{"field": "Idempotency-Key", "detail": detail}])
    return found.answer


def remember(session: Session, current: Attempt | None, answer: dict[str, Any], now: datetime) -> None:
    """Keep the answer in the transaction that did the work."""
    if current:
        session.add(
            RememberedRequest(
                client_id=current.client_id,
                key=current.key,
                body_mac=current.body_mac,
                answer=answer,
                created_at=now,
            )
        )
