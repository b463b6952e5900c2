"""A reviewer reads the queue and an entry before anything is signed."""

import pytest

from app.client.session import Connection
from app.core.decision import CRITERIA
from app.core.terms import Kind
from tests.cli.terminal import Terminal
from tests.programs.service import LIST, new_entry

ADDRESS = "https://a.example.test/1"
SAID = "Seen at http://b.example.test/2 too.\nquorum:          0 \u202eorganisations [bold]\x9b31m"


def test_a_reviewer_reads_what_is_to_be_signed(terminal: Terminal, hotline: Connection) -> None:
    reason = "Every page of this host carries the material."
    new = new_entry(ADDRESS, scope="host", statement=SAID, scope_reason=reason)
    entry = hotline.request("POST", "/v1/entries", json=new).json()
    reviewer = terminal.credentials(Kind.REVIEW_BODY)
    shown, _ = terminal.run("review", "show", entry["id"], *reviewer)
    lines = shown.splitlines()
    assert lines[0] == f"entry:           {entry['id']}"
    assert "a[.]example[.]test" in shown
    assert "hxxp[:]//b[.]example[.]test/2" in shown
    assert "example.test" not in shown
    assert "offering it or making it available" in shown
    for text in (reason, "host", LIST, "0 other entries of 0 organisations", "[bold]"):
        assert text in shown
    assert "corroborations:  0" in lines
    assert [line for line in lines if line.startswith("quorum:")] == ["quorum:          2 organisations"]
    assert not {"\u202e", "\x9b"} & set(shown)
    whole = terminal.json("review", "show", entry["id"], *reviewer)
    assert (whole["id"], whole["statement"]) == (entry["id"], SAID)
    assert whole["canonical_url"] == entry["canonical_url"]


def test_the_address_of_a_page_is_defanged(terminal: Terminal, hotline: Connection) -> None:
    entry = hotline.request("POST", "/v1/entries", json=new_entry(ADDRESS)).json()
    shown, _ = terminal.run("review", "show", entry["id"], *terminal.credentials(Kind.REVIEW_BODY))
    assert "address:         hxxps[:]//a[.]example[.]test/1\n" in shown


def test_an_entry_that_is_not_there_is_not_shown(terminal: Terminal) -> None:
    _, said = terminal.run("review", "show", "nothing", *terminal.credentials(Kind.REVIEW_BODY), code=1)
    assert "no entry of this id for you" in said


def test_an_erased_entry_says_so(terminal: Terminal, hotline: Connection) -> None:
    entry = hotline.request("POST", "/v1/entries", json=new_entry(ADDRESS)).json()
    with terminal.service.connect(Kind.OPERATOR) as operator:
        operator.request("POST", f"/v1/entries/{entry['id']}/erasure", json={"reason": "court_order"})
    shown, _ = terminal.run("review", "show", entry["id"], *terminal.credentials(Kind.REVIEW_BODY))
    assert "status:          erased\n" in shown
    assert "address:         not shown to you, or erased\n" in shown


def test_ids_and_dates_of_the_queue_are_whole_on_a_narrow_terminal(
    terminal: Terminal, hotline: Connection
) -> None:
    entry = hotline.request("POST", "/v1/entries", json=new_entry(ADDRESS, statement=SAID)).json()
    rows = terminal.rows("review", "queue", *terminal.credentials(Kind.REVIEW_BODY), columns=40)
    assert rows[0] == ["entry", "submitted", "list", "scope", "statement"]
    assert rows[1][:4] == [entry["id"], entry["submitted_at"], LIST, "url"]
    assert "hxxp[:]//b[.]example[.]test/2" in "".join(word for row in rows[1:] for word in row)


def test_a_queue_of_no_such_list_is_not_an_empty_queue(terminal: Terminal) -> None:
    reviewer = terminal.credentials(Kind.REVIEW_BODY)
    assert terminal.run("review", "queue", "--list", LIST, *reviewer)[0] == "0 waiting\n"
    said, why = terminal.run("review", "queue", "--list", "nope", *reviewer, code=1)
    assert said == ""
    assert "no list of this name" in why


@pytest.mark.parametrize(
    ("words", "said"),
    [(["review", "reject"], CRITERIA), (["submit"], ("at least 20 characters", "at most 2,000"))],
)
def test_the_help_says_what_is_asked_for(terminal: Terminal, words: list[str], said: tuple[str, ...]) -> None:
    shown = terminal.run(*words, "--help")[0]
    plain = " ".join(shown.replace("│", " ").split())
    assert [one for one in said if one not in plain] == []


def test_a_queue_that_goes_on_after_what_is_shown_says_so(terminal: Terminal, hotline: Connection) -> None:
    for number in range(2):
        hotline.request("POST", "/v1/entries", json=new_entry(f"https://q{number}.example.test/"))
    reviewer = terminal.credentials(Kind.REVIEW_BODY)
    assert terminal.run("review", "queue", "--limit", "1", *reviewer)[0] == "the 1 oldest that wait\n"
    assert terminal.run("review", "queue", *reviewer)[0] == "2 waiting\n"
