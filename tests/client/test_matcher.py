"""The index in memory answers exactly as the published rule on the canonical form, whatever the spelling."""

import json
import string
import uuid
from itertools import count

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.client.matcher import Match, Matcher, NoAddress
from app.client.store import Damaged
from app.core import url

SCOPES = ("url", "path", "host", "domain")
LABELS = ("a", "b", "www", "xn--bcher-kva", "a_b", "1", "0x7f", "a--b", "example", "test", "co")
SEGMENTS = ("1", "p", "a.b", "%25", "%20x", "ü", "A", "~u", "x;y=1")
PUT: tuple[str, ...] = (
    "\\",
    "\t",
    "\n",
    " ",
    "%",
    "%2e",
    "%2F",
    "%25",
    "#",
    "?",
    "@",
    ":",
    ":80",
    ".",
    "..",
    "//",
    "/./",
)
PUT += ("/../", "%00", "ü", "。", "é", "\x7f", "[", "]", "|", "u:p@", "\ud800", "%68", "A")
_ids = (str(uuid.UUID(int=number)) for number in count())

hosts = st.builds(
    lambda labels, end: ".".join([*labels, end]),
    st.lists(st.sampled_from(LABELS), min_size=0, max_size=5),
    st.sampled_from(("example.test", "b.example.test", "co.example", "test")),
)
paths = st.builds(
    lambda segments, closed: "/" + "/".join(segments) + ("/" if closed and segments else ""),
    st.lists(st.sampled_from(SEGMENTS), max_size=5),
    st.booleans(),
)
queries = st.sampled_from(("", "", "?", "?q=1", "?q=%2F&b", "?a?b"))
plain = st.builds(lambda host, path, query: f"http://{host}{path}{query}", hosts, paths, queries)


def line(address: str, scope: str) -> bytes:
    entry = {"commitment_key": "00" * 32, "entry": next(_ids), "scope": scope, "url": address}
    return json.dumps(entry).encode()


def listed(address: str, scope: str) -> tuple[str, str]:
    canonical = url.canonicalise(address)
    assume(canonical is not None)
    assert canonical
    return canonical, scope


entries = st.lists(st.builds(listed, plain, st.sampled_from(SCOPES)), min_size=1, max_size=12)


@st.composite
def respelt(draw: st.DrawFn) -> str:
    """A plain address with some of what people, programs and attackers do to one."""
    address = draw(plain)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(address)))
        put = draw(st.sampled_from(PUT))
        address = address[:at] + put + address[at + draw(st.integers(0, 1)) :]
    change = draw(st.sampled_from((str, str.upper, str.title, str.strip, lambda one: one.partition("//")[2])))
    return str(change(address))


numeric_hosts = st.sampled_from(
    (
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "2130706433",
        "[::1]",
        "192.0.2.1.",
        "a.0x7f",
        "1.test",
        "[::ffff:c000:201]",
    )
)
odd = st.one_of(
    respelt(),
    st.builds(lambda host, path: f"http://{host}{path}", numeric_hosts, paths),
    st.text(alphabet=string.printable + "ü。％\u00ad", max_size=60).map(lambda rest: f"http://{rest}"),
)


def naive(found: list[tuple[str, str]], address: str | bytes) -> list[tuple[str, str]] | None:
    """(scope, expression) of the entries that cover an address, None when it is none."""
    canonical = url.canonicalise(address)
    if canonical is None:
        return None
    wanted = set(url.covering(canonical))
    every = {(scope, url.expression(one, scope)) for one, scope in found}
    return sorted(wanted & every)


def asked(found: list[tuple[str, str]], address: str | bytes) -> list[tuple[str, str]] | None:
    lines = [line(*one) for one in found]
    by_entry = {json.loads(text)["entry"]: one for text, one in zip(lines, found, strict=True)}
    try:
        matches = Matcher(("l", 3, one) for one in lines).matches(address)
    except NoAddress:
        return None
    assert all(one.list == "l" and one.version == 3 for one in matches)
    answers = [by_entry[one.entry] for one in matches]
    assert [one.scope for one in matches] == sorted((one.scope for one in matches), key=SCOPES.index)
    return sorted({(scope, url.expression(address, scope)) for address, scope in answers})


@settings(max_examples=400, deadline=None)
@given(entries, odd)
def test_any_spelling_is_answered_as_the_rule_says(found: list[tuple[str, str]], address: str) -> None:
    assert asked(found, address) == naive(found, address)


@settings(max_examples=150, deadline=None)
@given(entries, plain)
def test_plain_addresses_are_answered_as_the_rule_says(found: list[tuple[str, str]], address: str) -> None:
    assert asked(found, address) == naive(found, address)


@settings(max_examples=150, deadline=None)
@given(entries, st.data())
def test_a_respelling_of_a_listed_address_is_still_listed(
    found: list[tuple[str, str]], data: st.DataObject
) -> None:
    address, scope = data.draw(st.sampled_from(found))
    spelt = "".join(
        f"%{ord(sign):02x}" if data.draw(st.booleans()) and sign.isalnum() else sign
        for sign in address.split("://", 1)[1]
    )
    answer = asked(found, f"https://{spelt}")
    assert answer == naive(found, f"https://{spelt}")
    assume(url.canonicalise(f"https://{spelt}") == address.replace("http://", "https://"))
    assert answer is not None
    assert (scope, url.expression(address, scope)) in answer


@settings(max_examples=150, deadline=None)
@given(entries, st.one_of(odd, plain))
def test_bytes_are_answered_as_the_rule_says(found: list[tuple[str, str]], address: str) -> None:
    raw = address.encode("utf-8", "surrogatepass")
    assert asked(found, raw) == naive(found, raw)


@settings(max_examples=100, deadline=None)
@given(entries, hosts, st.sampled_from(("", ":443", ":8443", ".", ".:443")))
def test_a_connection_is_covered_by_host_and_domain_entries_only(
    found: list[tuple[str, str]], host: str, end: str
) -> None:
    lines = [line(*one) for one in found]
    wide = [one for one in found if one[1] in ("host", "domain")]
    got = Matcher(("l", 1, one) for one in lines).matches_host(f"{host}{end}")
    assert {one.scope for one in got} == {scope for scope, _ in naive(wide, f"http://{host}/") or []}


def test_narrowest_first_and_every_list() -> None:
    of_lists = [
        ("first", 1, line("http://a.example.test/p/1", "url")),
        ("first", 1, line("http://example.test/", "domain")),
        ("second", 9, line("http://a.example.test/p/1", "url")),
        ("second", 9, line("http://a.example.test/p", "path")),
    ]
    found = Matcher(of_lists).matches("http://A.example.test./p/./1#x")
    assert [(one.list, one.version, one.scope) for one in found] == [
        ("first", 1, "url"),
        ("second", 9, "url"),
        ("second", 9, "path"),
        ("first", 1, "domain"),
    ]
    assert all(isinstance(one, Match) for one in found)


@pytest.mark.parametrize("address", ["", "mailto:a@example.test", "http://", "gopher://a.test/"])
def test_what_is_no_web_address_is_said(address: str) -> None:
    with pytest.raises(NoAddress):
        Matcher([("l", 1, line("http://a.example.test/", "host"))]).matches(address)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"entry":1,"scope":"x","url":"http://a.test/"}', b"{"])
def test_a_line_that_is_no_entry_makes_no_index(text: bytes) -> None:
    with pytest.raises(Damaged):
        Matcher([("l", 1, text)])
