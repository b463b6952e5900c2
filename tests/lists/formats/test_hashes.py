"""`hashes`: a reader says of each URL what the entries say, and refuses what is not a whole file."""

import hashlib
import hmac
import json
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import rice, url
from app.core.commitment import list_line
from app.core.terms import EntryScope, Format
from app.lists.formats import FORMATS, hashes
from app.lists.formats.hashes import Hashed, Hashes, Malformed, WrongKey
from app.lists.formats.sheet import Sheet, opened
from tests.lists.formats import hash_vectors
from tests.lists.formats.hostile import Entry, entries, sheet_of

KEY = bytes(range(32))
DOCUMENT = (Path(__file__).parents[3] / "docs" / "hashes.md").read_text()
HEADER = 36


def file_of(sheet: Sheet) -> bytes:
    """The whole file."""
    return b"".join(hashes.render(sheet))


def two_to_a_host() -> Sheet:
    """A sheet of which two entries share an expression."""
    listed: list[Entry] = [(EntryScope.HOST, f"{one}://a.example.test/") for one in ("http", "https")]
    return sheet_of([*listed, (EntryScope.DOMAIN, "http://b.example.test/")])


def test_the_vectors_are_what_this_release_writes() -> None:
    assert json.loads(hash_vectors.FILE.read_text()) == hash_vectors.made()


def test_the_document_shows_the_vectors() -> None:
    vectors = json.loads(hash_vectors.FILE.read_text())
    plain = "".join(DOCUMENT.split())
    assert all(f"`{one['hash']}`" in DOCUMENT for one in vectors["entries"])
    assert vectors["key_id"] in plain
    shown = vectors["file"][2 * HEADER :]
    assert all(shown[at : at + 8] in DOCUMENT for at in range(0, len(shown), 8))
    assert " ".join(vectors["rice"]["coded"][at : at + 2] for at in (0, 2, 4)) in DOCUMENT


@given(entries())
def test_a_hash_is_the_documented_hmac_of_the_expression(one: Entry) -> None:
    scope, canonical = one
    message = f"wardlist/match/v1\n{scope.value}\n{url.expression(canonical, scope)}".encode()
    expected = hmac.new(KEY, message, hashlib.sha256).digest()[:16]
    (line,) = sheet_of([one]).lines
    assert hashes.of_lines(KEY, [line]) == [expected] == [hashes.value(KEY, scope, opened(line)[1].decode())]


@settings(max_examples=40)
@given(st.lists(entries(), max_size=12), entries())
def test_a_url_is_found_when_an_entry_covers_it_and_only_then(listed: list[Entry], asked: Entry) -> None:
    found = Hashes.read(file_of(sheet_of(listed)))
    known = {(scope.value, url.expression(canonical, scope)) for scope, canonical in listed}
    for canonical in (asked[1], *(one for _, one in listed)):
        assert found.covers(KEY, canonical) == bool(known & set(url.covering(canonical)))


def test_entries_that_share_an_expression_are_one_hash() -> None:
    found = Hashes.read(file_of(two_to_a_host()))
    assert (len(found), found.version, found.key_id) == (2, 7, hashes.key_id(KEY))
    assert hashes.value(KEY, "host", "a.example.test") in found
    assert hashes.value(KEY, "host", "b.example.test") not in found


def test_hashes_of_another_match_key_are_not_asked() -> None:
    found = Hashes.read(file_of(two_to_a_host()))
    with pytest.raises(WrongKey):
        found.covers(bytes(32), "http://a.example.test/")


def test_the_file_shows_no_address_and_is_not_sealed() -> None:
    assert b"example" not in file_of(two_to_a_host())
    assert [one for one, form in FORMATS.items() if not form.is_open] == [Format.HASHES]


def test_every_changed_byte_is_refused_or_another_file() -> None:
    good = file_of(two_to_a_host())
    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ 0x41]) + good[at + 1 :]
        try:
            found = Hashes.read(bad)
        except Malformed:
            continue
        assert (found.version, found.key_id, at >= HEADER) != (7, hashes.key_id(KEY), False)


@given(st.binary(max_size=200))
def test_no_bytes_after_a_true_header_make_the_reader_fail_otherwise(rest: bytes) -> None:
    try:
        found = Hashes.read(file_of(two_to_a_host())[:HEADER] + rest)
    except Malformed:
        return
    assert len(found) == 2


@pytest.mark.parametrize(
    ("at", "byte", "why"),
    [
        (0, 0, "no file of hashes"),
        (8, 2, "version 1"),
        (11, 64, "128 bits"),
        (9, 3, "parameter"),
        (12, 1, "parameter"),
    ],
)
def test_a_header_of_another_kind_is_refused(at: int, byte: int, why: str) -> None:
    good = file_of(two_to_a_host())
    with pytest.raises(Malformed, match=why):
        Hashes.read(good[:at] + bytes([byte]) + good[at + 1 :])


def test_a_cut_file_is_refused() -> None:
    good = file_of(two_to_a_host())
    for end in range(len(good)):
        with pytest.raises(Malformed):
            Hashes.read(good[:end])


def numbered(numbers: set[int]) -> list[bytes]:
    """Lines of which each two share an expression."""
    return [
        list_line(
            bytes(32), entry=str(uuid.UUID(int=n, version=4)), scope="url", url=f"http://a.test/{n // 2}"
        )
        for n in sorted(numbers)
    ]


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_changed_hashes_are_those_made_anew(before: set[int], after: set[int]) -> None:
    hashed = Hashed(KEY, numbered(before))
    hashed.change(numbered(after - before), numbered(before - after))
    assert hashed.values == Hashed(KEY, numbered(after)).values
    ready, anew = (Sheet("l", 1, numbered(after), KEY, hashes=one) for one in (hashed.values, None))
    assert file_of(ready) == file_of(anew)


def test_ten_thousand_hashes_take_hardly_more_than_the_limit() -> None:
    lines = numbered(set(range(20_000)))
    size = len(file_of(Sheet("l", 1, lines, KEY)))
    assert size <= HEADER + 14.53 * 10_000
    assert rice.parameter(10_000, 128) == 114
