"""Files of host names in the resolvers they are for: each answers for what is listed and nothing else."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from app.core import url
from app.core.terms import EntryScope
from app.lists.formats import hosts, rpz, unbound
from app.lists.formats.sheet import Sheet
from tests.lists.formats.hostile import Entry, batch, sheet_of
from tests.programs import resolvers
from tests.programs.resolvers import ADDRESS, Resolver

GARDEN = "stop.example"
FIXED: list[Entry] = [
    (EntryScope.HOST, "http://host.quiet.test/"),
    (EntryScope.DOMAIN, "https://domain.quiet.test/"),
    (EntryScope.DOMAIN, "https://deeper.domain.quiet.test/"),
    (EntryScope.HOST, "https://www.domain.quiet.test/"),
    (EntryScope.HOST, "https://far.away.domain.quiet.test/"),
    (EntryScope.DOMAIN, "https://below.host.quiet.test/"),
    (EntryScope.URL, "http://page.quiet.test/1"),
    (EntryScope.PATH, "http://folder.quiet.test/"),
]
BLOCKED = (
    *("host.quiet.test", "domain.quiet.test", "www.domain.quiet.test", "x.domain.quiet.test"),
    *("a.www.domain.quiet.test", "away.domain.quiet.test", "x.deeper.domain.quiet.test"),
    *("b.away.domain.quiet.test", "below.host.quiet.test", "x.below.host.quiet.test"),
)
OPEN = (
    *("x.host.quiet.test", "quiet.test", "page.quiet.test", "folder.quiet.test"),
    *("xdomain.quiet.test", "host.loud.test", "neighbour.quiet.test"),
)


@cache
def listed() -> tuple[Entry, ...]:
    """Fixed and hostile entries; one domain would leave nothing to see of the others."""
    return (*FIXED, *(one for one in batch(250) if url.host_of(one[1]) != "example.test"))


def is_sayable(name: str, longest: int) -> bool:
    """Whether a file holds the name in its own meaning, up to a length."""
    return "*" not in name.split(".") and not name.split(".")[-1].startswith("rpz-") and len(name) <= longest


@cache
def names_of(scope: EntryScope) -> set[str]:
    """Host names of the entries of a scope."""
    return {url.host_of(canonical) for one, canonical in listed() if one is scope}


def asked() -> list[str]:
    """Every host of an entry of any scope, a name below it and one beside it."""
    every = {url.host_of(canonical) for _, canonical in listed()}
    beside = {f"{before}{name}" for name in every for before in ("x.", "x")}
    fits = [name for name in every | beside if len(name) <= 250 and len(name.split(".")[0]) <= 63]
    return sorted(name for name in fits if not name.split(".")[-1].startswith("rpz-"))


def is_covered(name: str, longest: int) -> bool:
    """What the entries say of a name, of those whose own names are no longer."""
    above = {name, *(name.split(".", at)[at] for at in range(1, name.count(".") + 1))}
    found = (names_of(EntryScope.HOST) & {name}) | (names_of(EntryScope.DOMAIN) & above)
    return any(is_sayable(one, longest) for one in found)


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    """Fixed and hostile entries."""
    return sheet_of(listed())


@pytest.fixture(scope="module")
def by_bind(sheet: Sheet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resolver]:
    """BIND with the `rpz` file as its response policy."""
    folder = tmp_path_factory.mktemp("bind")
    with resolvers.bind(folder, written(folder / "list.rpz", rpz.render(sheet))) as up:
        yield up


@pytest.fixture(scope="module")
def by_unbound_rpz(sheet: Sheet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resolver]:
    """Unbound with the `rpz` file in an `rpz:` clause."""
    folder = tmp_path_factory.mktemp("unbound-rpz")
    file = written(folder / "list.rpz", rpz.render(sheet))
    clause = f'rpz:\n  name: "block.example"\n  zonefile: "{file}"'
    with resolvers.unbound(folder, 'module-config: "respip iterator"', clause) as up:
        yield up


@pytest.fixture(scope="module")
def by_unbound(sheet: Sheet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resolver]:
    """Unbound that includes the `unbound` file."""
    folder = tmp_path_factory.mktemp("unbound")
    file = written(folder / "list.unbound", unbound.render(sheet))
    with resolvers.unbound(folder, f'module-config: "iterator"\n  include: "{file}"') as up:
        yield up


@pytest.fixture(scope="module")
def by_dnsmasq(sheet: Sheet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resolver]:
    """dnsmasq with the `hosts` file."""
    folder = tmp_path_factory.mktemp("dnsmasq")
    with resolvers.dnsmasq(folder, written(folder / "list.hosts", hosts.render(sheet))) as up:
        yield up


def written(path: Path, chunks: Iterator[bytes]) -> Path:
    """A file that every user reads."""
    path.write_bytes(b"".join(chunks))
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("which", ["by_bind", "by_unbound_rpz", "by_unbound"])
def test_listed_names_are_blocked_with_all_below_domains_and_neighbours_are_not(
    which: str, request: pytest.FixtureRequest
) -> None:
    resolver: Resolver = request.getfixturevalue(which)
    for kind in ("A", "AAAA"):
        assert [resolver.ask(name, kind).texts for name in BLOCKED] == [()] * len(BLOCKED)
    assert [resolver.ask(name).texts for name in OPEN] == [(ADDRESS,)] * len(OPEN)
    assert resolver.ask("domain.quiet.test").code == "NXDOMAIN"


@pytest.mark.parametrize("which", ["by_bind", "by_unbound_rpz", "by_unbound"])
def test_hostile_names_are_answered_as_the_entries_say(which: str, request: pytest.FixtureRequest) -> None:
    resolver: Resolver = request.getfixturevalue(which)
    # Below a domain's wildcard the DNS knows a name with a label `*` of its own, which the wildcard misses.
    names = [name for name in asked() if which == "by_unbound" or "*" not in name.split(".")]
    stated = {name: is_covered(name, 253 if which == "by_unbound" else 188) for name in names}
    assert [name for name in names if resolver.ask(name).leads_there == stated[name]] == []
    assert set(stated.values()) == {True, False}


def test_a_policy_zone_says_that_a_listed_host_does_not_exist(
    by_bind: Resolver, by_unbound_rpz: Resolver
) -> None:
    assert by_bind.ask("host.quiet.test").code == "NXDOMAIN" == by_unbound_rpz.ask("host.quiet.test").code


def test_dnsmasq_answers_for_names_of_host_and_domain_entries_alone(by_dnsmasq: Resolver) -> None:
    known = names_of(EntryScope.HOST) | names_of(EntryScope.DOMAIN)
    every = sorted({*asked(), *known})
    assert [name for name in every if by_dnsmasq.ask(name).texts == ("0.0.0.0",)] == sorted(known)  # noqa: S104
    assert by_dnsmasq.ask("host.quiet.test", "AAAA").texts == ("::",)
    assert by_dnsmasq.ask("page.quiet.test").texts == ()


def test_domains_lead_to_the_walled_garden(tmp_path: Path) -> None:
    sheet = sheet_of(listed(), walled_garden=GARDEN)
    file = written(tmp_path / "list.rpz", rpz.render(sheet))
    with resolvers.bind(tmp_path, file) as up:
        for name in ("host.quiet.test", "x.domain.quiet.test"):
            assert up.ask(name).texts == (f"{GARDEN}.", ADDRESS)
    file = written(tmp_path / "list.unbound", unbound.render(sheet))
    with resolvers.unbound(tmp_path, f'module-config: "iterator"\n  include: "{file}"') as up:
        assert up.ask("x.domain.quiet.test").texts == (f"{GARDEN}.", ADDRESS)
        assert up.ask("domain.quiet.test", "AAAA").texts == (f"{GARDEN}.",)
        assert up.ask("host.quiet.test").texts == ()
        assert up.ask("x.host.quiet.test").texts == (ADDRESS,)


def test_a_resolvers_file_says_what_it_leaves_out() -> None:
    narrow = sum(scope in (EntryScope.URL, EntryScope.PATH) for scope, _ in listed())
    for render in (hosts.render, unbound.render, rpz.render):
        text = b"".join(render(sheet_of(listed()))).decode("ascii")
        assert f"left out: {narrow} entries of scope url or path" in text
        assert "page.quiet.test" not in text
    domains = len(names_of(EntryScope.DOMAIN))
    assert (
        f"below the names of {domains} domain entries" in b"".join(hosts.render(sheet_of(listed()))).decode()
    )
