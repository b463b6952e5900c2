"""Commands about policies, protected hosts, brakes, conflicts, flags and time, beside a running service."""

from typing import Any

import pytest

from app.client.session import Connection
from app.core.lifecycle import DelistReason
from app.core.terms import Kind
from app.entries import service as entries
from tests.cli.terminal import Terminal
from tests.programs.service import LIST, approve, new_entry

LEGAL = ["--ground", "lanzarote-20-1-b", "--material", "lanzarote-20-2-conduct-real", "--country", "US"]


def submitted(hotline: Connection, url: str = "https://a.example.test/", **changes: Any) -> dict[str, Any]:
    view: dict[str, Any] = hotline.request("POST", "/v1/entries", json=new_entry(url, **changes)).json()
    return view


def test_a_list_takes_every_knob_of_its_policy(terminal: Terminal) -> None:
    plain = ["--title", "T", "--scope", "url", "--scope", "host", "--confidentiality", "plain"]
    knobs = ["--set", "brake_percent=30", "--set", "reserved_grounds=lanzarote-20-1-f,lanzarote-20-1-d"]
    made = terminal.json("list", "add", "dutch", *plain, "--jurisdiction", "NL", *knobs, "--quorum", "host=3")
    assert made == {"name": "dutch", "quorum": {"url": 1, "host": 3}}
    shown = terminal.json("list", "policy", "dutch")
    assert (shown["list"], shown["version"]) == ("dutch", 1)
    knobs = ["jurisdiction", "brake_percent", "reserved_grounds", "canaries", "appeal_days"]
    assert [shown["policy"][knob] for knob in knobs] == [
        *("NL", 30, ["lanzarote-20-1-f", "lanzarote-20-1-d"], [], 15)
    ]


def test_a_policy_changes_by_the_knob_and_is_logged_whole(terminal: Terminal) -> None:
    before = terminal.json("list", "policy", LIST)["policy"]
    changed = terminal.json(
        *("list", "policy", LIST, "--set", "recheck_days=10", "--set", 'quorum={"url":2}'),
        *("--set", "block_in_jurisdiction=true", "--set", "jurisdiction=NL", "--set", "scopes=url,path"),
    )
    assert changed["version"] == 2
    assert changed["policy"] == before | {
        "recheck_days": 10,
        "quorum": {"url": 2, "path": 2},
        "block_in_jurisdiction": True,
        "jurisdiction": "NL",
        "scopes": ["url", "path"],
    }
    assert terminal.json("list", "policy", LIST)["version"] == 2
    fewer = terminal.json("list", "policy", LIST, "--set", "scopes=url", "--set", "jurisdiction=null")
    assert (fewer["policy"]["quorum"], fewer["policy"]["jurisdiction"]) == ({"url": 2}, None)
    said, table = terminal.run("list", "policy", LIST)
    assert said == f"{LIST}: policy version 3\n"
    assert "recheck_days" in table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "policy", "nothing"], "create the list"),
        (["list", "policy", LIST, "--set", "speed=9"], "--set"),
        (["list", "policy", LIST, "--set", "recheck_days"], "--set"),
        (["list", "policy", LIST, "--set", "recheck_days=many"], "recheck_days"),
        (["list", "policy", LIST, "--set", "quorum={}", "--set", "scopes=everything"], "scopes"),
        (["list", "policy", LIST, "--set", "canaries=" + "0" * 32], "subscribe each canary"),
        (["list", "title", "nothing", "T"], "create the list"),
        (["list", "title", LIST, ""], "title"),
        (["list", "protect", "none.txt"], "none.txt"),
        (["list", "brake", "nothing"], "create the list"),
        (["org", "conflict", "one", "other"], "--reason"),
        (["org", "conflict", "one", "other", "--reason", "funding", "--end"], "--reason"),
        (["org", "conflict", "one", "other", "--reason", "funding"], "no such organisation"),
        (["org", "conflict", "one", "other", "--end"], "no conflict"),
        (["org", "unflag", "nobody", "--list", LIST], "not flagged"),
        (["emergency", "--credentials", "none.json"], "--batch"),
        (["emergency", "x", "--batch", "y", "--credentials", "none.json"], "--batch"),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, list) else "",
)
def test_mistakes_are_explained_and_change_nothing(terminal: Terminal, words: list[str], said: str) -> None:
    before = terminal.service.state()
    assert said in terminal.run(*words, code=1)[1]
    assert "error" in terminal.json(*words, code=1)
    assert terminal.service.state() == before


