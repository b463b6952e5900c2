"""Canonical form, expressions and intake: published vectors, refusals and properties."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import url

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "canonicalization_vectors.json").read_text())
CASES = list(enumerate(VECTORS["vectors"]))
SCOPES = ("url", "path", "host", "domain")


@pytest.mark.parametrize("vector", [v for _, v in CASES], ids=[f"vector-{i}" for i, _ in CASES])
def test_published_vector(vector: dict[str, Any]) -> None:
    raw = vector["raw"].encode(vector["raw_encoding"])
    assert url.canonicalise(raw) == vector["canonical"]
    if vector["canonical"]:
        assert url.canonicalise(vector["canonical"]) == vector["canonical"]


def test_there_are_94_vectors() -> None:
    assert len(CASES) == 94


@pytest.mark.parametrize("case", VECTORS["ipv4_hosts"], ids=str)
def test_published_ipv4_spelling(case: dict[str, Any]) -> None:
    assert url.ipv4(case["raw"]) == case["canonical"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    VECTORS["expressions"].items(),
    ids=[f"set-{i}" for i in range(len(VECTORS["expressions"]))],
)
def test_published_expressions(raw: str, expected: list[str]) -> None:
    canonical = url.canonicalise(raw)
    assert canonical
    assert url.expressions(canonical) == expected


REFUSED = {
    "url-not-http": [
        "ftp://a.example.test/",
        "a.example.test/",
        "//a.example.test/",
        "mailto:a@b.test",
        "",
        "https:a.test",
    ],
    "url-userinfo": ["https://u@a.example.test/", "https://u:p@a.example.test/", "https://@a.example.test/"],
    "url-no-host": ["https://", "https:///path", "https://?q", "https://#f", "https://:80/", "https://./"],
    "url-ip-host": [
        "http://192.0.2.1/",
        "http://3221225985/",
        "http://0xc0.0.2.1/",
        "http://0300.0.2.1/",
        "http://192.0.2.1./",
        "http://[2001:db8::1]/",
        "http://[::ffff:192.0.2.1]/",
        "http://%31%39%32.0.2.1/",
        "http://0x10000000b/",
    ],
    "url-single-label": ["http://localhost/", "https://test/", "https://test./"],
    "url-too-long": ["https://a.example.test/" + "a" * 2048, "https://a.example.test/" + "é" * 700],
    "url-control-characters": [
        "https://a.example.test/\n",
        "https://a.example\x00.test/",
        "https://a.example.test/\x7f",
        "\thttps://a.example.test/",
    ],
    "url-public-suffix": ["https://co.uk/", "https://github.io/path", "https://CO.UK./"],
    "url-ambiguous": [
        "https://a%23.example.test/",
        "https://a<b.example.test/",
        "https://a..example.test/",
        "https://a.example.test:99999/",
        "http://192.0.2.1.5.999/",
        f"https://{'a' * 64}.example.test/",
        "https://a.example.test/\ud800",
    ],
}


@pytest.mark.parametrize(
    ("code", "raw"),
    [(code, raw) for code, raws in REFUSED.items() for raw in raws],
    ids=[f"{code}-{i}" for code, raws in REFUSED.items() for i, _ in enumerate(raws)],
)
def test_refusal(code: str, raw: str) -> None:
    with pytest.raises(url.Refused) as refused:
        url.admit(raw)
    assert refused.value.code == code
    assert "example" not in refused.value.advice + str(refused.value)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("  HTTPS://A.Example.TEST:8443/x/../y//z?q#f ", "https://a.example.test/y/z?q"),
        ("http://bücher.example.test", "http://xn--bcher-kva.example.test/"),
        ("http://a.test/%2541", "http://a.test/A"),
        ("http://a.test/a\\b", "http://a.test/a/b"),
        ("http://a_b.example.test/é", "http://a_b.example.test/%C3%A9"),
    ],
    ids=["spelling", "idn", "escapes", "backslash", "bytes"],
)
def test_admitted(raw: str, canonical: str) -> None:
    assert url.admit(raw) == canonical


PIECES = st.sampled_from(
    [
        *"/\\?#@:.%[] -_~!$&'()*+,;=<>^|\"`{}aA0é\t",
        *(
            "%2e",
            "%2E%2E",
            "%2f",
            "%5c",
            "%3f",
            "%23",
            "%25",
            "%40",
            "%3a",
            "%00",
            "%7f",
            "%c3%a9",
            "%ff",
            "%20",
        ),
        *(
            "..",
            "//",
            "a.test",
            "example.test",
            "192.0.2.1",
            "0x7f",
            "017",
            "xn--",
            "xn--bcher-kva",
            "ß",
            "İ",
            "。",
        ),
        *("[2001:db8::1]", "[::ffff:192.0.2.1]", ":80", "http://", "https://", "%68ttp://", "u:p@"),
    ]
)
NASTY = st.builds(
    lambda start, pieces: start + "".join(pieces),
    st.sampled_from(
        ["http://", "https://", "ftp://", "", "http:", "http://a.test/", "http://a.test/?", " http://"]
    ),
    st.lists(PIECES, max_size=14),
)


@settings(max_examples=400, deadline=None)
@given(NASTY | st.text(max_size=40) | st.binary(max_size=40))
def test_canonicalising_twice_changes_nothing(raw: str | bytes) -> None:
    once = url.canonicalise(raw)
    if once is not None:
        assert once.isascii()
        assert once.split("://")[0] in url.SCHEMES
        assert url.canonicalise(once) == once


@settings(max_examples=400, deadline=None)
@given(NASTY | st.text(max_size=40))
def test_intake_refuses_or_gives_a_fixed_point(raw: str) -> None:
    try:
        once = url.admit(raw)
    except url.Refused:
        return
    assert url.admit(once) == once
    assert url.canonicalise(once) == once
    for scope in SCOPES:
        assert (scope, url.expression(once, scope)) in set(url.covering(once))


@settings(max_examples=200, deadline=None)
@given(NASTY)
def test_every_expression_is_a_host_suffix_and_a_path_prefix(raw: str) -> None:
    canonical = url.canonicalise(raw)
    if canonical is None:
        return
    whole = canonical.split("://", 1)[1]
    host = whole.split("/", 1)[0]
    found = url.expressions(canonical)
    assert 1 <= len(found) == len(set(found)) <= 30
    for one in found:
        suffix, _, path = one.partition("/")
        assert host == suffix or host.endswith("." + suffix)
        assert whole[len(host) + 1 :].startswith(path)


def test_what_an_entry_covers() -> None:
    page = url.admit("https://x.a.example.test/one/two/three.html?q=1")
    covered = set(url.covering(page))
    inside = {
        ("url", "x.a.example.test/one/two/three.html?q=1"),
        ("path", "x.a.example.test/one/two/three.html"),
        ("path", "x.a.example.test/one/two"),
        ("path", "x.a.example.test/one/two/"),
        ("path", "x.a.example.test/"),
        ("host", "x.a.example.test"),
        ("domain", "a.example.test"),
        ("domain", "example.test"),
    }
    assert inside <= covered
    outside = {
        ("url", "x.a.example.test/one/two/three.html"),
        ("path", "x.a.example.test/one/tw"),
        ("host", "a.example.test"),
        ("domain", "test"),
    }
    assert not outside & covered
