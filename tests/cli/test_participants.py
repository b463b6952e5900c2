"""Who takes part, as the operator sees it; keys that their owners made."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from app.cli.main import app
from app.client.session import Connection
from app.core import age, jose, signup
from app.core.terms import Kind
from app.identity import service as identity
from app.identity.permissions import Scope
from tests.cli.terminal import Terminal
from tests.programs.service import LIST, approve, new_entry


def wrote(folder: Path, content: Any) -> str:
    file = folder / "owner.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


def test_organisations_by_kind_suspended_ones_too(terminal: Terminal) -> None:
    ids = {name: terminal.service.organisation(Kind.ISP, name) for name in ("Gone", "Here [b]")}
    terminal.service.organisation(Kind.HOTLINE, "Hotline")
    terminal.run("org", "suspend", ids["Gone"])
    found = terminal.json("org", "list", "--kind", "isp")["organisations"]
    assert found == [
        {"id": ids["Gone"], "kind": "isp", "name": "Gone", "country": "NL", "suspended": True},
        {"id": ids["Here [b]"], "kind": "isp", "name": "Here [b]", "country": "NL", "suspended": False},
    ]
    assert len(terminal.json("org", "list")["organisations"]) == 3
    rows = terminal.rows("org", "list", "--kind", "isp")
    assert rows[1:] == [
        [ids["Gone"], "isp", "NL", "yes", "Gone"],
        [ids["Here [b]"], "isp", "NL", "no", "Here", "[b]"],
    ]


def test_clients_with_scopes_and_keys_in_force(terminal: Terminal) -> None:
    owner = terminal.service.organisation(Kind.ISP, "Owner")
    first = terminal.service.credentials(owner, {Scope.LISTS_READ, Scope.RECEIPTS_WRITE})
    other = terminal.service.credentials(terminal.service.organisation(Kind.HOTLINE), {Scope.ENTRIES_READ})
    added = terminal.json("client", "rotate", first.client_id, "--out", str(terminal.folder / "two.json"))
    terminal.run("client", "revoke-key", first.private_jwk["kid"])
    terminal.run("client", "revoke", other.client_id)
    (found,) = terminal.json("client", "list", "--org", owner)["clients"]
    assert found["scopes"] == ["lists:read", "receipts:write"]
    assert (found["kids"], found["revoked"], found["name"]) == ([added["kid"]], False, "Owner")
    everyone = terminal.json("client", "list")["clients"]
    assert [(one["client_id"], one["revoked"]) for one in everyone] == [
        (first.client_id, False),
        (other.client_id, True),
    ]
    rows = terminal.rows("client", "list", "--org", owner)
    assert rows[1][:5] == [first.client_id, owner, "Owner", added["kid"], "no"]
    assert "no such organisation" in terminal.run("client", "list", "--org", "nobody", code=1)[1]


def test_an_organisation_gets_another_name(terminal: Terminal) -> None:
    one, _ = (terminal.service.organisation(Kind.ISP, name) for name in ("One", "Taken"))
    assert terminal.json("org", "rename", one, " Uno ") == {"id": one, "name": "Uno"}
    assert terminal.json("org", "rename", one, "Uno")["name"] == "Uno"
    before = terminal.service.state()
    assert "exists" in terminal.run("org", "rename", one, "Taken", code=1)[1]
    assert "no such organisation" in terminal.run("org", "rename", "nobody", "Name", code=1)[1]
    for name in ("", "\x1b[31mred", "two\nlines", "\udcff"):
        assert "name: give a name" in terminal.run("org", "rename", one, name, code=1)[1]
    assert terminal.service.state() == before


def test_a_private_key_is_written_over_no_file(terminal: Terminal) -> None:
    body = terminal.service.organisation(Kind.REVIEW_BODY)
    out = terminal.folder / "reviewer.json"
    add = ("client", "add", "--org", body, "--scope", "reviews:write", "--out", str(out))
    client = terminal.json(*add)["client_id"]
    before, kept = terminal.service.state(), out.read_bytes()
    for words in (
        add,
        ("client", "rotate", client, "--out", str(out)),
        ("register", "body-key", "--out", str(out)),
    ):
        assert "a key is never replaced" in terminal.json(*words, code=1)["error"]
    assert terminal.service.state() == before
    assert out.read_bytes() == kept


@pytest.mark.parametrize("scope", ["reviews:write", "appeals:decide entries:read"])
def test_who_signs_decisions_is_told_that_its_key_needs_a_certificate(terminal: Terminal, scope: str) -> None:
    with terminal.service.database.writing() as session:
        body = identity.add_organisation(session, Kind.REVIEW_BODY, "New", "NL", terminal.service.clock()).id
    out = str(terminal.folder / "decider.json")
    said = terminal.run("client", "add", "--org", body, "--scope", scope, "--out", out)[1]
    assert "wardlist register certify" in said


@pytest.mark.parametrize(
    ("secret", "beginning"),
    [(73, "-uFp"), (348, "--i7")],
)
def test_a_key_is_revoked_whose_id_begins_like_an_option(
    terminal: Terminal, secret: int, beginning: str
) -> None:
    owner = terminal.service.organisation(Kind.ISP, "Owner")
    client = terminal.service.credentials(owner, {Scope.LISTS_READ})
    point = ec.derive_private_key(secret, ec.SECP256R1()).public_key().public_numbers()
    x, y = (base64.urlsafe_b64encode(n.to_bytes(32, "big")).rstrip(b"=").decode() for n in (point.x, point.y))
    jwk = wrote(terminal.folder, {"kty": "EC", "crv": "P-256", "x": x, "y": y})
    kid = terminal.json("client", "rotate", client.client_id, "--jwk", jwk)["kid"]
    assert kid.startswith(beginning)
    terminal.json("client", "revoke-key", kid)
    (found,) = terminal.json("client", "list", "--org", owner)["clients"]
    assert found["kids"] == [client.private_jwk["kid"]]
    assert "no such key" in terminal.run("client", "revoke-key", "--jsn", code=1)[1]


def test_lists_with_version_and_subscribers(
    terminal: Terminal, provider: Connection, hotline: Connection, reviewer: Connection
) -> None:
    terminal.service.add_list("empty", title="Another")
    approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry()).json())
    terminal.service.publish()
    (one,) = terminal.json("list", "show", LIST)["lists"]
    assert (one["title"], one["confidentiality"], one["newest_version"]) == ("A list", "plain", 1)
    (subscriber,) = one["subscribers"]
    both = terminal.json("list", "show")["lists"]
    assert [(found["name"], len(found["subscribers"])) for found in both] == [("empty", 0), (LIST, 1)]
    rows = terminal.rows("list", "show", LIST)
    assert rows[1] == [LIST, "plain", "1", "A", "list"]
    assert rows[3][:2] == [LIST, subscriber["organisation"]]
    assert "create the list first" in terminal.run("list", "show", "nope", code=1)[1]


def test_coverage_and_webhooks_show_whole_ids_and_names(terminal: Terminal) -> None:
    owner = terminal.service.organisation(Kind.ISP, "A provider")
    terminal.service.subscribe(owner)
    terminal.service.publish()
    operator = terminal.credentials(Kind.OPERATOR)
    rows = terminal.rows("list", "coverage", LIST, *operator)
    assert (rows[1][0], rows[1][-2:]) == (owner, ["A", "provider"])
    (row,) = terminal.json("list", "coverage", LIST, *operator)["providers"]
    assert (row["organisation"], row["name"]) == (owner, "A provider")
    isp = terminal.credentials(Kind.ISP, owner)
    address = "https://isp.example/wardlist/of/a/very/long/name/indeed"
    made = terminal.json("isp", "webhook", "add", address, *isp)
    (found,) = terminal.json("isp", "webhook", "list", *isp)["webhooks"]
    assert terminal.rows("isp", "webhook", "list", *isp)[1] == [made["id"], found["created_at"], address]


def test_what_falls_due_is_shown_whole_on_a_narrow_terminal(terminal: Terminal) -> None:
    credentials = terminal.credentials(Kind.HOTLINE)
    legal = ["--ground", "lanzarote-20-1-b", "--material", "lanzarote-20-2-conduct-real", "--country", "NL"]
    said = ["--statement", new_entry()["statement"], "--list", LIST]
    (entry,) = terminal.json("submit", *credentials, *legal, *said, "https://a.example.test/1")["entries"]
    with terminal.service.connect(Kind.REVIEW_BODY) as reviewer:
        approve(reviewer, entry)
    (due,) = terminal.json("due", "--within-days", "365", *credentials)["entries"]
    rows = terminal.rows("due", "--within-days", "365", *credentials)
    assert rows[1] == [entry["id"], due["recheck_by"], LIST, "url", "approved"]


def test_an_owner_makes_its_next_key_itself(terminal: Terminal) -> None:
    owner = terminal.service.organisation(Kind.ISP)
    old = terminal.service.credentials(owner, {Scope.LISTS_READ})
    signed_up = json.loads(signup.Signup.made("P", "NL", private := jose.generate(), [age.generate()[1]]))
    before = set(terminal.folder.iterdir())
    rotate = ["client", "rotate", old.client_id, "--jwk"]
    done = terminal.json(*rotate, wrote(terminal.folder, signed_up))
    assert done == {
        "client_id": old.client_id,
        "kid": private["kid"],
        "fingerprint": signup.fingerprint(private["kid"]),
        "out": None,
    }
    other = jose.generate()
    terminal.run(*rotate, wrote(terminal.folder, jose.public_part(other)))
    assert set(terminal.folder.iterdir()) - before == {terminal.folder / "owner.json"}
    (found,) = terminal.json("client", "list", "--org", owner)["clients"]
    assert set(found["kids"]) == {old.private_jwk["kid"], private["kid"], other["kid"]}


def test_what_is_no_public_key_is_refused(terminal: Terminal) -> None:
    owner = terminal.service.organisation(Kind.ISP)
    client = terminal.service.credentials(owner, {Scope.LISTS_READ})
    forged = json.loads(signup.Signup.made("P", "NL", jose.generate(), [age.generate()[1]]))
    forged["jwk"] = jose.public_part(jose.generate())
    before = terminal.service.state()
    rotate = ["client", "rotate", client.client_id]
    for content, said in (
        (jose.generate(), "private key"),
        (forged, "no key is added"),
        ({"kty": "oct", "k": "AAAA"}, "EC key"),
        ([], "not a JWK"),
        ("{", "not JSON"),
        (jose.public_part(client.private_jwk), "registered already"),
    ):
        assert said in terminal.run(*rotate, "--jwk", wrote(terminal.folder, content), code=1)[1]
    for words in ([], ["--jwk", "none.json", "--out", "x.json"]):
        assert "--jwk" in terminal.run(*rotate, *words, code=1)[1]
    assert "No such file" in terminal.run(*rotate, "--jwk", "none.json", code=1)[1]
    assert terminal.service.state() == before


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000])
def test_bytes_that_are_no_json_end_with_a_clear_word(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    done = CliRunner().invoke(app, ["client", "rotate", "x", "--jwk", str(tmp_path / "key")])
    assert done.exit_code == 1
    assert "not JSON" in done.stderr