def test_a_list_gets_another_title(terminal: Terminal) -> None:
    said = {"list": LIST, "title": "Adressen, gesperrt"}
    assert terminal.json("list", "title", LIST, said["title"]) == said
    with terminal.service.connect(Kind.OPERATOR) as operator:
        assert operator.request("GET", f"/v1/lists/{LIST}").json()["title"] == said["title"]
    assert terminal.run("list", "title", LIST, "Another")[0] == f"list {LIST}: Another\n"


def test_protected_hosts_from_a_file(terminal: Terminal, hotline: Connection) -> None:
    entry = submitted(hotline, "https://www.popular.example/", scope="host")
    file = terminal.folder / "protected.txt"
    file.write_text("# of importance\npopular.example\n\nnews.example  # and this\n*.pages.example\n")
    assert terminal.json("list", "protect", str(file)) == {"list": LIST, "hosts": 3, "listed_entries": []}
    assert hotline.request("GET", f"/v1/entries/{entry['id']}").json()["quorum"] == 3
    terminal.service.add_list("other")
    assert "--list" in terminal.run("list", "protect", str(file), code=1)[1]
    file.write_text("other.example\n")
    assert "other protects 1 hosts" in terminal.run("list", "protect", str(file), "--list", "other")[0]
    file.write_text("http://other.example/x\n")
    assert "write a host name" in terminal.run("list", "protect", str(file), "--list", LIST, code=1)[1]
    with terminal.service.connect(Kind.OPERATOR) as operator:
        kept = operator.request("GET", f"/v1/lists/{LIST}/protected-hosts").json()["hosts"]
    assert kept == ["*.pages.example", "news.example", "popular.example"]


def test_a_held_version_is_shown_and_released_by_two(
    terminal: Terminal, hotline: Connection, reviewer: Connection
) -> None:
    assert terminal.run("list", "brake", LIST)[0] == f"{LIST}: no version is held\n"
    terminal.json("list", "policy", LIST, "--set", "brake_changes=1")
    made = [submitted(hotline, f"https://h{number}.example.test/") for number in range(2)]
    for entry in made:
        approve(reviewer, entry)
    terminal.service.publish()
    shown = terminal.json("list", "brake", LIST)
    assert (shown["engaged"], shown["reason"]) == (True, "additions")
    assert shown["added"] == [entry["id"] for entry in made]
    said, listed = terminal.run("list", "brake", LIST)
    assert said == f"{LIST}: held (additions), +2 -0, 0 of 2 words given\n"
    assert listed == " ".join(f"+ {entry['id']}" for entry in made)
    one, other = terminal.service.organisation(Kind.OPERATOR), terminal.service.organisation(Kind.OPERATOR)
    given = terminal.json("list", "release", LIST, *terminal.credentials(Kind.OPERATOR, one))
    assert (given["engaged"], len(given["releases"])) == (True, 1)
    colleague = terminal.json("list", "release", LIST, *terminal.credentials(Kind.OPERATOR, one), code=1)
    assert colleague["problem"]["type"].endswith("second-organisation-needed")
    said, _ = terminal.run("list", "release", LIST, *terminal.credentials(Kind.OPERATOR, other))
    assert said == f"{LIST}: released (additions), +2 -0, 2 of 2 words given\n"
    terminal.service.publish()
    assert terminal.json("list", "brake", LIST)["engaged"] is False
    assert hotline.request("GET", f"/v1/lists/{LIST}").json()["latest_version"] == 1


def test_a_conflict_is_declared_and_ended(terminal: Terminal, hotline: Connection) -> None:
    entry = submitted(hotline)
    body = terminal.service.organisation(Kind.REVIEW_BODY)
    pair = ["org", "conflict", entry["submitted_by"], body]
    with terminal.service.connect(Kind.REVIEW_BODY, body) as reviewer:
        assert terminal.json(*pair, "--reason", "funding") == {
            "organisations": sorted((entry["submitted_by"], body)),
            "reason": "funding",
            "in_conflict": True,
        }
        assert reviewer.request("GET", "/v1/reviews/queue").json()["entries"] == []
        assert terminal.run(*pair, "--end")[0] == "ended\n"
        assert len(reviewer.request("GET", "/v1/reviews/queue").json()["entries"]) == 1


