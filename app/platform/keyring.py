"""The service's own online keys, each in its file under WARDLIST_HOME/keys, mode 0600, or where
`WARDLIST_KEY_<ROLE>` says (app/platform/key_files.py).

A key is read when it is needed, so a process holds only the private keys that it uses: docs/keys.md has the
table. `token`, `manifest` and `log` change while the service runs (app/platform/rotation.py): they are read
anew when their file changed, and what others must verify is in `keys/public`.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from app.core import jose, note
from app.files import create_durably
from app.platform import key_forms
from app.platform.epochs import Epochs
from app.platform.files import private_folder
from app.platform.key_files import FILE, ROTATED, Source, missing, source, stated
from app.platform.key_files import NotInitialised as NotInitialised
from app.platform.key_forms import LOG, PEER_AGE, SECRETS, SIGNING
from app.platform.public_keys import PublicKeys

FILES = {
    **{role: f"{role}.hex" for role in (*SECRETS, LOG)},
    **{role: f"{role}.jwk.json" for role in SIGNING},
    PEER_AGE: "peer.age",
}
"""Where each role's key lies by default."""
LEAVING = "leaving"
"""Folder of keys that sign beside the new one for a while."""
API_ROLES = frozenset({"fingerprint", "token", "webhook", "notice", PEER_AGE})
"""What a process needs that answers the web; the epochs' keys besides."""
WORKER_ROLES = frozenset({"fingerprint", "webhook", "notice", "manifest", "peer"})
"""What a process needs that sends what waits and closes the month's report; the epochs' keys besides."""
PUBLISHER_ROLES = frozenset({"manifest", LOG, "canary"})
"""What the publisher needs; the keys of epochs, TUF roles and lists' hashes besides."""
EVERY_ROLE = frozenset(FILES)
KEPT = {"fingerprint": "token", "canary": LOG}
"""Keys that what is on record was made with, and the role of a key whose processes need them too."""


