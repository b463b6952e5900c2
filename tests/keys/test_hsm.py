"""Keys in a device that speaks PKCS#11 (SoftHSM here): lists, the online roles and root, signed by ECDSA."""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.client.session import Connection
from app.client.store import Store
from app.client.sync import sync
from app.lists import root_ceremony
from app.lists.repository import Repository
from app.lists.root_ceremony import Changes, Invalid
from app.platform.key_files import KeyUnusable
from app.platform.signers import Signers, offline_signer
from tests.cli.terminal import Terminal
from tests.keys.clients import list_one, plain_client
from tests.programs.service import LIST

LIBRARY = Path("/usr/lib/softhsm/libsofthsm2.so")
UTILITY = shutil.which("softhsm2-util")
PIN, LABEL = "478012", "wardlist"

pytestmark = pytest.mark.skipif(not LIBRARY.exists() or UTILITY is None, reason="softhsm2 is not installed")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token with keys 1 to 3 on P-256 and key 4 on P-384; the library reads its folder once a process."""
    folder = tmp_path_factory.mktemp("hsm")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    os.environ["SOFTHSM2_CONF"], os.environ["PYKCS11LIB"] = str(configuration), str(LIBRARY)
    words = ("--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "87654321")
    subprocess.run([str(UTILITY), *words], check=True, capture_output=True)
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    with pkcs11.lib(str(LIBRARY)).get_token(token_label=LABEL).open(rw=True, user_pin=PIN) as session:
        for number in range(1, 5):
            curve = encode_named_curve_parameters("secp384r1" if number == 4 else "secp256r1")
            domain = session.create_domain_parameters(
                pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: curve}, local=True
            )
            domain.generate_keypair(id=bytes([number]), label=f"key {number}", store=True)
    return folder


@pytest.fixture
def pin(monkeypatch: pytest.MonkeyPatch, token: Path) -> Path:
    """Where the device's PIN is said to be."""
    path = token / "pin"
    path.write_text(f"{PIN}\n")
    path.chmod(0o600)
    monkeypatch.setenv("WARDLIST_KEY_PIN", f"file:{path}")
    return path


def standings(terminal: Terminal) -> list[str]:
    found = terminal.json("keys", "status")["keys"]
    return [line["standing"] for line in found if line["role"] == f"list-{LIST}"]


def at(number: int) -> str:
    return f"hsm:{number}?label={LABEL}"


@pytest.mark.usefixtures("pin")
def test_lists_and_online_roles_move_into_a_device_and_every_client_goes_along(
    terminal: Terminal,
    hotline: Connection,
    reviewer: Connection,
    provider: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service, store = terminal.service, Store(tmp_path / "isp")
    list_one(service, hotline, reviewer, "https://a.example.test/1")
    assert sync(provider, LIST, store, service.root).version == 1
    tuf = service.settings.keys / "tuf"
    variable = "WARDLIST_KEY_LIST_NATIONAL_URL"
    monkeypatch.setenv(variable, f"{at(1)},file:{tuf}/list-{LIST}.pem")
    assert standings(terminal) == ["in force", "announced"]
    assert f"in front in {variable}" in terminal.json("keys", "rotate", f"list-{LIST}", code=1)["error"]
    service.publish()
    assert standings(terminal) == ["in force", "not used any more"]
    monkeypatch.setenv(variable, at(1))
    monkeypatch.setenv("WARDLIST_KEY_TIMESTAMP", f"{at(2)},file:{tuf}/timestamp.pem")
    monkeypatch.setenv("WARDLIST_KEY_SNAPSHOT", f"{at(4)},file:{tuf}/snapshot.pem")
    added = tmp_path / "root-4.pub.pem"
    added.write_bytes(_public_pem(3))
    proposal = tmp_path / "root-2.json"
    terminal.json("tuf", "root", "propose", "--out", str(proposal), "--add", str(added))
    for key in (service.settings.offline / "root-1.pem", service.settings.offline / "root-2.pem", at(3)):
        terminal.json("tuf", "root", "sign", str(proposal), "--key", str(key))
    terminal.json("tuf", "root", "accept", str(proposal))
    service.publish()
    list_one(service, hotline, reviewer, "https://b.example.test/1")
    assert sync(provider, LIST, store, service.root).version == 2
    plain_client(service, tmp_path / "plain").refresh()
    monkeypatch.setenv("WARDLIST_KEY_TIMESTAMP", at(2))
    monkeypatch.setenv("WARDLIST_KEY_SNAPSHOT", at(4))
    list_one(service, hotline, reviewer, "https://c.example.test/1")
    assert sync(provider, LIST, store, service.root).version == 3
    lines = {line["role"]: line for line in terminal.json("keys", "status")["keys"]}
    found = {role: (lines[role]["algorithm"], lines[role]["source"]) for role in ("snapshot", f"list-{LIST}")}
    assert found == {
        "snapshot": ("ecdsa-sha2-nistp384", at(4)),
        f"list-{LIST}": ("ecdsa-sha2-nistp256", at(1)),
    }


def test_a_wrong_pin_or_key_or_token_is_said_and_the_pin_is_not(
    pin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(tmp_path / "tuf", tmp_path / "keys")
    repository.create(tmp_path / "offline", datetime.now(UTC))
    root = repository.roots.newest
    for place, words in (
        ("hsm:9?label=wardlist", "could not find"),
        ("hsm:1?label=other", "No PKCS#11 token"),
    ):
        monkeypatch.setenv("WARDLIST_KEY_TIMESTAMP", place)
        with pytest.raises(KeyUnusable, match=words):
            Signers(tmp_path).wanted("timestamp")
    pin.write_text("000000")
    signer = offline_signer(at(1))
    proposal = root_ceremony.propose(root, Changes({}), datetime.now(UTC))
    with pytest.raises(Invalid, match="does not sign: PinIncorrect") as refused:
        root_ceremony.sign(proposal, signer)
    assert "000000" not in str(refused.value)
    monkeypatch.delenv("WARDLIST_KEY_PIN")
    with pytest.raises(KeyUnusable, match="WARDLIST_KEY_PIN"):
        offline_signer(at(1)).sign(b"anything")


def _public_pem(number: int) -> bytes:
    key = offline_signer(at(number)).public_key
    return str(key.keyval["public"]).encode()
