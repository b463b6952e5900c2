"""The operator's commands for peers."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.core import age, jose
from app.core.card import Card
from tests.cli.terminal import Terminal
from tests.programs.neighbour import Neighbour
from tests.programs.service import LIST, leaves, replay


def card_of(folder: Path, neighbour: Neighbour, **changes: Any) -> str:
    file = folder / "card.json"
    content = json.loads(neighbour.card.to_bytes(neighbour.key)) | changes
    file.write_text(json.dumps(content))
    return str(file)


@pytest.fixture
def neighbour() -> Neighbour:
    return Neighbour("https://neighbour.example")


def test_our_card_says_how_we_are_reached_and_nothing_secret(terminal: Terminal, tmp_path: Path) -> None:
    out = tmp_path / "ours.json"
    made = terminal.json("peer", "card", "--name", "Country A", "--country", "NL", "--out", str(out))
    read = Card.read(out.read_bytes())
    keyring = terminal.service.keyring
    assert (read.name, read.country, read.address) == ("Country A", "NL", terminal.service.address)
    assert (read.kid, read.recipient) == (keyring.peer["kid"], age.recipient_of(keyring.peer_identity))
    assert made["fingerprint"] == read.fingerprint
    for secret in (keyring.peer["d"], keyring.peer_identity):
        assert secret not in out.read_text()


def test_who_cannot_be_called_is_told_when_its_card_is_made(terminal: Terminal, tmp_path: Path) -> None:
    words = ("peer", "card", "--name", "Country A", "--country", "NL", "--out", str(tmp_path / "ours.json"))
    assert "set WARDLIST_ISSUER" in terminal.run(*words)[1]
    asked = terminal.run(*words, environment={"WARDLIST_ISSUER": "https://a.example"})[1]
    assert "telephone" in asked
    assert "WARDLIST_ISSUER" not in asked


def test_a_card_becomes_organisation_client_and_contact(
    terminal: Terminal, neighbour: Neighbour, tmp_path: Path
) -> None:
    words = ("peer", "add", card_of(tmp_path, neighbour), "--list", LIST)
    added = terminal.json(*words, "--fingerprint", neighbour.card.fingerprint)
    assert added["fingerprint"] == neighbour.card.fingerprint
    (organisation,) = terminal.json("org", "list")["organisations"]
    assert (organisation["id"], organisation["kind"], organisation["country"]) == (
        added["organisation"],
        "hotline",
        "DE",
    )
    (client,) = terminal.json("client", "list")["clients"]
    assert (client["client_id"], client["scopes"]) == (added["client_id"], ["entries:read", "entries:write"])
    assert client["kids"] == [neighbour.key["kid"]]
    (contact,) = terminal.json("contact", "list")["contacts"]
    assert (contact["kind"], contact["country"], contact["channel"], contact["address"]) == (
        "partner_hotline",
        "DE",
        "peer",
        added["organisation"],
    )
    (shown,) = terminal.json("peer", "list")["peers"]
    assert (shown["in_force"], shown["list"], shown["waiting"], shown["failed"]) == (True, LIST, 0, 0)
    assert shown["fingerprints"] == [neighbour.card.fingerprint]
    assert terminal.rows("peer", "list", columns=200)[1][1:6] == ["DE", LIST, "yes", "0", "0"]
    with terminal.service.database.reading() as session:
        assert "neighbour.example" not in json.dumps(leaves(session))
    replay(terminal.service)


def test_the_fingerprint_is_shown_to_be_read_out(
    terminal: Terminal, neighbour: Neighbour, tmp_path: Path
) -> None:
    said, asked = terminal.run("peer", "add", card_of(tmp_path, neighbour), "--list", LIST)
    assert neighbour.card.fingerprint in said
    assert "telephone" in asked
    assert "wardlist peer end" in asked


def test_what_is_not_the_peers_card_adds_nobody(
    terminal: Terminal, neighbour: Neighbour, tmp_path: Path
) -> None:
    other = Neighbour("https://other.example").card.fingerprint
    before = terminal.service.state()
    good = card_of(tmp_path, neighbour)
    terminal.run("peer", "add", good, "--list", LIST, "--fingerprint", other, code=1)
    terminal.run("peer", "add", good, "--list", "no-such-list", code=1)
    terminal.run("peer", "add", str(tmp_path / "missing.json"), "--list", LIST, code=1)
    for changes in ({"address": "https://other.example"}, {"jwk": jose.public_part(jose.generate())}):
        terminal.run("peer", "add", card_of(tmp_path, neighbour, **changes), "--list", LIST, code=1)
    assert terminal.service.state() == before


def test_an_address_that_would_not_be_called_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    before = terminal.service.state()
    for address in ("http://neighbour.example", "https://10.0.0.1", "https://a:b@neighbour.example"):
        said = terminal.run("peer", "add", card_of(tmp_path, Neighbour(address)), "--list", LIST, code=1)
        assert "address" in said[1]
    assert terminal.service.state() == before


def test_nobody_is_a_peer_of_itself(terminal: Terminal, tmp_path: Path) -> None:
    out = str(tmp_path / "ours.json")
    terminal.run("peer", "card", "--name", "Country A", "--country", "NL", "--out", out)
    assert "own card" in terminal.run("peer", "add", out, "--list", LIST, code=1)[1]


def test_an_ended_peer_is_suspended_and_comes_back_with_its_newest_card(
    terminal: Terminal, neighbour: Neighbour, tmp_path: Path
) -> None:
    added = terminal.json("peer", "add", card_of(tmp_path, neighbour), "--list", LIST)["organisation"]
    terminal.run("peer", "end", added)
    assert terminal.json("peer", "list")["peers"][0]["in_force"] is False
    assert terminal.json("org", "list")["organisations"][0]["suspended"] is True
    assert terminal.json("contact", "list")["contacts"] == []
    assert "no such peer in force" in terminal.run("peer", "end", added, code=1)[1]
    neighbour.address = "https://moved.example"
    again = terminal.json("peer", "add", card_of(tmp_path, neighbour), "--list", LIST)
    assert again["organisation"] == added
    (shown,) = terminal.json("peer", "list")["peers"]
    assert (shown["in_force"], shown["address"]) == (True, "https://moved.example")
    assert len(terminal.json("contact", "list")["contacts"]) == 1
    assert terminal.json("org", "list")["organisations"][0]["suspended"] is False
    replay(terminal.service)
