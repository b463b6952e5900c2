"""A key that others can read, that is none, or is not where it is said to be, is refused in clear words."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.core import jose
from app.platform.key_files import KeyUnusable, NotInitialised
from app.platform.keyring import Keyring
from app.platform.signers import Signers, make


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    Keyring.create(tmp_path / "keys")
    return tmp_path / "keys"


def pem(private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o660])
def test_a_key_that_others_can_open_is_refused(keys: Path, mode: int) -> None:
    path = keys / "log.hex"
    path.chmod(mode)
    with pytest.raises(KeyUnusable, match=f"chmod 600 {path}"):
        Keyring.load(keys)
    path.chmod(0o400)
    assert Keyring.load(keys).log


def test_a_tuf_key_or_an_epoch_s_that_others_can_open_is_refused(keys: Path) -> None:
    make(keys / "tuf" / "timestamp.pem")
    for path, use in (
        (keys / "tuf" / "timestamp.pem", lambda: Signers(keys).wanted("timestamp")),
        (keys / "epochs" / "1.hex", lambda: Keyring(keys).epochs.key(1)),
    ):
        path.chmod(0o644)
        with pytest.raises(KeyUnusable, match="chmod 600"):
            use()
        path.chmod(0o600)
        use()


@pytest.mark.parametrize(
    "content", ["", "{}", "[{}]", '[{"id": "x", "key": {}, "since": "soon", "until": null}]']
)
def test_public_halves_that_others_could_write_or_that_are_none_are_refused(keys: Path, content: str) -> None:
    path = keys / "public" / "token.json"
    path.chmod(0o664)
    with pytest.raises(KeyUnusable, match="chmod 644"):
        Keyring.load(keys).token_keys(datetime.now(UTC))
    path.chmod(0o644)
    assert Keyring.load(keys).token_keys(datetime.now(UTC))
    path.write_text(content)
    with pytest.raises(KeyUnusable, match="cannot be read"):
        Keyring.load(keys).token_keys(datetime.now(UTC))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_key_of_another_user_is_refused(keys: Path) -> None:
    os.chown(keys / "token.jwk.json", 4711, -1)
    with pytest.raises(KeyUnusable, match="belongs to user 4711"):
        Keyring.load(keys)


def test_a_folder_or_a_pipe_is_no_key(keys: Path) -> None:
    (keys / "notice.hex").unlink()
    (keys / "notice.hex").mkdir(mode=0o700)
    with pytest.raises(KeyUnusable, match="no file"):
        Keyring.load(keys)
    (keys / "notice.hex").rmdir()
    os.mkfifo(keys / "notice.hex", 0o600)
    with pytest.raises(KeyUnusable, match="no file"):
        Keyring.load(keys)


def test_without_any_key_there_is_no_installation(tmp_path: Path) -> None:
    with pytest.raises(NotInitialised, match="wardlist init"):
        Keyring.load(tmp_path)


@pytest.mark.parametrize("content", ["", "zz", "00" * 31, "00" * 33, "{}", "\x00", "9" * 70_000])
@pytest.mark.parametrize("role", ["token", "log", "fingerprint", "peer-age"])
def test_what_is_no_key_is_refused_and_not_repeated(
    keys: Path, role: str, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keys.parent / "other"
    path.write_text(content)
    path.chmod(0o600)
    monkeypatch.setenv(f"WARDLIST_KEY_{role.upper().replace('-', '_')}", f"file:{path}")
    with pytest.raises(KeyUnusable) as refused:
        Keyring.load(keys)
    assert len(content) < 3 or content not in str(refused.value)


def test_a_key_of_another_curve_or_that_does_not_fit_its_public_half_is_refused(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = jose.generate(), jose.generate()
    monkeypatch.setenv("WARDLIST_KEY_TOKEN", "env:SECRET")
    for wrong in (
        {**one, "d": other["d"]},
        {**one, "crv": "P-384"},
        jose.public_part(one),
        {**one, "d": "AA"},
    ):
        monkeypatch.setenv("SECRET", json.dumps(wrong))
        with pytest.raises(KeyUnusable, match="no private JWK"):
            Keyring.load(keys)
    monkeypatch.setenv("SECRET", json.dumps({**one, "kid": "chosen"}))
    assert Keyring.load(keys).token["kid"] == one["kid"], "the kid is always the thumbprint"


def test_keys_stand_in_variables(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    for name, value in (
        ("WARDLIST_KEY_LOG", "env:A"),
        ("A", f"\n{pem(private)}\n"),
        ("WARDLIST_KEY_FINGERPRINT", "env:B"),
        ("B", f"{'ab' * 32}\n"),
        ("WARDLIST_KEY_LIST_NATIONAL_URL", "env:C,env:D"),
        ("C", pem(ec.generate_private_key(ec.SECP256R1()))),
        ("D", private.private_bytes_raw().hex()),
    ):
        monkeypatch.setenv(name, value)
    keyring = Keyring.load(keys)
    assert (keyring.log, keyring.fingerprint) == (private.private_bytes_raw(), b"\xab" * 32)
    schemes = [one.public_key.scheme for one in Signers(keys).at_hand("list-national-url")]
    assert schemes == ["ecdsa-sha2-nistp256", "ed25519"]


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ("env:NOWHERE", "NOWHERE, which is not set"),
        ("file:/nowhere/key", "/nowhere/key is missing"),
        ("just-a-word", "write file:PATH"),
        ("env:", "write file:PATH"),
        ("hsm:1", "write file:PATH or env:NAME"),
        ("env:A,env:B", "one of them"),
    ],
)
def test_a_place_that_is_none_is_named(
    keys: Path, stated: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARDLIST_KEY_TOKEN", stated)
    with pytest.raises(KeyUnusable, match=words):
        Keyring.load(keys)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ("env:RSA", "neither Ed25519 nor ECDSA"),
        ("env:P521", "neither Ed25519 nor ECDSA"),
        ("magic:1", "nothing here signs with magic:"),
        ("awskms:alias/x", "public/timestamp.pem is missing"),
        ("hsm:one", "hsm:NUMBER"),
    ],
)
def test_a_tuf_role_takes_no_other_kind_of_key(
    keys: Path, stated: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RSA", pem(rsa.generate_private_key(65537, 2048)))
    monkeypatch.setenv("P521", pem(ec.generate_private_key(ec.SECP521R1())))
    monkeypatch.setenv("WARDLIST_KEY_TIMESTAMP", stated)
    with pytest.raises(KeyUnusable, match=words):
        Signers(keys).wanted("timestamp")


def test_a_process_that_has_no_signing_key_says_which_is_missing_when_it_is_asked_for(keys: Path) -> None:
    for name in ("manifest.jwk.json", "log.hex"):
        (keys / name).unlink()
    keyring = Keyring.load(keys, ["token"])
    assert len(keyring.manifest_keys()) == 1
    assert keyring.log_verifiers("wardlist.example/log")
    with pytest.raises(KeyUnusable, match="manifest"):
        _ = keyring.manifest
    with pytest.raises(KeyUnusable, match=r"log\.hex is missing"):
        keyring.log_signers("wardlist.example/log")
    Keyring.create(keys)
    assert not (keys / "log.hex").exists(), "a key that another process holds is not made again"
