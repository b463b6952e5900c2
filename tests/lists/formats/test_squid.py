"""`squid`: a running Squid refuses what is listed and passes what is not."""

from collections.abc import Iterator
from functools import cache

import ada_url
import pytest

from app.core import url
from app.core.terms import EntryScope
from app.lists.formats import squid as form
from tests.lists.formats.hostile import Entry, batch, sheet_of
from tests.programs.squid import ORIGIN, Proxy, folder_for_squid, squid

URL, PATH, HOST, DOMAIN = EntryScope.URL, EntryScope.PATH, EntryScope.HOST, EntryScope.DOMAIN
FIXED: list[Entry] = [
    (URL, "http://a.quiet.test/page.html?a=1&b=2"),
    (URL, "https://a.quiet.test/%20%23x"),
    (URL, "http://a.quiet.test/line%0D%0Aend"),
    (URL, "http://a.quiet.test/nul%00"),
    (URL, "http://a.quiet.test/100%25"),
    (PATH, "https://a.quiet.test/folder"),
    (PATH, "https://a.quiet.test/closed/"),
    (HOST, "http://host.quiet.test/any"),
    (DOMAIN, "http://domain.quiet.test/"),
]
SHARED = ("example.test", "b.example.test", "plain.example.test")
"""Hosts that entries of a page are on; an entry that covers all of one would leave nothing to see."""


@cache
def listed() -> tuple[Entry, ...]:
    """Fixed and hostile entries."""
    return (*FIXED, *(one for one in batch(300) if not _is_whole(*one)))


def _is_whole(scope: EntryScope, canonical: str) -> bool:
    return url.expression(canonical, scope).removesuffix("/") in SHARED and scope is not URL


def text_of(*several: Entry) -> bytes:
    """The file."""
    return b"".join(form.render(sheet_of(several)))


def is_left_out(one: Entry) -> bool:
    """Whether the file says that it is without this entry."""
    return b"left out: 1 entries" in text_of(one)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """Squid that refuses what the file has."""
    with folder_for_squid() as folder:
        file = folder / "list.squid"
        file.write_bytes(text_of(*listed()))
        file.chmod(0o644)
        lines = (f'acl listed url_regex "{file}"', "http_access deny listed")
        with squid(lines, folder) as up:
            yield up


def test_every_line_was_understood(proxy: Proxy) -> None:
    said = (proxy.folder / "cache.log").read_text(errors="replace") + (proxy.folder / "out").read_text()
    assert "ERROR" not in said
    assert "WARNING" not in said


@pytest.mark.parametrize(
    "target",
    [
        "http://a.quiet.test/page.html?a=1&b=2",
        "http://A.QUIET.TEST:8080/page.html?a=1&b=2",
        "http://a.quiet.test./page.html?a=1&b=2",
        "http://a.quiet.test/%20%23x",
        "http://a.quiet.test/line%0d%0aend",
        "http://a.quiet.test/nul%00",
        "http://a.quiet.test/100%25",
        "http://a.quiet.test/folder",
        "http://a.quiet.test/folder?page=2",
        "http://a.quiet.test/folder/below",
        "http://a.quiet.test/closed/below",
        "https://a.quiet.test/closed/",
        "http://host.quiet.test/other",
        "https://domain.quiet.test",
        "http://deep.below.domain.quiet.test:8443/",
    ],
)
def test_what_is_listed_is_refused(proxy: Proxy, target: str) -> None:
    status, body = proxy.ask(target)
    assert status == 403
    assert ORIGIN not in body


@pytest.mark.parametrize(
    "target",
    [
        "http://a.quiet.test/page.html",
        "http://a.quiet.test/page.html?a=1&b=23",
        "http://a.quiet.test/pageXhtml?a=1&b=2",
        "http://a.quiet.test/Page.html?a=1&b=2",
        "http://xa.quiet.test/page.html?a=1&b=2",
        "http://a.quiet.test/%20",
        "http://a.quiet.test/line%20end",
        "http://a.quiet.test/line%0D",
        "http://a.quiet.test/nul",
        "http://a.quiet.test/100",
        "http://a.quiet.test/folders",
        "http://a.quiet.test/closed",
        "http://a.quiet.test/x/folder",
        "http://below.host.quiet.test/",
        "http://xhost.quiet.test/",
        "http://xdomain.quiet.test/",
        "http://domain.quiet.test.example.test/",
        "http://b.quiet.test/?http://domain.quiet.test/",
    ],
)
def test_a_neighbour_of_what_is_listed_passes(proxy: Proxy, target: str) -> None:
    assert proxy.ask(target) == (200, ORIGIN)


@pytest.mark.parametrize(
    ("target", "is_refused"),
    [
        ("host.quiet.test:443", True),
        ("below.domain.quiet.test:443", True),
        ("below.host.quiet.test:443", False),
        ("a.quiet.test:443", False),
    ],
)
def test_a_tunnel_is_refused_where_the_whole_host_is_listed(
    proxy: Proxy, target: str, is_refused: bool
) -> None:
    assert (proxy.ask(target, "CONNECT")[0] == 403) == is_refused


def test_hostile_entries_are_refused_and_what_no_entry_covers_passes(proxy: Proxy) -> None:
    kept = [one for one in listed() if not is_left_out(one)]
    known = {(scope.value, url.expression(canonical, scope)) for scope, canonical in kept}
    for _, canonical in listed():
        plain = "http://" + canonical.split("://", 1)[1]
        for target in {plain, ada_url.URL(plain).href, f"{plain}x", f"{plain}/x"}:
            asked = url.canonicalise(target)
            assert asked is not None
            is_listed = bool(known & set(url.covering(asked)))
            assert (target, proxy.ask(target)[0]) == (target, 403 if is_listed else 200)


def test_a_line_that_squid_would_make_two_of_is_left_out_and_counted() -> None:
    start = len(r"^https?://a\.example\.test(:[0-9]+)?/$")
    fits, longer = (
        (URL, f"http://a.example.test/{'a' * (form.LONGEST_LINE - start + more)}") for more in (0, 1)
    )
    assert max(len(line) for line in text_of(fits).split(b"\n")) == form.LONGEST_LINE
    assert b"left out: 1 entries" in text_of(fits, longer)
    assert text_of(fits, longer).count(b"\n^") == 1


def test_an_escaped_question_mark_is_not_confused_with_a_query() -> None:
    assert is_left_out((URL, "http://a.example.test/a%3Fb"))
    assert is_left_out((PATH, "http://a.example.test/a%3Fb"))
    assert not is_left_out((HOST, "http://a.example.test/a%3Fb"))
    assert not is_left_out((URL, "http://a.example.test/a?b"))
