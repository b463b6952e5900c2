"""What a subscriber alone is told: the keys of the hashes, and its own made-up entries.

`subscriber.json` stands beside the installed version. Source: design section 7; app/lists/sealing.py writes
what is in it.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from app.core import age, commitment

LARGEST = 8 * 1024 * 1024
"""Bytes of a subscribers' file that are taken in."""


class Unreadable(Exception):
    """The file is not what it must be, or holds nothing that the identities open. The text says which."""


class MatchKey(NamedTuple):
    """A key (32 bytes) of the hashes, in force from `first_version` until a higher number's."""

    number: int
    key: bytes
    first_version: int


@dataclass(frozen=True)
class Opened:
    """A subscriber's own part. `canary_lines` are canonical and sorted; `match_keys` newest first."""

    in_list: str
    organisation: str
    match_keys: list[MatchKey]
    canary_lines: list[bytes]

    @property
    def digest(self) -> str:
        """Changes with anything that a file would be made from, SHA-256 (hex)."""
        keys = b"".join(one.key + one.first_version.to_bytes(8, "big") for one in self.match_keys)
        return hashlib.sha256(keys + b"\n".join(self.canary_lines)).hexdigest()

    def match_key(self, version: int) -> bytes | None:
        """The key (32 bytes) of a version's hashes."""
        return next((one.key for one in self.match_keys if one.first_version <= version), None)

    def __repr__(self) -> str:
        return f"Opened({self.in_list!r}, {self.organisation!r})"


def read(text: bytes) -> Opened:
    """From the opened form. Raises Unreadable."""
    try:
        found: dict[str, Any] = orjson.loads(text)
        keys = [
            MatchKey(int(one["number"]), bytes.fromhex(one["key"]), int(one["first_version"]))
            for one in found["match_keys"]
        ]
        lines = [
            commitment.list_line(
                bytes.fromhex(one["commitment_key"]), entry=one["entry"], scope=one["scope"], url=one["url"]
            )
            for one in found["canary_entries"]
        ]
        if any(len(one.key) != 32 for one in keys):
            raise Unreadable("a match key has another length than 32 bytes")
        newest_first = sorted(keys, key=lambda one: -one.number)
        return Opened(str(found["list"]), str(found["organisation"]), newest_first, sorted(lines))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unreadable("what is for this subscriber alone cannot be read by this release") from None


def own_part(file: bytes, name: str, identities: Sequence[str]) -> bytes:
    """The opened form of the one part of a list's subscribers' file that the identities open.

    Raises Unreadable.
    """
    try:
        parts = [base64.b64decode(one, validate=True) for one in orjson.loads(file)["subscribers"].values()]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unreadable("the subscribers' file cannot be read by this release") from None
    for part in parts:
        try:
            text = age.unseal_bytes(part, identities)
        except age.Unopened:
            continue
        if read(text).in_list != name:
            raise Unreadable("what is for this subscriber alone is of another list")
        return text
    raise Unreadable("the list's match keys are sealed to none of these identities")
