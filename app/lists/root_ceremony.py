"""The next root: proposed here, signed elsewhere with keys that are kept offline, checked before it counts.

A proposal is the next version of TUF's root metadata as it will be served, with the signatures it has so
far. It counts once a threshold of the keys of the root before it and a threshold of its own have signed it.
Source: The Update Framework specification 1.0, sections 4.3, 5.3.4 and 6.1.
"""

import copy
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.signer import Key, Signer, SSlibKey
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, RootVerificationResult
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from app.core import register
from app.lists.repository import LIFE, OFFLINE_KEYS, OFFLINE_THRESHOLD
from app.platform.clock import instant
from app.platform.signers import ONLINE

LARGEST = 512 * 1024
"""Bytes of a proposal; what a TUF client takes of a root."""


class Invalid(ValueError):
    """A proposal, key or change that does not hold. The text says why."""


@dataclass(frozen=True)
class Changes:
    """What the next root is to say: online keys by role, and root keys that come and go (by key id)."""

    online: Mapping[str, Key]
    added: Sequence[Key] = ()
    removed: Collection[str] = ()


def propose(current: Root, changes: Changes, now: datetime) -> Metadata[Root]:
    """The next version, unsigned. Raises Invalid."""
    root = copy.deepcopy(current)
    root.version, root.expires = current.version + 1, (now + LIFE["root"]).replace(microsecond=0)
    for role, key in changes.online.items():
        for keyid in set(root.roles[role].keyids) - {key.keyid}:
            root.revoke_key(keyid, role)
        root.add_key(key, role)
    for key in changes.added:
        root.add_key(key, Root.type)
    for given in changes.removed:
        root.revoke_key(_named(root, given), Root.type)
    proposal = Metadata(root)
    _require_sound(proposal.signed)
    return proposal


def sign(proposal: Metadata[Root], signer: Signer) -> bool:
    """Add a signature. False when that key is not one of the proposal's own: it can be one that goes.

    Raises Invalid when the key's device refuses.
    """
    try:
        proposal.sign(signer, append=True)
    except UnsignedMetadataError as failure:
        cause = failure.__cause__ or failure
        raise Invalid(f"that key does not sign: {type(cause).__name__} {cause}".strip()) from None
    return signer.public_key.keyid in proposal.signed.roles[Root.type].keyids


def read(body: bytes) -> Metadata[Root]:
    """A proposal's file. Raises Invalid."""
    try:
        if len(body) > LARGEST:
            raise ValueError
        found = Metadata[Root].from_bytes(body)
        if not isinstance(found.signed, Root):
            raise ValueError
    except (DeserializationError, ValueError, RecursionError):
        raise Invalid("this is no file of `wardlist tuf root propose`") from None
    return found


def written(proposal: Metadata[Root]) -> bytes:
    """A proposal as a file."""
    return proposal.to_bytes(JSONSerializer(compact=True))


def public_key(pem: bytes) -> Key:
    """A root key's public half. Raises Invalid."""
    try:
        return SSlibKey.from_crypto(load_pem_public_key(pem))
    except (ValueError, TypeError):
        raise Invalid(
            "this is no public key in PEM; `wardlist tuf root key` writes one beside the private"
        ) from None


def tally(current: Root, proposal: Metadata[Root]) -> RootVerificationResult:
    """Who signed, by the root in force and by the proposal itself. Raises Invalid."""
    try:
        return proposal.signed.get_root_verification_result(
            current, proposal.signed_bytes, proposal.signatures
        )
    except (ValueError, RepositoryError):
        raise Invalid(f"version {current.version + 1} of the root comes next") from None


def check(
    current: Root, proposal: Metadata[Root], here: Mapping[str, Collection[str]], now: datetime
) -> None:
    """Whether the proposal may be put in force. `here`: ids of the online keys at hand. Raises Invalid."""
    counted, root = tally(current, proposal), proposal.signed
    _require_sound(root)
    if root.expires <= now:
        raise Invalid(f"the proposal ended {instant(root.expires)}")
    if root.unrecognized_fields != current.unrecognized_fields:
        raise Invalid("the proposal names other register keys; those stay")
    for which, one in (("the root in force", counted.first), ("the proposal", counted.second)):
        if not one.verified:
            raise Invalid(f"{one.threshold} keys of {which} must sign, {len(one.signed)} did")
    for role in ONLINE:
        if not set(root.roles[role].keyids) & set(here.get(role, ())):
            raise Invalid(f"the proposal names a key of {role} that is not here: nobody could sign with it")


def differences(current: Root, proposal: Root) -> list[str]:
    """What changes, a line each."""
    found = [f"version {current.version} -> {proposal.version}"]
    if current.expires != proposal.expires:
        found.append(f"ends {instant(current.expires)} -> {instant(proposal.expires)}")
    for role in (Root.type, *ONLINE):
        old, new = current.roles[role], proposal.roles[role]
        found += [f"{role}: {keyid} goes" for keyid in old.keyids if keyid not in new.keyids]
        found += [f"{role}: {keyid} comes" for keyid in new.keyids if keyid not in old.keyids]
        if old.threshold != new.threshold:
            found.append(f"{role}: {old.threshold} -> {new.threshold} signatures needed")
    if current.unrecognized_fields != proposal.unrecognized_fields:
        found.append("the register's keys are others")
    return found


def _named(root: Root, given: str) -> str:
    """A root key by its id, or by enough of its beginning."""
    found = [keyid for keyid in root.roles[Root.type].keyids if keyid.startswith(given)] if given else []
    if len(found) != 1:
        raise Invalid(f"there is {'no' if not found else 'more than one'} root key {given}")
    return found[0]


def _public(root: Root, keyid: str) -> bytes:
    """What a key is, whatever it is called: a client counts ids, and does not ask where they come from.

    In hex, as securesystemslib writes Ed25519, or PEM. Raises Invalid.
    """
    stated = str(root.keys[keyid].keyval["public"])
    with suppress(ValueError):
        return bytes.fromhex(stated)
    try:
        return load_pem_public_key(stated.encode()).public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid(f"the key {keyid} of the proposal is none") from None


def _require_sound(root: Root) -> None:
    """A root that this service and its clients can live with. Raises Invalid."""
    keys = root.roles[Root.type]
    if keys.threshold < OFFLINE_THRESHOLD or len(keys.keyids) < OFFLINE_KEYS:
        raise Invalid(f"root needs {OFFLINE_KEYS} keys, and {OFFLINE_THRESHOLD} signatures")
    if any(root.roles[role].threshold != 1 or not root.roles[role].keyids for role in ONLINE):
        raise Invalid("each online role has its key, and needs one signature")
    publics = [_public(root, keyid) for keyid in keys.keyids]
    online = {_public(root, keyid) for role in ONLINE for keyid in root.roles[role].keyids}
    if len(set(publics)) < len(publics):
        raise Invalid("the proposal names the same key twice, under other ids")
    if (
        online & set(publics)
        or not root.consistent_snapshot
        or register.ROOT_FIELD not in root.unrecognized_fields
    ):
        raise Invalid("the proposal lacks what every root of this service has, or puts a root key online")
