"""Every key of an installation, by what is public of it: ids, ages, places, never a private byte.

What a process cannot read, because another one holds it, is told from `keys/public` and the signed metadata.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from app.core import register
from app.lists import expiry
from app.lists.repository import Repository, delegated
from app.platform import key_forms
from app.platform.key_files import FILE, KeyUnusable, Source, read_private
from app.platform.key_forms import LOG, PEER_AGE, SECRETS, SIGNING
from app.platform.keyring import Keyring
from app.platform.public_keys import PublicKey
from app.platform.rotation import NEXT
from app.platform.settings import Settings
from app.platform.signers import LIST, ONLINE, Signers

OFFLINE, NOT_HERE = "offline", "not here"
_ALGORITHMS = {LOG: "Ed25519", **dict.fromkeys(SIGNING, "ES256")}


class Standing(StrEnum):
    """What a key is for at the moment."""

    SIGNS = "in force"
    LEAVING = "signs beside the new one"
    VERIFIES = "verifies what it signed"
    ANNOUNCED = "announced"
    UNUSED = "not used any more"


@dataclass(frozen=True)
class KeyInfo:
    """`id` is public; `source` a place, OFFLINE or NOT_HERE. `since` None: not known here.

    `expires_at` is the end of what the role signed last, of TUF's roles.
    """

    role: str
    algorithm: str
    id: str
    source: str
    standing: Standing = Standing.SIGNS
    since: datetime | None = None
    expires_at: datetime | None = None


def inventory(settings: Settings, epoch: int | None = None) -> list[KeyInfo]:
    """Every key; `epoch` is the number of the one in force, where the database said it.

    Raises KeyUnusable for one that is here and is none, and tuf's StorageError.
    """
    keyring = Keyring(settings.keys)
    return [*_changing(keyring), *_tuf(settings), *_secrets(keyring), *_numbered(settings.keys, epoch)]


def _changing(keyring: Keyring) -> Iterator[KeyInfo]:
    now = datetime.now(UTC)
    for role in ("token", "manifest", LOG, "peer"):
        known = keyring.public[role]
        in_force, own = known.in_force(), _ids_here(keyring, role)
        for one in (one for one in known.all() if one.counts(now)):
            standing = _standing(role, one, in_force, own)
            yield KeyInfo(role, _ALGORITHMS[role], one.id, own.get(one.id, NOT_HERE), standing, one.since)


def _standing(role: str, one: PublicKey, in_force: PublicKey | None, own: dict[str, str]) -> Standing:
    if one is in_force:
        return Standing.SIGNS
    if one.since is None:
        return Standing.ANNOUNCED
    return Standing.LEAVING if role == LOG and one.id in own else Standing.VERIFIES


def _ids_here(keyring: Keyring, role: str) -> dict[str, str]:
    """Of the private keys of a role that are here: id to place."""
    sources = keyring.log_sources() if role == LOG else [keyring.source(role)]
    first = sources[0]
    if first.path:
        sources.append(Source(role, FILE, str(first.path.parent / NEXT / first.path.name)))
    return {key_forms.public_half(role, one.read())[0]: str(one) for one in sources if one.is_here}


def _tuf(settings: Settings) -> Iterator[KeyInfo]:
    repository = Repository(settings.public, settings.keys)
    if not repository.exists:
        return
    root, signers = repository.roots.newest, repository.signers
    ends = {one.role: one.expires for one in expiry.of_roles(repository)}
    for role in ONLINE:
        beside = repository.roots.welcome(role)
        yield from _at_hand(signers, role, root.roles[role].keyids, root.keys, beside, ends[role])
    targets = repository.role("targets")
    roles = delegated(targets)
    keys = targets.delegations.keys if targets.delegations else {}
    for name in sorted(roles.keys() - {register.ROLE}):
        yield from _at_hand(signers, f"{LIST}{name}", roles[name].keyids, keys, set(), ends.get(name))
    for identity in root.roles["root"].keyids:
        scheme = root.keys[identity].scheme
        yield KeyInfo("root", _scheme(scheme), identity, OFFLINE, expires_at=root.expires)
    for identity in roles[register.ROLE].keyids:
        yield KeyInfo("register", "Ed25519", identity, OFFLINE, expires_at=ends.get(register.ROLE))


def _at_hand(
    signers: Signers,
    role: str,
    keyids: list[str],
    keys: dict[str, Any],
    beside: set[str],
    expires_at: datetime | None,
) -> Iterator[KeyInfo]:
    """The keys that the metadata names, then those that are here besides; `beside`: ids that sign along."""
    here = {one.public_key.keyid: at for at in signers.sources(role) for one in [signers.one(at)]}
    schemes = {one.public_key.keyid: one.public_key.scheme for one in map(signers.one, signers.sources(role))}
    schemes |= {keyid: keys[keyid].scheme for keyid in keyids}
    for keyid in [*keyids, *(one for one in here if one not in keyids)]:
        at = here.get(keyid)
        standing = Standing.SIGNS if keyid in keyids else _besides(signers, role, at, keyid in beside)
        since = _changed_at(at.path) if at and at.path else None
        end = expires_at if keyid in keyids else None
        place = str(at) if at else NOT_HERE
        yield KeyInfo(role, _scheme(schemes[keyid]), keyid, place, standing, since, end)


def _besides(signers: Signers, role: str, at: Source | None, is_signing_along: bool) -> Standing:
    if at is not None and str(at) == str(signers.sources(role)[0]):
        return Standing.ANNOUNCED
    return Standing.LEAVING if is_signing_along else Standing.UNUSED


def _secrets(keyring: Keyring) -> Iterator[KeyInfo]:
    for role in (*SECRETS, PEER_AGE):
        at = keyring.source(role)
        algorithm = "X25519 (age)" if role == PEER_AGE else "256 secret bits"
        if at.is_here:
            since = _changed_at(at.path) if at.path else None
            identity = key_forms.name_of(role, at.read())
            yield KeyInfo(role, algorithm, identity, str(at), since=since)
        else:
            yield KeyInfo(role, algorithm, "", NOT_HERE)


def _numbered(keys: Path, epoch: int | None) -> Iterator[KeyInfo]:
    """Keys that change and end by themselves: the newest of each kind, by its number; and the mail's."""
    yield _newest("epoch", keys / "epochs", epoch)
    yield from (_newest(role, folder, None) for role, folder in _match_folders(keys))
    path = keys / "dkim.pem"
    if path.exists():
        yield KeyInfo("dkim", "RSA", _dkim_id(path), f"file:{path}", since=_changed_at(path))


def _newest(role: str, folder: Path, number: int | None) -> KeyInfo:
    """The key of that number, by default of the highest that is here."""
    numbers = [int(path.stem) for path in folder.glob("*.hex") if path.stem.isdigit()]
    number = max(numbers, default=None) if number is None else number
    kept = f"{len(numbers)} kept"
    identity = kept if number is None else f"number {number}, {kept}"
    if number not in numbers:
        return KeyInfo(role, "256 secret bits", identity, NOT_HERE)
    path = folder / f"{number}.hex"
    return KeyInfo(role, "256 secret bits", identity, f"file:{path}", since=_changed_at(path))


def _match_folders(keys: Path) -> list[tuple[str, Path]]:
    return [(f"match-{folder.name}", folder) for folder in sorted((keys / "match").glob("*"))]


def _dkim_id(path: Path) -> str:
    try:
        private = serialization.load_pem_private_key(read_private(path).encode(), password=None)
    except (ValueError, TypeError):
        raise KeyUnusable(f"the key file {path} holds no key") from None
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(public).hexdigest()[:32]


def _changed_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _scheme(scheme: str) -> str:
    return {"ed25519": "Ed25519"}.get(scheme, scheme)
