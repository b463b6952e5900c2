"""The link in a notice: whoever was told answers by it, without an account.

A link names its notice and how often that was answered: once used it is no longer that number, so that it
works once. Nothing of it is stored; it is made from a key of the installation. What it is compared with is
compared in constant time.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime

_FORM = re.compile(r"([0-9a-f]{32})\.([0-9]{1,4})\.([0-9]{1,12})\.([0-9a-f]{64})")


@dataclass(frozen=True)
class Link:
    """What a link says: of which notice, after how many answers, and until when."""

    notice_id: str
    answers: int
    expires_at: datetime


def token(key: bytes, link: Link) -> str:
    """The link's last part, ASCII, safe in a path."""
    said = f"{link.notice_id}.{link.answers}.{int(link.expires_at.timestamp())}"
    return f"{said}.{_mac(key, said)}"


def read(key: bytes, text: str) -> Link | None:
    """What a link says that this installation made; None for any other. Whether it is over is not asked."""
    found = _FORM.fullmatch(text)
    if found is None or not hmac.compare_digest(_mac(key, text.rpartition(".")[0]), found[4]):
        return None
    return Link(found[1], int(found[2]), datetime.fromtimestamp(int(found[3]), UTC))


def _mac(key: bytes, said: str) -> str:
    return hmac.new(key, f"wardlist/notice-link/v1\n{said}".encode(), hashlib.sha256).hexdigest()
