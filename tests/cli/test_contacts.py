"""`wardlist contact`: a file is taken in whole or not at all, and what comes out goes in again."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from app.core.terms import Kind
from app.takedown.contacts import file as contact_file
from tests.cli.terminal import Terminal
from tests.programs.service import LIST, leaves, new_entry, replay

FILE = """\
kind,name,country,host_suffix,network,provider_class,language,channel,address,rank
partner_hotline,"Hotline, German",DE,,,,de,mail,desk@hotline.test,
provider,Example Hosting,,photos.test,,hosting,,mail,abuse@provider.test,1

network,AS 64496,,,192.0.2.0/24,access,fr,webhook,https://hooks.network.test/,
"""


def wrote(terminal: Terminal, content: str | bytes, name: str = "contacts.csv") -> str:
    file = terminal.folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(file)


def imported(terminal: Terminal, content: str | bytes, *options: str) -> dict[str, Any]:
    return terminal.json("contact", "import", wrote(terminal, content), *options)


def faults(terminal: Terminal, content: str | bytes, *options: str) -> list[str]:
    before = terminal.service.state()
    words = ("contact", "import", wrote(terminal, content), *options)
    problem = terminal.json(*words, code=1)["problem"]
    assert terminal.service.state() == before
    return [error["field"] for error in problem.get("errors", [])]


def there(terminal: Terminal) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in terminal.json("contact", "list")["contacts"]}


def test_a_file_imported_twice_changes_nothing_the_second_time(terminal: Terminal) -> None:
    assert imported(terminal, FILE) == {"added": 3, "changed": 0, "ended": 0, "unchanged": 0}
    before = terminal.service.state()
    for content in (FILE, f"\ufeff{FILE}", FILE.replace("\n", "\r\n"), FILE.replace("photos", "PHOTOS")):
        done = imported(terminal, content, "--replace")
        assert done == {"added": 0, "changed": 0, "ended": 0, "unchanged": 3}
    assert terminal.service.state() == before
    found = there(terminal)
    assert found["Hotline, German"]["language"] == "de"
    assert (found["Example Hosting"]["rank"], found["Example Hosting"]["country"]) == (1, None)
    terminal.service.publish()
    assert len(replay(terminal.service).contacts) == 3


def test_a_file_changes_adds_and_with_replace_ends(terminal: Terminal) -> None:
    imported(terminal, FILE)
    head, hotline, provider, *_ = FILE.splitlines()
    other = "provider,Other Hosting,,,,,,mail,abuse@other.test,"
    changed = "\n".join([head, hotline, provider.replace("abuse@", "notices@"), other])
    assert imported(terminal, changed) == {"added": 1, "changed": 1, "ended": 0, "unchanged": 1}
    done = imported(terminal, changed, "--replace")
    assert done == {"added": 0, "changed": 0, "ended": 1, "unchanged": 3}
    assert there(terminal).keys() == {"Hotline, German", "Example Hosting", "Other Hosting"}
    ended = terminal.json("contact", "list", "--ended", "--kind", "network")["contacts"]
    assert ended[0]["ended_at"]
    terminal.service.publish()
    assert len(replay(terminal.service).contacts) == 3


def test_every_fault_is_named_by_line_and_column_and_nothing_is_kept(terminal: Terminal) -> None:
    lines = FILE.splitlines()
    lines[1] = lines[1].replace("DE", "Germany")
    lines[2] = lines[2].replace("abuse@provider.test", "abuse at provider")
    lines[4] = lines[4].replace("https", "http").replace("192.0.2.0/24", "192.0.2.1/24")
    lines += ["provider,Short", 'nobody,"A\nB",,,,,,mail,abuse@other.test,first']
    assert faults(terminal, "\n".join(lines)) == [
        "line 2, country",
        "line 3, address",
        "line 5, network",
        "line 6",
        "line 7, kind",
        "line 7, rank",
    ]
    assert faults(terminal, FILE.replace("https", "http")) == ["line 5, address"]
    said = terminal.run("contact", "import", wrote(terminal, "\n".join(lines)), code=1)[1]
    assert "line 3, address: write one mail address" in said
    assert "provider" not in said.partition("line 6")[0].partition("line 3, address")[2]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", ["line 1, address", "line 1, channel", "line 1, kind", "line 1, name"]),
        (FILE.replace(",rank", ",rang", 1), ["line 1, column 10"]),
        (FILE.replace("network", "name", 1), ["line 1, name"]),
        (FILE.splitlines()[0], ["line 1"]),
        (FILE + 'provider,"Open', ["line 6"]),
        (FILE + 'provider,"a"b,,,,,,mail,abuse@provider.test,', ["line 6"]),
        (FILE + f"provider,{'x' * 200_000},,,,,,mail,abuse@provider.test,", ["line 6"]),
        (FILE + FILE.splitlines()[2], ["line 6"]),
    ],
)
def test_a_file_that_is_not_as_it_must_be(terminal: Terminal, content: str, named: list[str]) -> None:
    assert faults(terminal, content) == named


def test_bytes_that_are_no_text_and_a_file_too_large(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = terminal.json("contact", "import", wrote(terminal, FILE.encode() + b"\xff"), code=1)["problem"]
    assert problem["detail"] == "line 6: not UTF-8"
    assert faults(terminal, FILE.encode("utf-16")) == []
    assert "No such file" in terminal.run("contact", "import", "none.csv", code=1)[1]
    monkeypatch.setattr(contact_file, "LARGEST", 100)
    assert faults(terminal, FILE) == []


def test_what_is_exported_can_be_edited_and_imported_again(terminal: Terminal) -> None:
    imported(terminal, FILE)
    words = ["--kind", "provider", "--name", "=cmd()", "--channel", "mail", "--address", "+a@provider.test"]
    terminal.json("contact", "add", *words)
    terminal.json("contact", "add", *words[:2], "--name", "'quoted", *words[4:], "--rank", "2")
    out = terminal.folder / "out.csv"
    assert terminal.json("contact", "export", "--out", str(out))["contacts"] == 5
    assert out.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert {row["name"] for row in rows} >= {"'=cmd()", "''quoted"}
    assert not any(cell.startswith(tuple("=+-@")) for row in rows for cell in row.values())
    assert terminal.run("contact", "export")[0].splitlines() == out.read_text().splitlines()
    before = terminal.service.state()
    assert imported(terminal, out.read_bytes(), "--replace")["unchanged"] == 5
    assert terminal.service.state() == before
    renamed = out.read_text().replace("Example Hosting", "Renamed Hosting")
    assert imported(terminal, renamed, "--replace") == {"added": 0, "changed": 1, "ended": 0, "unchanged": 4}
    assert faults(terminal, renamed.replace(rows[0]["id"], "0" * 32)) == ["line 2, id"]


def test_contacts_that_are_described_alike_are_told_apart_by_rank_or_id(terminal: Terminal) -> None:
    head, _, provider, *_ = FILE.splitlines()
    second = provider.replace("abuse@", "legal@").replace(",1", ",2")
    assert imported(terminal, "\n".join([head, provider, second]))["added"] == 2
    swapped = "\n".join([head, second, provider.replace("abuse@", "notices@")])
    done = imported(terminal, swapped, "--replace")
    assert done == {"added": 0, "changed": 1, "ended": 0, "unchanged": 1}
    words = ["--kind", "provider", "--name", "example hosting", "--host-suffix", "photos.test"]
    terminal.json("contact", "add", *words, "--channel", "mail", "--address", "a@b.test", "--rank", "2")
    assert faults(terminal, swapped) == ["line 2, id"]


def test_add_edit_and_end(terminal: Terminal) -> None:
    words = ["--kind", "partner_hotline", "--name", "Hotline [b]", "--country", "DE"]
    made = terminal.json("contact", "add", *words, "--channel", "mail", "--address", "desk@hotline.test")
    edited = terminal.json("contact", "edit", made["id"], "--address", "new@hotline.test", "--language", "de")
    assert (edited["version"], edited["country"], edited["language"]) == (2, "DE", "de")
    row = terminal.rows("contact", "list")[1]
    assert row == [made["id"], "2", "partner_hotline", "DE", "mail", "new@hotline.test", "Hotline", "[b]"]
    said = terminal.run("contact", "edit", made["id"], "--rank", "3")[0]
    assert said == f"{made['id']}: version 3\n"
    assert "--country:" in terminal.run("contact", "edit", made["id"], "--country", "", code=1)[1]
    terminal.run("contact", "end", made["id"])
    assert terminal.json("contact", "list")["contacts"] == []
    heads, ended = terminal.rows("contact", "list", "--ended")[:2]
    assert (heads[1], ended[1][:2]) == ("ended", "20")
    assert "has ended" in terminal.run("contact", "edit", made["id"], "--rank", "1", code=1)[1]
    assert "no such contact" in terminal.run("contact", "end", "nobody", code=1)[1]
    with terminal.service.database.reading() as session:
        written = [leaf["type"] for leaf in leaves(session) if leaf["type"].startswith("contact.")]
    assert written == ["contact.added", "contact.changed", "contact.changed", "contact.ended"]
    terminal.service.publish()
    replay(terminal.service)


def test_a_refusal_names_the_option(terminal: Terminal) -> None:
    before = terminal.service.state()
    words = ("contact", "add", "--kind", "provider", "--name", "P", "--channel")
    for channel, address in (
        ("mail", "nobody"),
        ("webhook", "http://hooks.p.test/"),
        ("webhook", "https://10.0.0.1/"),
    ):
        assert "--address:" in terminal.run(*words, channel, "--address", address, code=1)[1]
    # A hotline's own means are no channel of the service.
    terminal.run(*words, "own", "--address", "a@p.test", code=2)
    assert terminal.service.state() == before


def test_the_secret_of_a_webhook_is_the_one_the_api_showed(terminal: Terminal) -> None:
    hook = {"kind": "provider", "name": "P", "channel": "webhook", "address": "https://hooks.p.test/"}
    with terminal.service.connect(Kind.OPERATOR) as operator:
        made = operator.request("POST", "/v1/contacts", json=hook).json()
    assert terminal.run("contact", "secret", made["id"])[0].strip() == made["secret"]
    by_mail = terminal.json("contact", "edit", made["id"], "--channel", "mail", "--address", "a@p.test")
    assert by_mail["channel"] == "mail"
    assert "no webhook" in terminal.run("contact", "secret", made["id"], code=1)[1]


def test_a_hotline_says_who_hosts_it(terminal: Terminal, tmp_path: Path) -> None:
    legal = ["--ground", "lanzarote-20-1-b", "--material", "lanzarote-20-2-conduct-real", "--country", "NL"]
    said = ["--statement", new_entry()["statement"], "--list", LIST]
    hosted = ["--provider", "Example Hosting", "--address", "192.0.2.7"]
    words = ["submit", *terminal.credentials(Kind.HOTLINE), *legal, *said]
    (entry,) = terminal.json(*words, *hosted, "https://a.example.test/1")["entries"]
    assert (entry["hosting_provider"], entry["hosting_address"]) == ("Example Hosting", "192.0.2.7")
    refused = terminal.json(*words, "--address", "nowhere", "https://a.example.test/2", code=1)
    assert "hosting_address" in json.dumps(refused)
