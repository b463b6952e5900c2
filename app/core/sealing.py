"""Sealing what an entry hides, so that destroying one key of 32 bytes destroys all of it.

An entry's texts are encrypted under a key derived from its commitment key; the commitment key is wrapped
under the key of an epoch, which is held outside the database and destroyed when the epoch ends. Sources: NIST
SP 800-38D (AES-256-GCM, random 96-bit nonces); RFC 5869 section 2.3 (one block of HKDF-Expand).
"""

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class Unreadable(ValueError):
    """A ciphertext that this key does not open. The text says no more."""


def wrap(epoch_key: bytes, key: bytes, *, entry: str, epoch: int) -> bytes:
    """An entry's commitment key under an epoch's key: nonce and ciphertext, 60 bytes."""
    return _seal(epoch_key, key, f"wrap\n{epoch}\n{entry}")


def unwrap(epoch_key: bytes, wrapped: bytes, *, entry: str, epoch: int) -> bytes:
    """The commitment key. Raises Unreadable."""
    return _open(epoch_key, wrapped, f"wrap\n{epoch}\n{entry}")


def seal(key: bytes, use: str, entry: str, text: bytes) -> bytes:
    """A text of an entry, bound to what it is used for, under its commitment key."""
    return _seal(_derived(key), text, f"{use}\n{entry}")


def unseal(key: bytes, use: str, entry: str, sealed: bytes) -> bytes:
    """The text again. Raises Unreadable."""
    return _open(_derived(key), sealed, f"{use}\n{entry}")


def _derived(key: bytes) -> bytes:
    return hmac.digest(key, b"wardlist/seal/v1\n\x01", hashlib.sha256)


def _seal(key: bytes, text: bytes, bound: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, text, bound.encode())


def _open(key: bytes, sealed: bytes, bound: str) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound.encode())
    except (InvalidTag, ValueError):
        raise Unreadable("this key does not open it") from None
