"""`rpz`: what BIND's own tools and dnspython read from the zone is what was listed."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

import dns.name
import dns.rdatatype
import dns.zone
import pytest

from app.core import url
from app.core.terms import EntryScope
from app.lists.formats import rpz
from tests.lists.formats.hostile import Entry, batch, sheet_of
from tests.programs.resolvers import program

LONG_ZONE = f"{'z' * 30}.{'y' * 31}"
"""64 octets on the wire: 31 + 32 + 1."""
LONG_HOST = ".".join(("a" * 63, "b" * 63, "c" * 47, "example.test"))
HOST, DOMAIN = EntryScope.HOST, EntryScope.DOMAIN


def text_of(listed: Iterable[Entry], walled_garden: str | None = None) -> str:
    """The master file."""
    return b"".join(rpz.render(sheet_of(listed, walled_garden=walled_garden))).decode("ascii")


def rules_of(text: str, zone: str = "block.example") -> dict[str, str]:
    """Owner name below the zone -> target, as dnspython reads them."""
    read = dns.zone.from_text(text, zone, relativize=True)
    found = read.iterate_rdatas(dns.rdatatype.CNAME)
    return {_plain(owner): rdata.to_text() for owner, _, rdata in found}


def _plain(owner: dns.name.Name) -> str:
    return ".".join(label.decode("ascii") for label in owner.labels)


def expected(listed: Iterable[Entry]) -> set[str]:
    """Owner names, said another way than the format does it."""
    several = [(scope, url.host_of(canonical)) for scope, canonical in listed]
    fitting = [
        (scope, name)
        for scope, name in several
        if "*" not in name.split(".") and not name.split(".")[-1].startswith("rpz-") and len(name) <= 188
    ]
    domains = {name for scope, name in fitting if scope is DOMAIN}
    least = {one for one in domains if not any(one.endswith(f".{other}") for other in domains)}
    hosts = {name for scope, name in fitting if scope is HOST} - least
    uncovered = {one for one in hosts if not any(one.endswith(f".{other}") for other in least)}
    return uncovered | least | {f"*.{one}" for one in least}


def test_hostile_names_are_read_by_dnspython_as_they_were_listed() -> None:
    listed = batch(250)
    rules = rules_of(text_of(listed))
    assert rules.keys() == expected(listed)
    assert set(rules.values()) == {"."}


def test_hostile_names_are_read_by_named_checkzone_as_they_were_listed(tmp_path: Path) -> None:
    listed = batch(250)
    source, compiled = tmp_path / "zone", tmp_path / "compiled"
    source.write_text(text_of(listed))
    command = [program("named-compilezone"), "-o", str(compiled), LONG_ZONE, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "loaded serial 7" in done.stdout
    assert rules_of(compiled.read_text(), LONG_ZONE).keys() == expected(listed)


def test_the_serial_is_the_version_and_a_zone_has_its_name_server() -> None:
    zone = dns.zone.from_text(text_of([]), "block.example")
    assert zone.get_soa().serial == 7
    assert zone.find_rdataset("@", "NS")[0].to_text() == "localhost."


def test_a_url_or_path_never_becomes_a_rule_and_is_counted() -> None:
    narrow: list[Entry] = [
        (EntryScope.URL, "http://a.example.test/1"),
        (EntryScope.PATH, "http://b.example.test/"),
    ]
    text = text_of([*narrow, (HOST, "http://c.example.test/any")])
    assert rules_of(text) == {"c.example.test": "."}
    assert "2 entries of scope url or path" in text


def test_a_domain_gives_its_name_and_all_below_and_a_host_its_name() -> None:
    listed: list[Entry] = [(DOMAIN, "http://d.example.test/"), (HOST, "https://h.example.test/")]
    assert rules_of(text_of(listed)).keys() == {"d.example.test", "*.d.example.test", "h.example.test"}


def test_a_walled_garden_is_the_target_of_every_rule() -> None:
    listed: list[Entry] = [(DOMAIN, "http://d.example.test/"), (HOST, "https://h.example.test/")]
    assert set(rules_of(text_of(listed, "stop.example.net")).values()) == {"stop.example.net."}


def test_names_below_a_listed_domain_add_no_rule_that_would_end_its_wildcard() -> None:
    listed: list[Entry] = [
        (DOMAIN, "http://d.example.test/"),
        (DOMAIN, "http://e.d.example.test/"),
        (HOST, "http://d.example.test/"),
        (HOST, "http://www.far.d.example.test/"),
    ]
    assert rules_of(text_of(listed)).keys() == {"d.example.test", "*.d.example.test"}


@pytest.mark.parametrize(
    "host",
    [
        "24.0.2.0.192.rpz-ip",
        "32.1.0.0.127.rpz-client-ip",
        "ns.test.rpz-nsdname",
        "*.example.test",
        "a.*.test",
    ],
)
def test_a_name_that_a_policy_zone_gives_another_meaning_is_left_out(host: str) -> None:
    text = text_of([(DOMAIN, f"http://{host}/"), (HOST, f"http://{host}/")])
    assert rules_of(text) == {}
    assert "2 names that no policy zone can hold" in text


def test_the_longest_name_fits_the_longest_zone_and_one_byte_more_is_left_out() -> None:
    assert len(LONG_HOST) == 188
    assert rules_of(text_of([(DOMAIN, f"http://{LONG_HOST}/")]), LONG_ZONE).keys() == {
        LONG_HOST,
        f"*.{LONG_HOST}",
    }
    longer = f"http://{LONG_HOST.replace('c.', 'cc.')}/"
    text = text_of([(DOMAIN, longer), (HOST, longer)])
    assert rules_of(text, LONG_ZONE) == {}
    assert "2 names that no policy zone can hold" in text
