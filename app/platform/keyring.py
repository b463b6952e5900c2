"""The service's own online keys, each in its file under WARDLIST_HOME/keys, mode 0600."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core import age, jose
from app.platform.epochs import Epochs
from app.platform.files import private_folder, write_atomically


class NotInitialised(Exception):
    """There is no keyring here yet; `wardlist init` makes one."""


@dataclass(frozen=True)
class Keyring:
    """`fingerprint` keys duplicate search and remembered requests; the JWKs and `log` (Ed25519) sign.

    `epochs` wraps the keys of entries. `canary` is what canary entries are made from, `webhook` what secrets
    of webhooks are, `notice` what a notice's link and the secret of a contact's webhook are. With `peer` this
    instance signs to others, with `peer_identity` (age) it opens what they send.
    """

    fingerprint: bytes
    token: dict[str, Any]
    manifest: dict[str, Any]
    log: bytes
    epochs: Epochs = field(compare=False)
    canary: bytes
    webhook: bytes
    notice: bytes
    peer: dict[str, Any]
    peer_identity: str
    folder: Path

    def __repr__(self) -> str:
        return "Keyring(...)"

    def match_keys(self, name: str) -> Epochs:
        """The keys of a list's hashes."""
        return Epochs(self.folder / "match" / name)

    @classmethod
    def create(cls, folder: Path) -> None:
        """Make what is missing; a key that exists is never replaced."""
        private_folder(folder)
        for name in ("fingerprint", "log", "canary", "webhook", "notice"):
            _make(folder / f"{name}.hex", secrets.token_hex(32))
        if not (folder / "epochs").exists():
            Epochs(folder / "epochs").make(1)
        for name in ("token", "manifest", "peer"):
            _make(folder / f"{name}.jwk.json", json.dumps(jose.generate()))
        _make(folder / "peer.age", age.generate()[0])

    @classmethod
    def load(cls, folder: Path) -> "Keyring":
        """Read the keyring. Raises NotInitialised."""
        try:
            return cls(
                fingerprint=bytes.fromhex((folder / "fingerprint.hex").read_text()),
                token=json.loads((folder / "token.jwk.json").read_text()),
                manifest=json.loads((folder / "manifest.jwk.json").read_text()),
                log=bytes.fromhex((folder / "log.hex").read_text()),
                epochs=Epochs(folder / "epochs"),
                canary=bytes.fromhex((folder / "canary.hex").read_text()),
                webhook=bytes.fromhex((folder / "webhook.hex").read_text()),
                notice=bytes.fromhex((folder / "notice.hex").read_text()),
                peer=json.loads((folder / "peer.jwk.json").read_text()),
                peer_identity=(folder / "peer.age").read_text().strip(),
                folder=folder,
            )
        except FileNotFoundError:
            raise NotInitialised("run `wardlist init` first") from None


def _make(path: Path, content: str) -> None:
    if not path.exists():
        write_atomically(path, content.encode(), mode=0o600)
