"""The root's ceremony on files: 2 of 3 of the old and of the new keys, or nothing changes."""

import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from app.platform.signers import ONLINE
from tests.cli.terminal import Terminal
from tests.keys.clients import list_one, plain_client
from tests.programs.service import LIST, Service

_HOUR = timedelta(hours=1, minutes=1)


@pytest.fixture
def offline(service: Service, tmp_path: Path) -> Path:
    """The offline keys, moved away from the installation."""
    return service.settings.offline.rename(tmp_path / "media")


def sign(terminal: Terminal, proposal: Path, *keys: Path) -> dict[str, Any]:
    found = {}
    for key in keys:
        found = terminal.json("tuf", "root", "sign", str(proposal), "--key", str(key))
    return found


def served_root(service: Service, version: int) -> int:
    return httpx.get(f"{service.address}/tuf/metadata/{version}.root.json").status_code


def test_a_timestamp_key_is_changed_by_two_offline_keys_and_clients_walk_along(
    terminal: Terminal,
    hotline: Connection,
    reviewer: Connection,
    offline: Path,
    tmp_path: Path,
) -> None:
    service, isp = terminal.service, _provider(terminal, tmp_path)
    list_one(service, hotline, reviewer, "https://a.example.test/1")
    assert terminal.json(*isp)["version"] == 1
    plain_client(service, tmp_path / "plain").refresh()
    before = {line["role"]: line["id"] for line in terminal.json("keys", "status")["keys"]}
    proposal = tmp_path / "root-2.json"
    made = terminal.json("keys", "rotate", "timestamp", "--out", str(proposal))
    assert any(change == f"timestamp: {before['timestamp']} goes" for change in made["changes"])

    sign(terminal, proposal, offline / "root-1.pem")
    assert "2 keys of the root in force must sign, 1 did" in _refused(terminal, proposal)
    sign(terminal, proposal, offline / "root-1.pem")
    assert "1 did" in _refused(terminal, proposal), "one key twice is one"
    sign(terminal, proposal, offline / "register-1.pem", offline / "register-2.pem")
    assert "1 did" in _refused(terminal, proposal), "the register's keys are not the root's"
    sign(terminal, proposal, offline / "root-3.pem")
    before_it = str(service.settings.public / "metadata" / "1.root.json")
    shown = terminal.json("tuf", "root", "show", str(proposal), "--current", before_it)
    assert shown == terminal.json("tuf", "root", "show", str(proposal))
    assert shown["signatures"]["root in force"]["signed"] == 2
    assert terminal.json("tuf", "root", "accept", str(proposal)) == {"version": 2, "is_in_force": False}
    assert terminal.json("tuf", "root", "show")["waiting"] == 2
    assert served_root(service, 2) == 404

    list_one(service, hotline, reviewer, "https://b.example.test/1")
    assert served_root(service, 1) == served_root(service, 2) == 200
    assert terminal.json(*isp)["version"] == 2
    plain_client(service, tmp_path / "plain").refresh()
    plain_client(service, tmp_path / "late").refresh()
    now = {
        line["role"]: line
        for line in terminal.json("keys", "status")["keys"]
        if line["standing"] == "in force"
    }
    assert now["timestamp"]["id"] != before["timestamp"]
    assert now["snapshot"]["id"] == before["snapshot"]
    service.clock.ahead += _HOUR
    service.publish()
    held = service.settings.keys / "tuf" / "leaving" / "timestamp.pem"
    assert not held.exists()
    plain_client(service, tmp_path / "plain").refresh()


@pytest.mark.parametrize("lost", [("timestamp",), ("snapshot",), ("targets",), ONLINE])
def test_online_keys_that_were_lost_are_replaced(
    terminal: Terminal, offline: Path, tmp_path: Path, lost: tuple[str, ...]
) -> None:
    service, proposal = terminal.service, tmp_path / "root-2.json"
    service.publish()
    plain_client(service, tmp_path / "plain").refresh()
    for role in lost:
        (service.settings.keys / "tuf" / f"{role}.pem").unlink()
    words = [word for role in lost for word in ("--online", role)]
    terminal.json("tuf", "root", "propose", *words, "--out", str(proposal))
    sign(terminal, proposal, offline / "root-1.pem", offline / "root-3.pem")
    terminal.json("tuf", "root", "accept", str(proposal))
    service.publish()
    for folder in ("plain", "late"):
        plain_client(service, tmp_path / folder).refresh()
    terminal.json("keys", "status")


def test_a_root_key_that_was_lost_is_replaced_by_the_other_two(
    terminal: Terminal, offline: Path, tmp_path: Path
) -> None:
    service = terminal.service
    service.publish()
    lost = terminal.json("tuf", "root", "show")["roles"]["root"]["keys"][1]
    made = terminal.json("tuf", "root", "key", "--out", str(tmp_path / "root-4.pem"))
    assert (tmp_path / "root-4.pem").stat().st_mode & 0o777 == 0o600
    proposal = tmp_path / "root-2.json"
    options = ("--add", made["public"], "--remove", lost[:12])
    terminal.json("tuf", "root", "propose", "--out", str(proposal), *options)
    sign(terminal, proposal, offline / "root-1.pem", tmp_path / "root-4.pem")
    assert "2 keys of the root in force must sign, 1 did" in _refused(terminal, proposal)
    sign(terminal, proposal, offline / "root-3.pem")
    terminal.json("tuf", "root", "accept", str(proposal))
    service.publish()
    plain_client(service, tmp_path / "plain").refresh()
    keys = terminal.json("tuf", "root", "show")["roles"]["root"]["keys"]
    assert lost not in keys
    assert made["key_id"] in keys
    following = tmp_path / "root-3.json"
    terminal.json("tuf", "root", "propose", "--out", str(following))
    assert not sign(terminal, following, offline / "root-2.pem")["is_own"]
    sign(terminal, following, offline / "root-1.pem")
    assert "1 did" in _refused(terminal, following), "the key that went signs nothing any more"
    sign(terminal, following, tmp_path / "root-4.pem")
    terminal.json("tuf", "root", "accept", str(following))
    service.publish()
    assert served_root(service, 3) == 200
    plain_client(service, tmp_path / "plain").refresh()


