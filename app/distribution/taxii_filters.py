"""What a TAXII request asks for: `added_after`, `limit`, `next` and `match[...]`, and the opaque `next`.

A parameter that cannot be read is a 400 problem. A `match` of a field that TAXII does not define is passed
over. Several values of one field, separated by commas, mean any of them. Source: TAXII 2.1, section 3.4.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.distribution import stix
from app.platform.problems import Problem

MOST = 1000
"""Objects on a page, at most and by default."""
_VALUES = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?[Zz]")
_KEPT = frozenset({"first", "last", "all"})
"""Keywords of match[version]: with one version kept of each object, all mean that one."""


@dataclass(frozen=True)
class Filters:
    """Objects added later than `after`; None of the rest: any. `versions` are moments in milliseconds."""

    after: datetime = _EPOCH
    limit: int = MOST
    ids: frozenset[str] | None = None
    types: frozenset[str] | None = None
    versions: frozenset[datetime] | None = None
    is_none: bool = False
    """Whether a version of STIX is asked for that nothing is in."""

    def admits_type(self, kind: str) -> bool:
        """Whether objects of this type are asked for."""
        return not self.is_none and (self.types is None or kind in self.types)

    def admits(self, object_id: str, version: str) -> bool:
        """Whether an object is asked for, its date of addition apart."""
        is_meant = self.ids is None or object_id in self.ids
        is_version = self.versions is None or version in map(stix.timestamp, self.versions)
        return is_meant and is_version and self.admits_type(object_id.partition("--")[0])


def read(given: Mapping[str, str | None], key: bytes, collection: str) -> Filters:
    """The filters of a request's parameters, by their names in TAXII. Raises a 400 problem."""
    after = _EPOCH
    if (text := given.get("added_after")) is not None:
        after = max(after, _moment("added_after", text))
    if (text := given.get("next")) is not None:
        after = max(after, _place(key, collection, text))
    asked = _values(given, "match[spec_version]")
    return Filters(
        after=after,
        limit=_limit(given.get("limit")),
        ids=_values(given, "match[id]"),
        types=_values(given, "match[type]"),
        versions=_versions(_values(given, "match[version]")),
        is_none=asked is not None and stix.SPEC_VERSION not in asked,
    )


def following(key: bytes, collection: str, last: datetime) -> str:
    """The `next` that leads on after an object added then."""
    place = ((last - _EPOCH) // _MICROSECOND).to_bytes(8, "big")
    return base64.urlsafe_b64encode(place + _mac(key, collection, place)).decode()


def _place(key: bytes, collection: str, text: str) -> datetime:
    try:
        raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise _refused("next") from None
    place, mac = raw[:8], raw[8:]
    is_ours = hmac.compare_digest(mac, _mac(key, collection, place))
    if not is_ours or base64.urlsafe_b64encode(raw).decode() != text:
        raise _refused("next")
    return _EPOCH + int.from_bytes(place, "big") * _MICROSECOND


def _mac(key: bytes, collection: str, place: bytes) -> bytes:
    return hmac.digest(key, b"taxii next\0" + collection.encode() + b"\0" + place, hashlib.sha256)[:16]


def _limit(text: str | None) -> int:
    if text is None:
        return MOST
    if not re.fullmatch("[0-9]{1,18}", text) or int(text) == 0:
        raise _refused("limit")
    return min(int(text), MOST)


def _moment(name: str, text: str) -> datetime:
    if not _TIMESTAMP.fullmatch(text):
        raise _refused(name)
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        raise _refused(name) from None


def _values(given: Mapping[str, str | None], name: str) -> frozenset[str] | None:
    text = given.get(name)
    if text is None:
        return None
    values = frozenset(text.split(","))
    if "" in values or len(values) > _VALUES:
        raise _refused(name)
    return values


def _versions(values: frozenset[str] | None) -> frozenset[datetime] | None:
    moments = {_moment("match[version]", one) for one in (values or frozenset()) - _KEPT}
    if values is None or values & _KEPT:
        return None
    return frozenset(one for one in moments if one.microsecond % 1000 == 0)


def _refused(name: str) -> Problem:
    return Problem("filter-invalid", f"{name} cannot be read; see TAXII 2.1, section 3.4", parameter=name)