def test_flags_are_shown_and_cleared(terminal: Terminal, hotline: Connection, reviewer: Connection) -> None:
    assert terminal.run("org", "flags")[0] == "no flags\n"
    terminal.json("list", "policy", LIST, "--set", "overturn_after=1")
    entry = submitted(hotline)
    approve(reviewer, entry)
    terminal.service.publish()
    with terminal.service.database.writing() as session:
        found = entries.get(session, entry["id"])
        assert found is not None
        entries.end(session, found, DelistReason.APPEAL_UPHELD, terminal.service.clock())
    terminal.service.publish()
    (flag,) = terminal.json("org", "flags")["flags"]
    hotline_id = entry["submitted_by"]
    assert (flag["organisation"], flag["list"], flag["overturned"]) == (hotline_id, LIST, 1)
    assert f"{LIST}  1 overturned" in terminal.run("org", "flags")[0]
    done = terminal.json("org", "unflag", hotline_id, "--list", LIST)
    assert done == {"organisation": hotline_id, "list": LIST, "flagged": False}
    assert terminal.json("org", "flags") == {"flags": []}


def test_an_emergency_by_entry_and_by_batch(
    terminal: Terminal, hotline: Connection, reviewer: Connection
) -> None:
    batch = [new_entry(f"https://b{number}.example.test/") for number in range(2)]
    sent = hotline.request("POST", "/v1/entries/batch", json={"entries": batch}).json()
    alone = submitted(hotline)
    for entry in (*sent["entries"], alone):
        approve(reviewer, entry)
    operator = terminal.credentials(Kind.OPERATOR)
    assert terminal.json("emergency", alone["id"], *operator) == {"delisted": [alone["id"]]}
    assert terminal.run("emergency", "--batch", sent["batch"], *operator)[0] == "2 delisted\n"
    assert terminal.json("emergency", "nothing", *operator, code=1)["problem"]["status"] == 404
    assert "scope" in terminal.run("emergency", alone["id"], *terminal.credentials(Kind.AUDITOR), code=1)[1]


def test_a_hotline_sees_what_falls_due_and_looks_again(terminal: Terminal, reviewer: Connection) -> None:
    hotline = terminal.credentials(Kind.HOTLINE)
    submit = ["submit", *hotline, "--list", LIST, *LEGAL, "--statement", "Assessed on site by two analysts."]
    made = terminal.json(*submit, "https://a.example.test/1")["entries"]
    made += terminal.json(*submit, "https://b.example.test/1")["entries"]
    for entry in made:
        approve(reviewer, entry)
    assert terminal.json("due", *hotline)["entries"] == []
    due = terminal.json("due", *hotline, "--within-days", "31")["entries"]
    assert [one["id"] for one in due] == [one["id"] for one in made]
    said, table = terminal.run("due", *hotline, "--within-days", "31")
    assert said == "2 due within 31 days\n"
    assert "example.test" not in table
    look = ["recheck", made[0]["id"], *hotline, "--outcome"]
    assert terminal.json(*look, "still_available")["status"] == "approved"
    assert " is approved until 20" in terminal.run(*look, "still_available")[0]
    assert terminal.run(*look, "removed")[0] == f"{made[0]['id']} is delisted\n"
    assert terminal.json(*look, "removed", code=1)["problem"]["status"] == 409
    old = ["recheck", made[1]["id"], *hotline, "--outcome", "removed", "--checked-at", "2020-01-01T00:00:00Z"]
    assert "checked_at" in terminal.run(*old, code=1)[1]


def test_a_host_is_submitted_with_its_reason(terminal: Terminal) -> None:
    hotline = terminal.credentials(Kind.HOTLINE)
    submit = ["submit", *hotline, "--list", LIST, *LEGAL, "--statement", "Assessed on site by two analysts."]
    wide = [*submit, "https://a.example.test/", "--scope", "host"]
    assert "why a url or path entry does not suffice" in terminal.run(*wide, code=1)[1]
    reason = "Every page of this host carries the material."
    (entry,) = terminal.json(*wide, "--scope-reason", reason)["entries"]
    assert entry["scope_reason"] == reason
