"""The forms that keys come in: how one is made, checked and read, and what its public half is.

256 secret bits in hex (`log`: an Ed25519 private key), a private JWK on P-256, an age identity. A key that is
handed in by a variable may have line ends around it; a log's may be PKCS 8 PEM as well.
"""

import hashlib
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from app.core import age, jose
from app.platform.key_files import KeyUnusable

SECRETS = ("fingerprint", "canary", "webhook", "notice")
SIGNING = ("token", "manifest", "peer")
LOG, PEER_AGE, PIN = "log", "peer-age", "pin"
ONLINE = ("targets", "snapshot", "timestamp")
"""TUF's roles that root names and this service signs."""
LIST = "list-"
"""What the roles of lists begin with."""


def fresh(role: str) -> str:
    """A new key's text."""
    if role in SIGNING:
        return json.dumps(jose.generate())
    return age.generate()[0] if role == PEER_AGE else secrets.token_hex(32)


def jwk(role: str, text: str) -> dict[str, Any]:
    """A private JWK on P-256, its `kid` its thumbprint. Raises KeyUnusable."""
    try:
        found = json.loads(text)
        public = jose.public_part(found)
        number = int.from_bytes(jose.decode(found["d"]), "big")
        numbers = ec.derive_private_key(number, ec.SECP256R1()).public_key().public_numbers()
        if numbers != jose.public_key(public).public_numbers():
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise KeyUnusable(f"the key of {role} is no private JWK on P-256") from None
    return {**found, "alg": jose.ALGORITHM, "kid": public["kid"]}


def bits(role: str, text: str) -> bytes:
    """256 bits. Raises KeyUnusable."""
    try:
        if role == LOG and text.lstrip().startswith("-----BEGIN"):
            found = load_pem_private_key(text.strip().encode(), password=None)
            if isinstance(found, Ed25519PrivateKey):
                return found.private_bytes_raw()
        raw = bytes.fromhex(text.strip())
    except (ValueError, TypeError):
        raw = b""
    if len(raw) != 32:
        raise KeyUnusable(f"the key of {role} is not 32 bytes in hex")
    return raw


def identity(text: str) -> str:
    """An age identity. Raises KeyUnusable."""
    try:
        age.recipient_of(text.strip())
    except ValueError:
        raise KeyUnusable(f"the key of {PEER_AGE} is no age identity") from None
    return text.strip()


def log_public(private: bytes) -> bytes:
    """The public half of a log's key."""
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def public_half(role: str, text: str) -> tuple[str, dict[str, Any]]:
    """(id, public half) as they stand in `keys/public`: of a JWK its thumbprint, of the log its SHA-256."""
    if role == LOG:
        public = log_public(bits(role, text))
        return hashlib.sha256(public).hexdigest()[:32], {"public": public.hex()}
    found = jose.public_part(jwk(role, text))
    return found["kid"], found


def name_of(role: str, text: str) -> str:
    """What a key is called in public. A secret's name is a hash of its own kind: it has 256 random bits."""
    if role in SECRETS:
        return hashlib.sha256(b"wardlist/key-name/v1\n" + bits(role, text)).hexdigest()[:16]
    return age.recipient_of(identity(text)) if role == PEER_AGE else public_half(role, text)[0]
