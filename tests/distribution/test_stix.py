"""What an entry covers, as STIX patterns: just that, whatever characters it holds."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st

from app.core import url
from app.core.terms import EntryScope
from app.distribution import stix

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
AUTHOR = stix.identity(uuid.UUID(int=1), "https://wardlist.example", NOW)


def stay(scope: EntryScope, address: str | None, **changes: object) -> stix.Stay:
    whole = {
        "id": str(uuid.uuid5(uuid.UUID(int=2), "e/1")),
        "entry": "e",
        "list": "national-url",
        "created_at": NOW,
        "modified_at": NOW,
        "valid_until": NOW + timedelta(days=30),
        "labels": stix.labels("url", ["takedown", "blocking"], "g", "m", "NL"),
        "scope": scope,
        "canonical_url": address,
    }
    return stix.Stay(**{**whole, **changes})  # type: ignore[arg-type]


def literals(pattern: str) -> list[str]:
    """The string literals of a pattern, without their escapes."""
    found = re.findall(r"'((?:[^'\\]|\\.)*)'", pattern)
    return [re.sub(r"\\(.)", r"\1", one) for one in found]


@pytest.mark.parametrize(
    ("scope", "address", "pattern"),
    [
        ("url", "https://a.example.test/1?x=%27", "[url:value = 'https://a.example.test/1?x=%27']"),
        ("host", "https://a.example.test/1", "[domain-name:value = 'a.example.test']"),
        (
            "domain",
            "https://a.example.test/1",
            "[domain-name:value = 'a.example.test' OR domain-name:value LIKE '%.a.example.test']",
        ),
        (
            "domain",
            "https://a_b.example.test/",
            r"[domain-name:value = 'a_b.example.test'"
            r" OR domain-name:value MATCHES '^.+[.]a_b\\.example\\.test$']",
        ),
        (
            "path",
            "https://a.example.test/p?q",
            r"[url:value MATCHES '^https?://a\\.example\\.test/p(?:[/?].*)?$']",
        ),
        ("path", "https://a.example.test/p/", r"[url:value MATCHES '^https?://a\\.example\\.test/p/.*$']"),
    ],
)
def test_each_scope_has_its_pattern(scope: str, address: str, pattern: str) -> None:
    assert stix.pattern(EntryScope(scope), address) == pattern
    stix2.parse(stix.indicator(stay(EntryScope(scope), address), AUTHOR["id"]))


HOSTS = st.from_regex(r"[a-z_]([a-z0-9_-]{0,8}[a-z0-9_])?\.example\.test", fullmatch=True)
PATHS = st.text(st.sampled_from("abz09/_~%'\"\\[](){}*+?.^$|#!&=;,:@- é\u202e"), max_size=20)


@given(host=HOSTS, path=PATHS, scope=st.sampled_from(EntryScope))
def test_a_pattern_parses_and_holds_the_address_alone(host: str, path: str, scope: EntryScope) -> None:
    address = url.canonicalise(f"https://{host}/{path}")
    assert address is not None
    made = stix.indicator(stay(scope, address), AUTHOR["id"])
    assert stix2.parse(made).pattern == made["pattern"]
    if scope is EntryScope.URL:
        assert literals(made["pattern"]) == [address]


@given(host=HOSTS, path=PATHS, other=PATHS)
def test_a_path_s_expression_matches_what_the_entry_covers(host: str, path: str, other: str) -> None:
    address = url.canonicalise(f"https://{host}/p{path}")
    assert address is not None
    covered = url.expression(address, "path")
    (expression,) = literals(stix.pattern(EntryScope.PATH, address))
    for asked in (f"http://{covered}", f"https://{covered}{other}", f"https://{covered}/{other}"):
        canonical = url.canonicalise(asked)
        if canonical:
            is_covered = ("path", covered) in url.covering(canonical)
            assert bool(re.search(expression, canonical)) == is_covered, (covered, canonical)


@given(host=HOSTS, below=HOSTS)
def test_a_domain_s_pattern_matches_names_below_it_only(host: str, below: str) -> None:
    same, under = literals(stix.pattern(EntryScope.DOMAIN, f"https://{host}/"))
    assert same == host
    expression = under if under.startswith("^") else "^.*" + re.escape(under[1:]) + "$"
    assert re.search(expression, f"{below}.{host}")
    assert not re.search(expression, f"x{host}")
    assert not re.search(expression, host)


def test_a_revoked_one_names_the_entry_and_nothing_else() -> None:
    made = stix.indicator(stay(EntryScope.URL, None), AUTHOR["id"])
    parsed = stix2.parse(made)
    assert parsed.revoked is True
    assert made["pattern"] == "[x-wardlist-entry:id = 'e']"
    assert "labels" not in made


def test_an_end_before_the_beginning_is_put_right() -> None:
    made = stix.indicator(stay(EntryScope.URL, "https://a.example.test/", valid_until=NOW), AUTHOR["id"])
    assert (made["valid_from"], made["valid_until"]) == (
        "2026-01-02T03:04:05.678Z",
        "2026-01-02T03:04:05.679Z",
    )
    assert "valid_until" not in stix.indicator(
        stay(EntryScope.URL, "https://a.example.test/", valid_until=None), ""
    )


def test_nothing_of_the_address_is_in_the_name_or_the_repr() -> None:
    told = stay(EntryScope.URL, "https://a.example.test/secret")
    made = stix.indicator(told, AUTHOR["id"])
    assert "example" not in repr(told)
    assert all("example" not in str(value) for name, value in made.items() if name != "pattern")


def test_identity_and_marking_are_objects_of_the_standard() -> None:
    assert stix2.parse(AUTHOR).identity_class == "system"
    assert stix2.parse(stix.TLP_AMBER) == stix2.v21.TLP_AMBER
    assert stix.identity(uuid.UUID(int=1), "https://wardlist.example", NOW)["id"] == AUTHOR["id"]
