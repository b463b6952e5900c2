"""STIX 2.1 objects: an entry's stay on a list as an indicator, who made it, and how far it may go.

Rules:
- A pattern says what the entry covers and no more. The scheme plays no part there, in `url` it is that of the
  submission; values are in the canonical form of app/core/url.py.
- A revoked indicator names the entry's id and no address: who comes late does not get what was taken off.
- Everything is TLP:AMBER: for the authority's own work, not to be passed on.

Source: STIX 2.1, sections 3 (common properties, versioning), 4.7 (indicator), 7.2 (markings), 9 (patterning).
Pure functions of what they are given.
"""

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.core import url
from app.core.terms import EntryScope

Object = dict[str, Any]
SPEC_VERSION = "2.1"
TLP_AMBER: Object = {
    "type": "marking-definition",
    "spec_version": SPEC_VERSION,
    "id": "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    "created": "2017-01-20T00:00:00.000Z",
    "definition_type": "tlp",
    "name": "TLP:AMBER",
    "definition": {"tlp": "amber"},
}
"""As the standard gives it, to the letter (section 7.2.1.4)."""
_WILDCARDS = re.compile("[%_]")
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Stay:
    """What an indicator tells. `canonical_url` is never shown by repr."""

    id: str
    entry: str
    list: str
    created_at: datetime
    modified_at: datetime
    valid_until: datetime | None
    labels: tuple[str, ...] = ()
    scope: EntryScope = EntryScope.URL
    canonical_url: str | None = field(default=None, repr=False)
    """None: revoked."""


def timestamp(moment: datetime) -> str:
    """As `created` and `modified` are written: UTC, just three digits (section 3.2)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def identity(namespace: uuid.UUID, address: str, since: datetime) -> Object:
    """The installation at a public address."""
    return {
        "type": "identity",
        "spec_version": SPEC_VERSION,
        "id": f"identity--{uuid.uuid5(namespace, address)}",
        "created": timestamp(since),
        "modified": timestamp(since),
        "name": f"wardlist at {address}",
        "identity_class": "system",
        "object_marking_refs": [TLP_AMBER["id"]],
    }


def indicator(stay: Stay, author: str) -> Object:
    """One version of an indicator; `author` is the identity's id."""
    is_revoked = stay.canonical_url is None
    made: Object = {
        "type": "indicator",
        "spec_version": SPEC_VERSION,
        "id": f"indicator--{stay.id}",
        "created_by_ref": author,
        "created": timestamp(stay.created_at),
        "modified": timestamp(stay.modified_at),
        "name": f"Entry {stay.entry} of {stay.list}",
        "indicator_types": ["malicious-activity"],
        "pattern": withdrawn_pattern(stay.entry)
        if is_revoked
        else pattern(stay.scope, str(stay.canonical_url)),
        "pattern_type": "stix",
        "pattern_version": SPEC_VERSION,
        "valid_from": timestamp(stay.created_at),
        "external_references": [{"source_name": "wardlist", "external_id": stay.entry}],
        "object_marking_refs": [TLP_AMBER["id"]],
    }
    if stay.valid_until:
        made["valid_until"] = timestamp(max(stay.valid_until, stay.created_at + _MILLISECOND))
    if is_revoked:
        made["revoked"] = True
    elif stay.labels:
        made["labels"] = list(stay.labels)
    return made


def labels(scope: str, measures: Iterable[str], ground: str, material: str, country: str) -> tuple[str, ...]:
    """The codes of the API, each after the word for what it is."""
    return (
        f"scope:{scope}",
        *(f"measure:{measure}" for measure in measures),
        f"ground:{ground}",
        f"material:{material}",
        f"hosting-country:{country}",
    )


def pattern(scope: EntryScope, canonical_url: str) -> str:
    """What an entry covers, as a STIX pattern (section 9)."""
    covered = url.expression(canonical_url, scope.value)
    if scope is EntryScope.URL:
        return f"[url:value = {_text(canonical_url)}]"
    if scope is EntryScope.PATH:
        return f"[url:value MATCHES {_text(_below(covered))}]"
    same = f"domain-name:value = {_text(covered)}"
    if scope is EntryScope.HOST:
        return f"[{same}]"
    return f"[{same} OR domain-name:value {_names_below(covered)}]"


def withdrawn_pattern(entry: str) -> str:
    """What stands in the place of an address that was taken off: it matches nothing that is observed."""
    return f"[x-wardlist-entry:id = {_text(entry)}]"


def _below(path: str) -> str:
    """A path of a host and everything below it, whatever the query. LIKE would take its siblings too."""
    rest = ".*" if path.endswith("/") else "(?:[/?].*)?"
    return f"^https?://{_exactly(path)}{rest}$"


def _names_below(name: str) -> str:
    """LIKE has no escape: a name that holds one of its wildcards is told by an expression."""
    if _WILDCARDS.search(name):
        return f"MATCHES {_text('^.+[.]' + _exactly(name) + '$')}"
    return f"LIKE {_text(f'%.{name}')}"


def _exactly(text: str) -> str:
    """An expression (PCRE) that matches just this."""
    return re.sub(r"[^A-Za-z0-9/_~%-]", lambda found: f"\\{found[0]}", text)


def _text(value: str) -> str:
    """A string literal: backslash and quote escaped."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
