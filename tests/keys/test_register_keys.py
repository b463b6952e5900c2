"""The register's offline keys hand over to others, one by one; a server cannot have them replaced."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from app.core import register
from app.core.register import Authority
from app.core.replay import Deviation, Replay
from app.core.terms import Kind
from app.identity import register as taking_in
from app.log.tiles import public_log
from tests.cli.terminal import Terminal
from tests.keys.clients import list_one, plain_client
from tests.programs.service import LIST, Service, leaf_bodies

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def media(terminal: Terminal, tmp_path: Path) -> Path:
    """The offline keys, and a fourth register key."""
    for number in (4, 5):
        terminal.json("register", "key", "--out", str(tmp_path / f"register-{number}.pem"))
    for path in terminal.service.settings.offline.glob("register-*.pem"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / path.name).chmod(0o600)
    return tmp_path


def authority(service: Service) -> Authority:
    with service.database.reading() as session:
        return taking_in.authority(session)


def proposed(terminal: Terminal, media: Path, *options: str, signers: tuple[int, ...] = ()) -> Path:
    file = media / "next.json"
    file.unlink(missing_ok=True)
    terminal.json("register", "propose", "--out", str(file), *options)
    for number in signers:
        terminal.json("register", "sign", str(file), "--key", str(media / f"register-{number}.pem"))
    return file


def refused(terminal: Terminal, file: Path) -> str:
    return str(terminal.json("register", "publish", str(file), code=1)["error"])


def key_id(media: Path, number: int) -> str:
    file = media / f"register-{number}.pem"
    signed = register.sign(register.propose([], 1, _NOW), file.read_bytes())
    return str(signed["metadata"]["signatures"][0]["keyid"])


def handed_over(terminal: Terminal, media: Path) -> Path:
    options = ("--remove-key", key_id(media, 2)[:16], "--add-key", str(media / "register-4.pub.pem"))
    return proposed(terminal, media, *options, signers=(1, 3))


def resigned(found: dict[str, Any], media: Path) -> dict[str, Any]:
    """The register as it stands there, described and signed anew by keys 1, 3 and 4."""
    raw = rfc8785.dumps(found["register"])
    target = {"hashes": {"sha256": hashlib.sha256(raw).hexdigest()}, "length": len(raw)}
    found["metadata"]["signed"]["targets"] = {register.TARGET: target}
    found["metadata"]["signatures"] = []
    for number in (1, 3, 4):
        found = register.sign(found, (media / f"register-{number}.pem").read_bytes())
    return found


def test_a_lost_key_is_replaced_and_everybody_who_pinned_the_root_goes_along(
    terminal: Terminal, media: Path, hotline: Any, reviewer: Any, tmp_path: Path
) -> None:
    service = terminal.service
    list_one(service, hotline, reviewer, "https://a.example.test/1")
    terminal.json("register", "publish", str(handed_over(terminal, media)))
    service.publish()
    assert set(authority(service).keys) == {key_id(media, number) for number in (1, 3, 4)}
    shown = [line["id"] for line in terminal.json("keys", "status")["keys"] if line["role"] == "register"]
    assert set(shown) == set(authority(service).keys)
    vkey = str(public_log(service.settings, service.keyring).verifier)
    assert terminal.json("log", "verify", service.address, "--vkey", vkey)["verified"]

    assert "2 offline keys must sign" in refused(terminal, proposed(terminal, media, signers=(1, 2)))
    terminal.json("register", "publish", str(proposed(terminal, media, signers=(1, 4))))
    list_one(service, hotline, reviewer, "https://b.example.test/1")
    organisation = service.organisation(Kind.ISP)
    service.subscribe(organisation)
    (tmp_path / "1.root.json").write_bytes(service.root)
    words = ("--list", LIST, "--dir", str(tmp_path / "isp"), "--root", str(tmp_path / "1.root.json"))
    signed_in = terminal.credentials(Kind.ISP, organisation)
    assert terminal.json("isp", "sync", *words, "--log-vkey", vkey, *signed_in)["version"] == 2
    found = plain_client(service, tmp_path / "plain").get_targetinfo(register.TARGET)
    assert found is not None
    assert found.length > 0


def test_keys_that_the_old_or_the_new_ones_did_not_sign_are_refused(terminal: Terminal, media: Path) -> None:
    others = [word for number in (4, 5) for word in ("--add-key", str(media / f"register-{number}.pub.pem"))]
    gone = [word for number in (1, 2) for word in ("--remove-key", key_id(media, number))]
    before = authority(terminal.service)
    assert "2 offline keys must sign" in refused(
        terminal, proposed(terminal, media, *others, *gone, signers=(3, 4, 5))
    )
    assert "of the keys that it names" in refused(
        terminal, proposed(terminal, media, *others, *gone, signers=(1, 2, 3))
    )
    assert authority(terminal.service) == before
    terminal.json("register", "publish", str(proposed(terminal, media, *others, *gone, signers=(1, 2, 4, 5))))
    assert set(authority(terminal.service).keys) == {key_id(media, number) for number in (3, 4, 5)}
    more = ("--remove-key", key_id(media, 3))
    assert (
        "one may be lost"
        in terminal.json("register", "propose", "--out", str(media / "next.json"), *more, code=1)["error"]
    )


def test_a_proposal_that_has_signatures_is_not_lost_to_a_new_one(terminal: Terminal, media: Path) -> None:
    file = proposed(terminal, media)
    propose = ("register", "propose", "--out", str(file))
    terminal.json(*propose)
    terminal.json("register", "sign", str(file), "--key", str(media / "register-1.pem"))
    signed = file.read_bytes()
    assert "holds signatures" in terminal.json(*propose, code=1)["error"]
    assert file.read_bytes() == signed
    terminal.json("register", "sign", str(file), "--key", str(media / "register-2.pem"))
    terminal.json("register", "publish", str(file))
    terminal.json(*propose)


@pytest.mark.parametrize(
    "change",
    [
        lambda stated: stated.update(threshold=1),
        lambda stated: stated.update(threshold=3),
        lambda stated: stated.update(keys={}),
        lambda stated: stated.update(keys={"00" * 32: next(iter(stated["keys"].values()))} | stated["keys"]),
        lambda stated: stated.update(keys=dict.fromkeys(stated["keys"], "zz")),
        lambda stated: stated.update(keys=[]),
    ],
)
def test_keys_that_could_not_be_kept_apart_are_refused(terminal: Terminal, media: Path, change: Any) -> None:
    found = json.loads(handed_over(terminal, media).read_bytes())
    change(found["register"])
    file = media / "next.json"
    file.write_text(json.dumps(resigned(found, media)))
    assert "no signed register" in refused(terminal, file)


def test_replay_refuses_keys_that_a_server_put_into_the_log(terminal: Terminal, media: Path) -> None:
    service = terminal.service
    terminal.json("register", "publish", str(handed_over(terminal, media)))
    bodies = [json.loads(body) for body in leaf_bodies(service)]
    at = next(n for n, leaf in enumerate(bodies) if leaf["type"] == "register.published")
    replayed = Replay()
    for leaf in bodies[: at + 1]:
        replayed.take(leaf)
    assert replayed.opened != replayed.authority
    forged = json.loads(json.dumps(bodies[at]))
    forged["metadata"]["signatures"] = forged["metadata"]["signatures"][:1]
    replayed = Replay()
    for leaf in bodies[:at]:
        replayed.take(leaf)
    with pytest.raises(Deviation, match="2 offline keys must sign the register, 1 did"):
        replayed.take(forged)
