"""A notice's signature: it verifies against the record that its domain publishes, and nothing else does."""

from collections.abc import Callable
from pathlib import Path

import dkim
import pytest

from app.core.terms import NoticeKind
from app.platform.keyring import NotInitialised
from app.takedown.notices import content as notices
from app.takedown.notices import dkim as signing
from tests.cli.terminal import Terminal
from tests.programs.service import Service
from tests.takedown.sample import SETTINGS, parcel

NAME = b"wardlist._domainkey.wardlist.example."


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An installation's key."""
    folder = tmp_path_factory.mktemp("keys")
    signing.create(folder)
    return signing.load(folder)


def verifies(mail: bytes, key: bytes) -> bool:
    """Whether a receiver finds the signature good that looks the record up."""

    def published(name: bytes, timeout: int = 5) -> bytes | None:
        return signing.record(key).encode() if name == NAME else None

    return bool(dkim.verify(mail, dnsfunc=published))


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("language", ["en", "de"])
def test_each_mail_verifies_against_the_published_record(kind: NoticeKind, language: str, key: bytes) -> None:
    mail = notices.mail(parcel(kind, language=language), SETTINGS, key)
    assert mail.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=wardlist.example;")
    assert b"\n" not in mail.replace(b"\r\n", b"")
    assert verifies(mail, key)


def again(name: bytes) -> Callable[[bytes], bytes]:
    """Puts a second header of that name in front of the signed one."""
    return lambda mail: mail.replace(b"\r\n" + name, b"\r\n" + name + b": other\r\n" + name, 1)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda mail: mail.replace(b"hxxps[:]//a[.]", b"hxxps[:]//c[.]", 1),
        lambda mail: mail.replace(b"Feedback-Type: xarf", b"Feedback-Type: abuse", 1),
        lambda mail: mail.replace(b"Subject: Child", b"Subject: Nothing", 1),
        lambda mail: mail.replace(b"To: abuse@", b"To: other@", 1),
        lambda mail: mail.replace(b"Date: Fri", b"Date: Sat", 1),
        lambda mail: mail.replace(b"Message-ID: <a", b"Message-ID: <b", 1),
        lambda mail: mail.replace(b"auto-generated", b"no", 1),
        lambda mail: mail + b"more\r\n",
        *(again(name) for name in (b"From", b"To", b"Subject", b"Date", b"Content-Type")),
    ],
)
def test_what_was_changed_on_the_way_does_not_verify(tamper: Callable[[bytes], bytes], key: bytes) -> None:
    mail = notices.mail(parcel(), SETTINGS, key)
    changed = tamper(mail)
    assert changed != mail
    assert not verifies(changed, key)


def test_another_key_does_not_verify(key: bytes, tmp_path: Path) -> None:
    signing.create(tmp_path)
    assert not verifies(notices.mail(parcel(), SETTINGS, key), signing.load(tmp_path))


def test_relays_may_fold_headers_anew(key: bytes) -> None:
    mail = notices.mail(parcel(), SETTINGS, key)
    assert verifies(mail.replace(b'report;\r\n boundary="', b'report; boundary="', 1), key)
    assert verifies(b"Received: from relay.test\r\n" + mail, key)


def test_the_key_is_made_once_and_its_record_printed(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(service, tmp_path)
    with pytest.raises(NotInitialised, match="wardlist mail key"):
        signing.load(service.settings.keys)
    _, failure = terminal.run("mail", "key", code=1)
    assert "WARDLIST_MAIL_FROM" in failure
    monkeypatch.setenv("WARDLIST_MAIL_FROM", "notices@wardlist.example")
    made = terminal.json("mail", "key")
    key = signing.load(service.settings.keys)
    assert made == {
        "made": True,
        "name": "wardlist._domainkey.wardlist.example",
        "type": "TXT",
        "value": signing.record(key),
    }
    assert (service.settings.keys / "dkim.pem").stat().st_mode & 0o777 == 0o600
    assert terminal.json("mail", "key") == {**made, "made": False}
    assert signing.load(service.settings.keys) == key
    line = terminal.run("mail", "key")[0]
    strings = line.strip().partition(" IN TXT ")[2].strip('"').split('" "')
    assert "".join(strings) == made["value"]
    assert max(map(len, strings)) <= 255
    assert verifies(notices.mail(parcel(), SETTINGS, key), key)
