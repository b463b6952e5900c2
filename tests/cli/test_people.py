"""People of the console, by the operator's commands; whom they let in shows in the console itself."""

import json

import pytest

from app.core import signup
from app.core.terms import Kind
from tests.cli.terminal import Terminal
from tests.programs.service import leaves
from tests.programs.webclient import WebClient

ACCOUNT = "/console/account"


def invited(terminal: Terminal, organisation: str, *more: str, scope: str = "entries:read") -> dict[str, str]:
    words = ("--org", organisation, "--name", "Ada Example", "--scope", scope)
    found: dict[str, str] = terminal.json("person", "invite", *words, *more)
    return found


def enrolled(terminal: Terminal, invitation: str) -> WebClient:
    """Somebody who followed the link."""
    link, _, token = invitation.partition("#")
    assert link == f"{terminal.service.settings.console}/console/enrol"
    client = WebClient(terminal.service)
    assert client.enrol(token).status_code == 200
    assert client.sign_in().status_code == 303
    return client


def is_in(client: WebClient) -> bool:
    return client.get(ACCOUNT).status_code == 200


def test_an_invitation_is_a_link_that_lets_somebody_in_once(terminal: Terminal) -> None:
    hotline = terminal.service.organisation(Kind.HOTLINE, "Hotline")
    made = invited(terminal, hotline)
    assert "Ada Example" in enrolled(terminal, made["invitation"]).get(ACCOUNT).text
    assert WebClient(terminal.service).enrol(made["invitation"].partition("#")[2]).status_code == 404
    said, _ = terminal.run(
        "person", "invite", "--org", hotline, "--name", "Bo", "--scope", "entries:read entries:write"
    )
    assert "/console/enrol#" in said


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--name", "Ada", "--scope", "admin"], "scope"),
        (["--name", "Ada", "--scope", "everything"], "scope"),
        (["--name", "  ", "--scope", "entries:read"], "name"),
        (["--name", "a" * 101, "--scope", "entries:read"], "name"),
        (["--name", "a\tb", "--scope", "entries:read"], "name"),
    ],
)
def test_nobody_is_invited_to_more_than_their_kind_may(
    terminal: Terminal, words: list[str], fault: str
) -> None:
    hotline = terminal.service.organisation(Kind.HOTLINE)
    assert fault in terminal.run("person", "invite", "--org", hotline, *words, code=1)[1]
    assert terminal.json("person", "list")["people"] == []


def test_nobody_is_invited_for_an_organisation_that_is_not_there(terminal: Terminal) -> None:
    words = ("--org", "nobody", "--name", "Ada", "--scope", "entries:read")
    assert "organisation" in terminal.run("person", "invite", *words, code=1)[1]


def test_a_new_invitation_ends_the_one_before(terminal: Terminal) -> None:
    made = invited(terminal, terminal.service.organisation(Kind.HOTLINE))
    again = terminal.json("person", "again", made["person"])
    assert again["person"] == made["person"]
    assert WebClient(terminal.service).enrol(made["invitation"].partition("#")[2]).status_code == 404
    assert is_in(enrolled(terminal, again["invitation"]))
    assert "no such person" in terminal.run("person", "again", "nobody", code=1)[1]


def test_people_by_organisation_with_their_passkeys(terminal: Terminal) -> None:
    body, isp = (terminal.service.organisation(kind, kind.value) for kind in (Kind.REVIEW_BODY, Kind.ISP))
    lead = invited(terminal, body, "--lead", scope="reviews:write")
    invited(terminal, isp, scope="lists:read")
    enrolled(terminal, lead["invitation"])
    assert len(terminal.json("person", "list")["people"]) == 2
    (found,) = terminal.json("person", "list", "--org", body)["people"]
    assert (found["person"], found["lead"], found["passkeys"]) == (lead["person"], True, 1)
    assert "Ada" in " ".join(word for row in terminal.rows("person", "list", columns=120) for word in row)


def test_a_reviewers_passkey_is_certified(terminal: Terminal) -> None:
    body = terminal.service.organisation(Kind.REVIEW_BODY)
    made = invited(terminal, body, scope="reviews:write entries:read")
    out = str(terminal.folder / "key.json")
    assert "no passkey" in terminal.run("person", "key", made["person"], "--out", out, code=1)[1]
    assert "no passkey" in terminal.run("person", "certify", made["person"], code=1)[1]
    client = enrolled(terminal, made["invitation"])
    assert "not yet" in client.get(ACCOUNT).text
    key = terminal.json("person", "key", made["person"], "--out", out)
    written = json.loads((terminal.folder / "key.json").read_text())
    assert (written["client_id"], written["jwk"]["rp_id"]) == (made["client_id"], "localhost")
    assert "d" not in written["jwk"]
    assert signup.fingerprint(key["kid"]) in client.get(ACCOUNT).text
    offline = terminal.service.settings.offline
    offline.rename(away := terminal.folder / "media")
    assert "wardlist register certify" in terminal.run("person", "certify", made["person"], code=1)[1]
    away.rename(offline)
    assert terminal.json("person", "certify", made["person"])["certified"] == [key["kid"]]
    assert terminal.json("person", "certify", made["person"])["certified"] == []
    assert "certified already" in terminal.run("person", "certify", made["person"])[0]
    assert "by your review body" in client.get(ACCOUNT).text


def test_a_revoked_passkey_is_out_at_once_and_is_not_given_out_again(terminal: Terminal) -> None:
    made = invited(terminal, terminal.service.organisation(Kind.HOTLINE))
    client, out = enrolled(terminal, made["invitation"]), str(terminal.folder / "key.json")
    key = terminal.json("person", "key", made["person"], "--out", out)
    terminal.run("client", "revoke-key", key["kid"])
    assert not is_in(client)
    assert client.sign_in().status_code == 422
    assert "no passkey" in terminal.run("person", "key", made["person"], "--out", out, code=1)[1]


def test_who_leaves_is_out_and_no_name_is_left(terminal: Terminal) -> None:
    made = invited(terminal, terminal.service.organisation(Kind.HOTLINE))
    client = enrolled(terminal, made["invitation"])
    terminal.run("person", "end", made["person"])
    assert not is_in(client)
    assert client.sign_in().status_code == 422
    assert terminal.json("person", "list")["people"] == []
    assert "no such person" in terminal.run("person", "end", made["person"], code=1)[1]
    assert not [line for line in terminal.service.state() if "Ada Example" in line]
    with terminal.service.database.reading() as session:
        assert [leaf["type"] for leaf in leaves(session)][-1] == "client.revoked"
