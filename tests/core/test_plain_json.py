"""JSON held to limits: what passes, what does not, and that refusing costs no time and no stack."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import plain_json
from app.core.plain_json import Limits, NotJson, TooComplex

SMALL = Limits(depth=3, values=6, string=5, digits=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None)
@given(VALUES, st.booleans())
def test_what_is_plain_is_read_as_it_is(value: Any, is_ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return
    assert plain_json.loads(data, Limits(depth=100)) == value


@pytest.mark.parametrize(
    "text",
    [
        "[[[1]]]",
        '{"a":{"b":[1]}}',
        "[1,2,3,4]",
        '"abcd"',
        '"\\"[[["',
        "999",
        '["]]]]"]',
        " [1 ] ",
        "[[],[],[]]",
    ],
)
def test_what_is_at_the_limit_passes(text: str) -> None:
    assert plain_json.loads(text.encode(), SMALL) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "[[[[1]]]]",
        '{"a":{"b":[[1]]}}',
        "[1,2,3,4,5,6,7]",
        "[[],[],[],[],[]]",
        '"abcdef"',
        '{"abcdef":1}',
        '"\\u0061"',
        "1000",
        "-100",
        "1.25",
        '["\\"",[[[]]]]',
    ],
)
def test_what_is_past_a_limit_does_not(text: str) -> None:
    with pytest.raises(TooComplex):
        plain_json.loads(text.encode(), SMALL)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1,]",
        b"nul",
        b'"abc',
        b'"abc\\',
        b"[]]",
        b"]]]]]]",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'[{"b":{"c":1,"c":2}}]',
        b'"\xff"',
        b"\xff\xfe[\0]\0",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32"),
        b"\xef\xbb\xbf{}",
        b'"\0"',
    ],
)
def test_what_is_no_plain_json_is_refused(data: bytes) -> None:
    with pytest.raises(NotJson):
        plain_json.loads(data)


def test_a_number_beyond_a_double_is_refused() -> None:
    with pytest.raises(TooComplex):
        plain_json.loads(b"[1e999]")


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 8_000_000,
        b'{"a":' * 1_600_000,
        b"[]" * 4_000_000,
        b"[]," * 2_600_000,
        b'"' * 8_000_000,
        b'"' + b'\\"' * 4_000_000,
        b'"\\' * 4_000_000,
        b"," * 8_000_000,
        b"9" * 8_000_000,
        b'["' + b"a" * 7_999_990 + b'"]',
        b"{" + b'"a":1,' * 1_300_000 + b'"a":1}',
    ],
    ids=lambda data: data[:8].decode(),
)
def test_eight_megabytes_of_malice_are_refused_within_a_second_of_work(data: bytes) -> None:
    """In time of this processor, of which the longest takes a tenth of a second when it is alone."""
    began = time.process_time()
    with pytest.raises(plain_json.Refused):
        plain_json.loads(data)
    assert time.process_time() - began < 5