def test_what_a_root_may_not_say_is_refused(terminal: Terminal, offline: Path, tmp_path: Path) -> None:
    service = terminal.service
    service.publish()
    proposal = tmp_path / "root-2.json"
    keys = terminal.json("tuf", "root", "show")["roles"]["root"]["keys"]
    propose = ("tuf", "root", "propose", "--out", str(proposal))
    assert "3 keys" in terminal.json(*propose, "--remove", keys[0], code=1)["error"]
    assert "no root key" in terminal.json(*propose, "--remove", "zz", code=1)["error"]
    assert "none of" in terminal.json(*propose, "--online", "root", code=1)["error"]
    assert "No such file" in terminal.json(*propose, "--add", "/nowhere.pem", code=1)["error"]

    def tampered(change: Any) -> str:
        proposal.unlink(missing_ok=True)
        terminal.json(*propose)
        found = json.loads(proposal.read_bytes())
        change(found["signed"])
        proposal.write_text(json.dumps(found))
        sign(terminal, proposal, offline / "root-1.pem", offline / "root-2.pem")
        return _refused(terminal, proposal)

    assert "version 2 of the root comes next" in tampered(lambda root: root.update(version=3))
    assert "ended" in tampered(lambda root: root.update(expires="2020-01-01T00:00:00Z"))
    assert "2 signatures" in tampered(lambda root: root["roles"]["root"].update(threshold=1))
    assert "register" in tampered(lambda root: root["wardlist_register"].update(threshold=1))
    assert "not here" in tampered(
        lambda root: root["roles"]["timestamp"].update(keyids=list(root["roles"]["snapshot"]["keyids"]))
    )
    assert "puts a root key online" in tampered(
        lambda root: root["roles"]["timestamp"].update(keyids=[keys[0]])
    )
    assert "same key" in tampered(lambda root: _twice(root, "root", keys[0]))
    assert "puts a root key online" in tampered(lambda root: _twice(root, "timestamp", keys[0]))
    for text in ("", "[]", '{"signed": {}}', '{"signatures": [], "signed": {"_type": "targets"}}'):
        proposal.write_text(text)
        assert "no file of" in _refused(terminal, proposal)
    service.publish()
    assert served_root(service, 2) == 404


def test_a_proposal_that_has_signatures_is_not_lost_to_a_new_one(
    terminal: Terminal, offline: Path, tmp_path: Path
) -> None:
    terminal.service.publish()
    proposal = tmp_path / "root-2.json"
    propose = ("tuf", "root", "propose", "--out", str(proposal))
    terminal.json(*propose)
    terminal.json(*propose)
    sign(terminal, proposal, offline / "root-1.pem")
    signed, keys = proposal.read_bytes(), set((terminal.service.settings.keys / "tuf").iterdir())
    for again in (propose, ("keys", "rotate", "timestamp", "--out", str(proposal))):
        assert "holds signatures" in terminal.json(*again, code=1)["error"]
    assert proposal.read_bytes() == signed
    assert set((terminal.service.settings.keys / "tuf").iterdir()) == keys
    sign(terminal, proposal, offline / "root-2.pem")
    terminal.json("tuf", "root", "accept", str(proposal))
    terminal.service.publish()
    terminal.json(*propose)


def _twice(root: Any, role: str, keyid: str) -> None:
    """Give one of the root's keys another id, under which it counts once more."""
    again = copy.deepcopy(root["keys"][keyid])
    again["keyval"]["public"] = again["keyval"]["public"].upper()
    root["keys"]["0" * 64] = again
    kept = root["roles"]["root"]["keyids"][:2] if role == "root" else []
    root["roles"][role]["keyids"] = [*kept, "0" * 64]


def test_a_signed_root_that_was_changed_afterwards_counts_for_nothing(
    terminal: Terminal, offline: Path, tmp_path: Path
) -> None:
    terminal.service.publish()
    proposal = tmp_path / "root-2.json"
    terminal.json("tuf", "root", "propose", "--out", str(proposal))
    sign(terminal, proposal, offline / "root-1.pem", offline / "root-2.pem")
    found = json.loads(proposal.read_bytes())
    found["signed"]["expires"] = "2099-01-01T00:00:00Z"
    proposal.write_text(json.dumps(found))
    assert "0 did" in _refused(terminal, proposal)


def _provider(terminal: Terminal, folder: Path) -> list[str]:
    """The words that install the list, of a subscribed provider that pins the first root."""
    organisation = terminal.service.organisation(Kind.ISP)
    terminal.service.subscribe(organisation)
    (folder / "1.root.json").write_bytes(terminal.service.root)
    words = [
        "isp",
        "sync",
        "--list",
        LIST,
        "--dir",
        str(folder / "isp"),
        "--root",
        str(folder / "1.root.json"),
    ]
    return words + terminal.credentials(Kind.ISP, organisation)


def _refused(terminal: Terminal, proposal: Path) -> str:
    return str(terminal.json("tuf", "root", "accept", str(proposal), code=1)["error"])
