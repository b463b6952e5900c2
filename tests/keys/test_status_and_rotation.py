"""`wardlist keys` beside a running service: nobody who holds an old key, token or list loses anything."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.client.session import Connection
from app.client.store import Store
from app.client.sync import Refused, sync
from app.core import jose, merkle, note
from app.core.manifest import latest_path
from app.core.terms import Kind
from app.core.witness import request
from app.log.tiles import public_log
from app.witness import Refused as Unwitnessed
from app.witness import Witness
from tests.audit.test_exports import make_export
from tests.cli.terminal import Terminal
from tests.keys.clients import list_one, plain_client, sign_list_as
from tests.programs.service import LIST, Service


def jwks(service: Service) -> dict[str, dict[str, Any]]:
    found = httpx.get(f"{service.address}/.well-known/jwks.json").json()["keys"]
    return {key["kid"]: key for key in found}


def test_a_fresh_installation_has_every_key_and_none_is_due(terminal: Terminal) -> None:
    terminal.service.publish()
    found = terminal.json("keys", "status")
    roles = {line["role"]: line for line in found["keys"]}
    assert found["warnings"] == []
    assert {
        "token",
        "manifest",
        "log",
        "peer",
        "peer-age",
        "fingerprint",
        "canary",
        "webhook",
        "notice",
    } <= set(roles)
    assert {"root", "register", "targets", "snapshot", "timestamp", f"list-{LIST}", "epoch"} <= set(roles)
    assert roles["token"]["rotate_by"] > roles["token"]["since"]
    assert roles["root"]["source"] == "offline"
    shown = json.dumps(found)
    keys = terminal.service.settings.keys
    for path in (path for path in keys.rglob("*") if path.is_file() and "public" not in path.parts):
        text = path.read_text()
        secret = (
            json.loads(text)["d"]
            if path.suffix == ".json"
            else text.strip().splitlines()[-2 if path.suffix == ".pem" else 0]
        )
        assert secret not in shown, path.name


def test_an_old_key_and_an_ending_root_are_said_and_end_the_command_with_1(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.service.publish()
    keys = terminal.service.settings.keys
    long_ago = (keys / "tuf" / f"list-{LIST}.pem").stat().st_mtime - 400 * 86_400
    os.utime(keys / "tuf" / f"list-{LIST}.pem", (long_ago, long_ago))
    found = terminal.json("keys", "status", code=1)
    assert [line["role"] for line in found["keys"] if line["warnings"]] == [f"list-{LIST}"]
    monkeypatch.setenv("WARDLIST_KEY_DAYS", "list=5000")
    assert terminal.json("keys", "status")["warnings"] == []
    monkeypatch.setenv("WARDLIST_KEY_WARN_DAYS", "400")
    assert any("root signed ends" in text for text in terminal.json("keys", "status", code=1)["warnings"])


def test_a_token_of_the_old_key_counts_until_it_ends_and_no_longer(
    terminal: Terminal, hotline: Connection
) -> None:
    service = terminal.service
    old_token = hotline.token()
    old_kid = jose.header(old_token)["kid"]
    prepared = terminal.json("keys", "rotate", "token", "--prepare")
    assert set(jwks(service)) >= {prepared["other"], old_kid}
    with service.connect(Kind.HOTLINE) as early:
        assert jose.header(early.token())["kid"] == old_kid
    done = terminal.json("keys", "rotate", "token")
    assert (done["id"], done["other"], done["state"]) == (prepared["other"], old_kid, "done")
    assert hotline.request("GET", "/v1/entries").status_code == 200
    with service.connect(Kind.HOTLINE) as late:
        assert jose.header(late.token())["kid"] == done["id"]
        assert late.request("GET", "/v1/entries").status_code == 200
    service.clock.ahead += timedelta(minutes=11)
    assert old_kid not in jwks(service)
    assert (
        httpx.get(
            f"{service.address}/v1/entries", headers={"Authorization": f"Bearer {old_token}"}
        ).status_code
        == 401
    )
    assert hotline.request("GET", "/v1/entries").status_code == 200


def test_at_once_a_stolen_token_key_signs_for_nobody(terminal: Terminal, hotline: Connection) -> None:
    service = terminal.service
    stolen = service.keyring.token
    kid = str(stolen["kid"])
    genuine = json.loads(jose.unverified(hotline.token()))
    terminal.json("keys", "rotate", "token", "--at-once")
    forged = jose.sign(json.dumps({**genuine, "jti": "other"}).encode(), stolen, typ="at+jwt")
    refused = httpx.get(f"{service.address}/v1/entries", headers={"Authorization": f"Bearer {forged}"})
    assert refused.status_code == 401
    assert kid not in jwks(service)


def test_old_manifests_and_exports_verify_after_their_key_was_changed(
    terminal: Terminal, hotline: Connection, reviewer: Connection, provider: Connection, tmp_path: Path
) -> None:
    service = terminal.service
    list_one(service, hotline, reviewer, "https://a.example.test/1")
    terminal.json("keys", "rotate", "manifest")
    list_one(service, hotline, reviewer, "https://b.example.test/1")
    kids = set()
    for version in (1, 2):
        signed = provider.request("GET", f"/v1/lists/{LIST}/snapshots/{version}/manifest.jws").text
        kid = jose.header(signed)["kid"]
        assert json.loads(jose.verify(signed, jwks(service)[kid]))["version"] == version
        kids.add(kid)
    assert len(kids) == 2
    with service.connect(Kind.AUDITOR) as auditor:
        export = tmp_path / "export.tar.zst"
        export.write_bytes(make_export(service, auditor))
    assert terminal.json("audit", "verify", str(export))["manifests"] == 2
    terminal.json("keys", "rotate", "manifest", "--at-once")
    assert not kids & set(jwks(service))


def test_a_reader_with_the_old_log_key_follows_until_it_is_ended(terminal: Terminal) -> None:
    service = terminal.service
    service.publish()
    old = str(public_log(service.settings, service.keyring).verifier)
    verify = ("log", "verify", service.address, "--vkey")
    terminal.json("keys", "rotate", "log", "--prepare")
    service.publish()
    assert terminal.json(*verify, old)["verified"]
    done = terminal.json("keys", "rotate", "log")
    assert done["state"] == "overlap"
    new = str(public_log(service.settings, service.keyring).verifier)
    assert new != old
    service.publish()
    assert terminal.json(*verify, old)["verified"]
    assert terminal.json(*verify, new)["verified"]
    assert terminal.json("keys", "rotate", "log") == done
    terminal.json("keys", "rotate", "log", "--end")
    service.publish()
    assert terminal.json(*verify, new)["verified"]
    service.organisation(Kind.HOTLINE)
    service.publish()
    refused = terminal.json(*verify, old, code=1)["error"]
    assert "no known key" in refused
    assert "get the new one from the operator" in refused
    head = (service.settings.log / "checkpoint").read_bytes()
    assert len(note.read(head, [note.Verifier.parse(new)])[1]) == 1


def _node(level: int, index: int) -> bytes:
    """Of a log of some leaves."""
    if level == 0:
        return merkle.leaf_hash(bytes([index]))
    return merkle.node_hash(_node(level - 1, 2 * index), _node(level - 1, 2 * index + 1))


def test_a_witness_cosigns_through_the_change_of_the_log_s_key(terminal: Terminal, tmp_path: Path) -> None:
    service, keyring = terminal.service, terminal.service.keyring
    origin, key = service.settings.log_origin, note.Signer.generate("w.example", note.COSIGNATURE)
    old = keyring.log_verifiers(origin)[0]

    def cosigned(size: int, before: int, *logs: note.Verifier) -> str:
        checkpoint = note.Checkpoint(origin, size, merkle.tree_root(size, _node))
        signed = note.sign(checkpoint.text(), *keyring.log_signers(origin))
        proof = merkle.consistency_proof(before, size, _node) if before else []
        return Witness(tmp_path / "witness.db", key, list(logs)).add(request(before, proof, signed))

    assert cosigned(1, 0, old)
    terminal.json("keys", "rotate", "log")
    new = keyring.log_verifiers(origin)[0]
    assert cosigned(2, 1, old)
    assert cosigned(3, 2, old, new)
    terminal.json("keys", "rotate", "log", "--end")
    with pytest.raises(Unwitnessed, match="no known key"):
        cosigned(4, 3, old)
    assert cosigned(4, 3, old, new)


def test_a_list_s_key_is_changed_and_every_client_goes_along(
    terminal: Terminal, hotline: Connection, reviewer: Connection, provider: Connection, tmp_path: Path
) -> None:
    service, store = terminal.service, Store(tmp_path / "isp")
    list_one(service, hotline, reviewer, "https://a.example.test/1")
    old = service.settings.keys / "tuf" / f"list-{LIST}.pem"
    stolen = old.read_bytes()
    assert sync(provider, LIST, store, service.root).version == 1
    plain_client(service, tmp_path / "plain").refresh()
    done = terminal.json("keys", "rotate", f"list-{LIST}")
    assert not done["is_in_force"]
    standing = {line["id"]: line["standing"] for line in terminal.json("keys", "status")["keys"]}
    assert standing[done["id"]] == "announced"
    list_one(service, hotline, reviewer, "https://b.example.test/1")
    assert sync(provider, LIST, store, service.root).version == 2
    again = plain_client(service, tmp_path / "plain")
    assert again.get_targetinfo(latest_path(LIST)) is not None
    assert old.read_bytes() != stolen
    line = next(one for one in terminal.json("keys", "status")["keys"] if one["role"] == f"list-{LIST}")
    assert (line["id"], line["standing"]) == (done["id"], "in force")


def test_what_a_stolen_list_key_signs_after_the_change_is_refused(
    terminal: Terminal, hotline: Connection, reviewer: Connection, provider: Connection, tmp_path: Path
) -> None:
    service, store = terminal.service, Store(tmp_path / "isp")
    list_one(service, hotline, reviewer, "https://a.example.test/1")
    stolen = (service.settings.keys / "tuf" / f"list-{LIST}.pem").read_bytes()
    terminal.json("keys", "rotate", f"list-{LIST}")
    service.publish()
    assert sync(provider, LIST, store, service.root).version == 1
    sign_list_as(service, stolen)
    with pytest.raises(Refused):
        sync(provider, LIST, store, service.root)


@pytest.mark.parametrize(
    ("role", "how"),
    [
        ("root", "wardlist tuf root"),
        ("register", "register propose"),
        ("dkim", "selector"),
        ("notice", "docs/keys.md has how"),
        ("epoch", "docs/keys.md has how"),
        ("match-national-url", "docs/keys.md has how"),
        ("nonsense", "no such key to rotate: nonsense"),
    ],
)
def test_of_a_key_that_is_changed_otherwise_it_is_said_how(terminal: Terminal, role: str, how: str) -> None:
    assert how in terminal.run("keys", "rotate", role, code=1)[1]
