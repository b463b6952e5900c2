"""Who is told in which turn: the rules as properties of every choice, and as examples."""

from hypothesis import given
from hypothesis import strategies as st

from app.core import routing
from app.core.policy import Policy
from app.core.routing import Fit
from app.core.terms import EntryScope, ProviderNotices, Rule

LAW, PARTNER = Rule.LAW_ENFORCEMENT_FIRST, Rule.PARTNER_OF_COUNTRY
NAME, HOST, NETWORK = Rule.PROVIDER_BY_NAME, Rule.PROVIDER_BY_HOST, Rule.NETWORK_BY_ADDRESS
NEAREST = {NAME, HOST, NETWORK}
FITS = st.lists(
    st.builds(
        Fit,
        contact=st.sampled_from("abcdefgh"),
        rule=st.sampled_from(Rule),
        rank=st.integers(0, 2),
        closeness=st.integers(0, 2),
    ),
    max_size=12,
)


def policy(jurisdiction: str | None = "NL", notices: str = "without_partner", hours: int = 0) -> Policy:
    return Policy(
        scopes=[EntryScope.URL],
        jurisdiction=jurisdiction,
        provider_notices=ProviderNotices(notices),
        law_enforcement_hours=hours,
    )


POLICIES = st.builds(
    policy, st.sampled_from([None, "NL", "DE"]), st.sampled_from(ProviderNotices), st.sampled_from([0, 24])
)
EVERY = [Fit("law", LAW), Fit("partner", PARTNER), Fit("name", NAME), Fit("host", HOST), Fit("net", NETWORK)]


def told(fits: list[Fit], by: Policy, country: str = "DE") -> list[list[str]]:
    placed = routing.turns(fits, by, country)
    last = max((turn for turn, _ in placed), default=0)
    return [[fit.contact for turn, fit in placed if turn == number] for number in range(last + 1)]


@given(FITS, POLICIES)
def test_everybody_is_told_once_and_turns_have_no_gap(fits: list[Fit], by: Policy) -> None:
    placed = routing.turns(fits, by, "DE")
    contacts = [fit.contact for _, fit in placed]
    assert len(contacts) == len(set(contacts))
    numbers = [turn for turn, _ in placed]
    assert numbers == sorted(numbers)
    assert {turn for turn in numbers if turn} == set(range(1, max(numbers, default=0) + 1))
    assert all((turn == 0) == (fit.rule is LAW) for turn, fit in placed)


@given(FITS, POLICIES)
def test_the_order_in_which_contacts_are_found_decides_nothing(fits: list[Fit], by: Policy) -> None:
    assert routing.turns(fits, by, "DE") == routing.turns(fits[::-1], by, "DE")


@given(FITS, POLICIES)
def test_whoever_is_told_abroad_is_whom_the_policy_allows(fits: list[Fit], by: Policy) -> None:
    rules = {fit.rule for _, fit in routing.turns(fits, by, "DE")}
    has_partner = any(fit.rule is PARTNER for fit in fits)
    if by.jurisdiction == "DE":
        assert PARTNER not in rules
    elif by.provider_notices is ProviderNotices.NEVER or (
        has_partner and by.provider_notices is ProviderNotices.WITHOUT_PARTNER
    ):
        assert not rules & NEAREST
    if not by.law_enforcement_hours:
        assert LAW not in rules


@given(FITS, POLICIES)
def test_nobody_waits_behind_a_worse_fit_of_the_same_rule(fits: list[Fit], by: Policy) -> None:
    placed = routing.turns(fits, by, "DE")
    for turn, fit in placed:
        for later, other in placed:
            if fit.rule is other.rule and turn and later > turn:
                assert (-fit.closeness, fit.rank) <= (-other.closeness, other.rank)


def test_at_home_providers_then_the_network() -> None:
    assert told(EVERY, policy("DE")) == [[], ["name"], ["host"], ["net"]]
    assert told(EVERY, policy("DE", "never")) == [[], ["name"], ["host"], ["net"]]


def test_abroad_the_partner_alone_unless_the_policy_says_more() -> None:
    assert told(EVERY, policy()) == [[], ["partner"]]
    assert told(EVERY, policy(notices="never")) == [[], ["partner"]]
    assert told(EVERY, policy(notices="always")) == [[], ["partner", "name"], ["host"], ["net"]]


def test_abroad_without_a_partner() -> None:
    alone = [fit for fit in EVERY if fit.rule is not PARTNER]
    assert told(alone, policy()) == [[], ["name"], ["host"], ["net"]]
    assert told(alone, policy(notices="never")) == [[]]


def test_without_a_jurisdiction_every_country_is_abroad() -> None:
    assert told(EVERY, policy(None)) == [[], ["partner"]]


def test_law_enforcement_is_turn_0_where_it_is_heard() -> None:
    assert told(EVERY, policy(hours=24)) == [["law"], ["partner"]]
    assert told([EVERY[0]], policy()) == [[]]


def test_partners_of_several_ranks_come_one_after_the_other() -> None:
    ranked = [Fit("second", PARTNER, 1), Fit("first", PARTNER, 0), Fit("also", PARTNER, 0)]
    assert told(ranked, policy()) == [[], ["also", "first"], ["second"]]
    assert told([*ranked, Fit("name", NAME)], policy(notices="always")) == [
        [],
        ["also", "first", "name"],
        ["second"],
    ]


def test_the_closest_host_comes_before_a_lower_rank() -> None:
    fits = [Fit("wide", HOST, 0, 1), Fit("narrow", HOST, 5, 2)]
    assert told(fits, policy("DE")) == [[], ["narrow"], ["wide"]]


def test_so_many_are_told_and_no_more() -> None:
    crowd = [Fit(f"{number:03}", NAME, number) for number in range(200)]
    assert len(routing.turns(crowd, policy("DE"), "DE")) == routing.MOST


def test_who_shares_a_registrable_domain_is_the_host_itself() -> None:
    for host, other, is_own in (
        ("a.example.test", "a.example.test", True),
        ("a.example.test", "example.test", True),
        ("example.test", "mail.example.test", True),
        ("a.example.test", "b.example.test", True),
        ("a.example.test", "another-example.test", False),
        ("someone.github.io", "github.io", False),
        ("someone.github.io", "other.github.io", False),
        ("a.example.test", "192.0.2.1", False),
    ):
        assert routing.is_own(host, other) is is_own, (host, other)