class Keyring:
    """`fingerprint` keys duplicate search and remembered requests; the JWKs and `log` (Ed25519) sign.

    `epochs` wraps the keys of entries. `canary` is what canary entries are made from, `webhook` what secrets
    of webhooks are, `notice` what a notice's link and the secret of a contact's webhook are. With `peer` this
    instance signs to others, with `peer_identity` (age) it opens what they send. Every key raises KeyUnusable
    where it is not at hand.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.epochs = Epochs(folder / "epochs")
        self.public = {role: PublicKeys(folder, role) for role in (*SIGNING, LOG)}
        self._read: dict[str, tuple[object, str]] = {}
        self._jwks: dict[str, tuple[str, dict[str, Any]]] = {}

    def __repr__(self) -> str:
        return "Keyring(...)"

    @cached_property
    def fingerprint(self) -> bytes:
        """256 secret bits."""
        return self._secret("fingerprint")

    @cached_property
    def canary(self) -> bytes:
        """256 secret bits."""
        return self._secret("canary")

    @cached_property
    def webhook(self) -> bytes:
        """256 secret bits."""
        return self._secret("webhook")

    @cached_property
    def notice(self) -> bytes:
        """256 secret bits."""
        return self._secret("notice")

    @cached_property
    def peer_identity(self) -> str:
        """An age identity."""
        return key_forms.identity(self.private_text(PEER_AGE))

    @property
    def token(self) -> dict[str, Any]:
        """The private JWK that signs access tokens."""
        return self._jwk("token")

    @property
    def manifest(self) -> dict[str, Any]:
        """The private JWK that signs manifests and reports."""
        return self._jwk("manifest")

    @property
    def peer(self) -> dict[str, Any]:
        """The private JWK that signs to other instances."""
        return self._jwk("peer")

    @property
    def peer_kid(self) -> str:
        """By which other instances know this one; the private key need not be here."""
        found = self.public["peer"].in_force()
        return found.id if found else str(self.peer["kid"])

    @property
    def log(self) -> bytes:
        """The private Ed25519 key that signs checkpoints."""
        return key_forms.bits(LOG, self.private_text(LOG))

    def match_keys(self, name: str) -> Epochs:
        """The keys of a list's hashes."""
        return Epochs(self.folder / "match" / name)

    def token_keys(self, now: datetime) -> list[dict[str, Any]]:
        """The public JWKs that access tokens may be signed with: one that goes, for as long as a token."""
        known = self.public["token"]
        own = [] if known.in_force() else [jose.public_part(self.token)]
        return [one.key for one in known.all() if one.counts(now)] + own

    def manifest_keys(self, now: datetime | None = None) -> list[dict[str, Any]]:
        """The public JWKs that manifests and reports are signed with, also past ones.

        With `now` without those that were ended because they are no longer to be believed.
        """
        known = self.public["manifest"]
        own = [] if known.in_force() else [jose.public_part(self.manifest)]
        return [one.key for one in known.all() if now is None or one.counts(now)] + own

    def log_signers(self, origin: str) -> list[note.Signer]:
        """The keys that sign checkpoints: the one in force, and beside it one that goes."""
        keys = [key_forms.bits(LOG, self._text(one)) for one in self.log_sources()]
        return [note.Signer(origin, note.ED25519, key) for key in dict.fromkeys(keys)]

    def log_verifiers(self, origin: str, now: datetime | None = None) -> list[note.Verifier]:
        """The key that readers are given, then every other one that signs or ever signed here.

        With `now` without those that were ended.
        """
        known = self.public[LOG]
        found = known.in_force()
        if found is None:
            return [one.verifier for one in self.log_signers(origin)]
        others = [one for one in known.all() if one is not found and (now is None or one.counts(now))]
        publics = (bytes.fromhex(one.key["public"]) for one in (found, *others))
        return [note.Verifier(origin, note.ED25519, public) for public in publics]

    def source(self, role: str) -> Source:
        """Where a role's key is. Raises KeyUnusable."""
        return source(role, self.folder / FILES[role])

    def is_here(self, role: str) -> bool:
        """Whether the role's private key lies with this process. Raises KeyUnusable."""
        return (self.log_sources()[0] if role == LOG else self.source(role)).is_here

    def log_sources(self) -> list[Source]:
        """As `source`; the log's key may have one beside it that goes."""
        leaving = Source(LOG, FILE, str(self.folder / LEAVING / FILES[LOG]))
        own = Source(LOG, FILE, str(self.folder / FILES[LOG]))
        return stated(LOG) or [own, *([leaving] if leaving.is_here else [])]

    def private_text(self, role: str) -> str:
        """The key as it was written; of the log the one in force. Raises KeyUnusable."""
        return self._text(self.log_sources()[0] if role == LOG else self.source(role))

    @classmethod
    def create(cls, folder: Path, is_in_use: bool = False) -> None:
        """Make what is missing; a key that exists, or lies elsewhere, is never replaced, by whom it be.

        One whose public half is here already lies with another process. Raises KeyUnusable for a key that
        cannot be read, and, before any is made, for one of KEPT, of ROTATED or the epochs that is lost:
        entries are on record (`is_in_use`), or public halves are here.
        """
        private_folder(folder)
        keyring = cls(folder)
        known = {role for role, one in keyring.public.items() if one.in_force()}
        kept = set() if not (known or is_in_use) else keyring._require_kept(known)
        for role, name in FILES.items():
            if role not in known | kept and not stated(role) and not (folder / name).exists():
                create_durably(folder / name, key_forms.fresh(role).encode())
        if not (folder / "epochs").exists():
            keyring.epochs.make(1)
        for role in keyring.public.keys() - known:
            keyring.tell(role)

    @classmethod
    def load(cls, folder: Path, roles: Iterable[str] = EVERY_ROLE) -> "Keyring":
        """The keyring, once the keys of these roles are seen to be here, whole and private.

        Raises NotInitialised where there is no key at all, and KeyUnusable.
        """
        if not folder.is_dir() or not any(folder.iterdir()):
            raise NotInitialised("run `wardlist init` first")
        keyring = cls(folder)
        for role in sorted(roles):
            _CHECKS.get(role, key_forms.bits)(role, keyring.private_text(role))
        return keyring

    def tell(self, role: str) -> str:
        """Write the public half where others read it, if no key of the role is there yet; the key's id."""
        identity, public = key_forms.public_half(role, self.private_text(role))
        known = self.public[role]
        if known.in_force() is None:
            known.announce(identity, public)
            known.put_in_force(identity, self._made_at(role), None)
        return identity

    def _require_kept(self, known: set[str]) -> set[str]:
        """Of an installation: the roles of KEPT, which are not made again.

        Raises KeyUnusable for a missing one, unless the key beside it lies with another process too, and for
        a key that signs of which neither half is left.
        """
        for role, beside in KEPT.items():
            at = self.source(role)
            is_elsewhere = bool(stated(role)) or (beside in known and not self.is_here(beside))
            if at.path and not at.is_here and not is_elsewhere:
                raise missing(at.path, role)
        for role in ROTATED:
            place = self.folder / FILES[role]
            if role not in known and not stated(role) and not place.exists():
                raise missing(place, role)
        if not (self.folder / "epochs").exists():
            raise missing(self.folder / "epochs", "epoch")
        return set(KEPT)

    def _made_at(self, role: str) -> datetime:
        at = self.log_sources()[0] if role == LOG else self.source(role)
        return datetime.fromtimestamp(at.path.stat().st_mtime, UTC) if at.path else datetime.now(UTC)

    def _secret(self, role: str) -> bytes:
        return key_forms.bits(role, self.private_text(role))

    def _jwk(self, role: str) -> dict[str, Any]:
        text = self.private_text(role)
        known = self._jwks.get(role)
        if known is None or known[0] != text:
            known = self._jwks[role] = text, key_forms.jwk(role, text)
        return known[1]

    def _text(self, at: Source) -> str:
        """Read again only when the file is another one."""
        mark: object = at.mark()
        known = self._read.get(str(at))
        if known is None or known[0] != mark:
            known = self._read[str(at)] = mark, at.read()
        return known[1]


_CHECKS: dict[str, Callable[[str, str], object]] = {
    **dict.fromkeys(SIGNING, key_forms.jwk),
    PEER_AGE: lambda _role, text: key_forms.identity(text),
}
