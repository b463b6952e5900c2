"""Keyed digests that stand in public places for what must not be seen there.

An entry's commitment key (256 random bits) opens all of them; destroying it at erasure makes
them random. Source: design section 2; RFC 2104 (HMAC), RFC 8785 (canonical JSON).
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import TypedDict

import orjson
import rfc8785

LINE_ENTRY = slice(94, 130)
"""Where the entry's id stands in a canonical line (`list_line`): after the key's 64 digits."""


class Statement(TypedDict):
    """What a reviewer's digest covers, by the field names of the API."""

    canonical_url: str
    hosting_country: str
    legal_ground: str
    list: str
    material: str
    measures: list[str]
    scope: str
    statement: str


def new_key() -> bytes:
    """A fresh commitment key: 32 bytes from the operating system."""
    return secrets.token_bytes(32)


def commitment(key: bytes, *, entry: str, scope: str, url: str) -> str:
    """The entry's public stand-in, 64 hex digits. `url` is canonical, `entry` the entry's id."""
    message = orjson.dumps({"entry": entry, "scope": scope, "url": url}, None, orjson.OPT_SORT_KEYS)
    return _mac(key, "commitment", message)


def digest(key: bytes, statement: Statement) -> str:
    """What a reviewer signs, 64 hex digits: changes when any shown field changes."""
    return _mac(
        key,
        "digest",
        rfc8785.dumps({name: statement[name] for name in Statement.__annotations__}),  # type: ignore[literal-required]
    )


def reason_digest(key: bytes, reason: str) -> str:
    """A decision's reason, keyed, 64 hex digits."""
    return _mac(key, "reason", reason.encode())


def entries_digest(key: bytes, ids: Iterable[str]) -> str:
    """Which entries a denied appeal concerned, keyed, 64 hex digits: the log does not name them."""
    return _mac(key, "entries", rfc8785.dumps(sorted(ids)))


def commitments_sha256(commitments: Iterable[str]) -> str:
    """SHA-256 (hex) over the raw bytes of the commitments, sorted and concatenated."""
    return sorted_commitments_sha256(sorted(bytes.fromhex(value) for value in commitments))


def sorted_commitments_sha256(commitments: Iterable[bytes]) -> str:
    """The same over commitments that come as raw bytes and sorted."""
    whole = hashlib.sha256()
    for raw in commitments:
        whole.update(raw)
    return whole.hexdigest()


def list_line(key: bytes, *, entry: str, scope: str, url: str) -> bytes:
    """One line of `jsonl` without its newline. Source: design section 7.

    Of an object of texts orjson's sorted form is that of RFC 8785, and a version has many lines.
    """
    line = {"commitment_key": key.hex(), "entry": entry, "scope": scope, "url": url}
    # orjson leaves kilobytes of room after each text, and a list keeps a million of them: hence the copy.
    return bytes(memoryview(orjson.dumps(line, None, orjson.OPT_SORT_KEYS)))


def content_sha256(lines: Iterable[bytes]) -> str:
    """SHA-256 (hex) over sorted lines, each ended by a newline. `lines` must come sorted."""
    whole = hashlib.sha256()
    for line in lines:
        whole.update(line)
        whole.update(b"\n")
    return whole.hexdigest()


def _mac(key: bytes, use: str, message: bytes) -> str:
    return hmac.digest(key, f"wardlist/{use}/v1\n".encode() + message, "sha256").hex()
