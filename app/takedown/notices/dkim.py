"""The DKIM key of an installation's mail, what its domain publishes of it, and signing.

Source: RFC 6376, with an RSA key of 2048 bits (RFC 8301, section 3.2). The key is a file of its own,
`keys/dkim.pem`, made by `wardlist mail key`: an installation that sends no mail has none. Headers that may
stand once are signed once more than they stand, so that nobody adds a second one. The time in a signature
(`t=`) is the machine's, as dkimpy takes it; the notice's own date is its `Date`.
"""

import base64
from pathlib import Path

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.platform.files import write_atomically
from app.platform.key_files import NotInitialised, read_private

BITS = 2048
_ONCE = (b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type")
_SIGNED = (*_ONCE, *_ONCE, b"in-reply-to", b"references", b"auto-submitted")
_STRING = 255
"""Characters of one string of a TXT record (RFC 1035, section 3.3.14)."""


def create(folder: Path) -> bool:
    """Make the key, mode 0600; False when there is one, which stays."""
    if _file(folder).exists():
        return False
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    write_atomically(_file(folder), pem, mode=0o600)
    return True


def load(folder: Path) -> bytes:
    """The key as PEM. Raises NotInitialised."""
    if not _file(folder).exists():
        raise NotInitialised("run `wardlist mail key` first")
    return read_private(_file(folder)).encode()


def record(key: bytes) -> str:
    """What the domain's TXT record says: the public half (RFC 6376, section 3.6.1)."""
    private = serialization.load_pem_private_key(key, password=None)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


def zone_line(key: bytes, selector: str, domain: str) -> str:
    """The record as a line of a zone file, in strings of at most 255 characters."""
    text = record(key)
    strings = (text[at : at + _STRING] for at in range(0, len(text), _STRING))
    return f"{name(selector, domain)}. IN TXT " + " ".join(f'"{one}"' for one in strings)


def name(selector: str, domain: str) -> str:
    """Where the record stands."""
    return f"{selector}._domainkey.{domain}"


def sign(message: bytes, key: bytes, selector: str, domain: str) -> bytes:
    """The message with its signature in front; CRLF line ends in, CRLF line ends out."""
    signature: bytes = dkim.sign(
        message,
        selector.encode(),
        domain.encode(),
        key,
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=list(_SIGNED),
    )
    return signature + message


def _file(folder: Path) -> Path:
    return folder / "dkim.pem"
