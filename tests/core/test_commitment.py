"""Keyed digests, recomputed here by the letter of the design."""

import hashlib
import hmac
import json

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.core import commitment as c

KEY = bytes(range(32))
SHOWN: c.Statement = {
    "canonical_url": "https://a.example.test/1",
    "hosting_country": "NL",
    "legal_ground": "lanzarote-20-1-b",
    "list": "national-url",
    "material": "lanzarote-20-2-conduct-real",
    "measures": ["takedown", "blocking"],
    "scope": "url",
    "statement": "Seen by two analysts, é.",
}


def plain(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_commitment_follows_the_letter() -> None:
    body = plain({"entry": "e1", "scope": "url", "url": "https://a.example.test/1"})
    expected = hmac.new(KEY, b"wardlist/commitment/v1\n" + body, hashlib.sha256).hexdigest()
    assert c.commitment(KEY, entry="e1", scope="url", url="https://a.example.test/1") == expected


def test_digest_follows_the_letter() -> None:
    expected = hmac.new(KEY, b"wardlist/digest/v1\n" + plain(dict(SHOWN)), hashlib.sha256).hexdigest()
    assert c.digest(KEY, SHOWN) == expected


def test_reason_digest_follows_the_letter() -> None:
    expected = hmac.new(KEY, b"wardlist/reason/v1\n" + "né".encode(), hashlib.sha256).hexdigest()
    assert c.reason_digest(KEY, "né") == expected


def test_digest_changes_with_every_shown_field() -> None:
    seen = {c.digest(KEY, SHOWN)}
    for name in SHOWN:
        changed = {**SHOWN, name: ["takedown"] if name == "measures" else "other"}
        seen.add(c.digest(KEY, changed))  # type: ignore[arg-type]
    assert len(seen) == len(SHOWN) + 1


@given(st.lists(st.binary(min_size=32, max_size=32)), st.randoms())
def test_commitments_sha256_ignores_order(values: list[bytes], random: object) -> None:
    expected = hashlib.sha256(b"".join(sorted(values))).hexdigest()
    shuffled = [value.hex() for value in values]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert c.commitments_sha256(shuffled) == expected


@given(st.text(), st.text(), st.text())
def test_a_line_is_in_rfc_8785_form(entry: str, scope: str, url: str) -> None:
    fields = {"commitment_key": KEY.hex(), "entry": entry, "scope": scope, "url": url}
    assert c.list_line(KEY, entry=entry, scope=scope, url=url) == rfc8785.dumps(fields)


def test_content_sha256_ends_every_line() -> None:
    lines = sorted(
        c.list_line(KEY, entry=str(n), scope="url", url="https://a.example.test/") for n in range(3)
    )
    assert c.content_sha256(lines) == hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
    assert len(c.new_key()) == 32
    assert c.new_key() != c.new_key()
