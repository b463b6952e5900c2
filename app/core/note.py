"""C2SP signed notes, and the two kinds of signature a log needs: Ed25519 and cosignature/v1.

Sources: C2SP signed-note, tlog-checkpoint, tlog-cosignature.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519, COSIGNATURE = 0x01, 0x04
_DASH = "\u2014"
_PRIVATE = "PRIVATE+KEY+"
_MOST_SIGNATURES = 100
_LONGEST = 1_000_000


class Malformed(ValueError):
    """A note or key that is not one, or a signature that does not hold. The text says why."""


class UnknownKey(Malformed):
    """A note that may be whole, and that no key signed that is known here."""


@dataclass(frozen=True)
class Verifier:
    """A public key under its name; `algorithm` is ED25519 or COSIGNATURE."""

    name: str
    algorithm: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256 over name, newline, algorithm and key."""
        data = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public
        return hashlib.sha256(data).digest()[:4]

    def __str__(self) -> str:
        body = base64.b64encode(bytes([self.algorithm]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{body}"

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """Read `name+hash+base64`. Raises Malformed."""
        name, _, rest = text.partition("+")
        key_id, _, body = rest.partition("+")
        raw = _base64(body)
        if not is_name(name) or len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE):
            raise Malformed("this is no verifier key of a kind known here")
        found = cls(name, raw[0], raw[1:])
        if found.key_id.hex() != key_id:
            raise Malformed("the verifier key's hash is not its own")
        return found

    @classmethod
    def parse_witness(cls, text: str) -> "Verifier":
        """Read a witness's key; a log's own kind of key is none. Raises Malformed."""
        found = cls.parse(text)
        if found.algorithm != COSIGNATURE:
            raise Malformed("this is no witness's key: it does not make cosignatures")
        return found

    def verify(self, text: bytes, signature: bytes) -> int | None:
        """Check a signature without its key id; a cosignature's time, else None. Raises Malformed."""
        moment = None
        if self.algorithm == COSIGNATURE:
            moment, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            text = _cosigned(text, moment)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            raise Malformed(f"the signature of {self.name} does not hold") from None
        return moment


@dataclass(frozen=True)
class Signer:
    """A private Ed25519 key (32 bytes) under its name."""

    name: str
    algorithm: int
    private: bytes

    def __repr__(self) -> str:
        return f"Signer({self.name!r})"

    @classmethod
    def generate(cls, name: str, algorithm: int) -> "Signer":
        """A fresh key."""
        return cls(name, algorithm, Ed25519PrivateKey.generate().private_bytes_raw())

    def to_text(self) -> str:
        """The private key as `PRIVATE+KEY+name+hash+base64`, the form of Go's sumdb/note. A secret."""
        body = base64.b64encode(bytes([self.algorithm]) + self.private).decode()
        return f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{body}"

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """Read `to_text` back. Raises Malformed, which never repeats the text."""
        name, _, rest = text.strip().removeprefix(_PRIVATE).partition("+")
        key_id, _, body = rest.partition("+")
        raw = _base64(body)
        if not text.startswith(_PRIVATE) or not is_name(name) or len(raw) != 33:
            raise Malformed("this is no private key of a note signer")
        found = cls(name, raw[0], raw[1:])
        if raw[0] not in (ED25519, COSIGNATURE) or found.verifier.key_id.hex() != key_id:
            raise Malformed("the private key's hash is not its own")
        return found

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        public = Ed25519PrivateKey.from_private_bytes(self.private).public_key().public_bytes_raw()
        return Verifier(self.name, self.algorithm, public)

    def line(self, text: bytes, moment: int = 0) -> str:
        """The signature line of a note's text; a cosignature says `moment` (seconds since 1970)."""
        key, head = Ed25519PrivateKey.from_private_bytes(self.private), self.verifier.key_id
        if self.algorithm == COSIGNATURE:
            signature = moment.to_bytes(8, "big") + key.sign(_cosigned(text, moment))
        else:
            signature = key.sign(text)
        return f"{_DASH} {self.name} {base64.b64encode(head + signature).decode()}\n"


@dataclass(frozen=True)
class Signature:
    """A signature that holds: whose, and when a cosigner saw the note."""

    name: str
    moment: int | None


@dataclass(frozen=True)
class Checkpoint:
    """A log's head: origin, size in leaves, root, and extension lines."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> bytes:
        """The note's text."""
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions]
        return "".join(f"{line}\n" for line in lines).encode()

    @classmethod
    def parse(cls, text: bytes) -> "Checkpoint":
        """Read a note's text. Raises Malformed."""
        lines = text.decode().split("\n")[:-1]
        if len(lines) < 3 or not lines[0] or not all(lines[3:]):
            raise Malformed("a checkpoint has origin, size, root and no empty line")
        size = lines[1]
        if not (size.isascii() and size.isdigit()) or (size[0] == "0" and size != "0") or len(size) > 19:
            raise Malformed("a checkpoint's size is a decimal number")
        root = _base64(lines[2])
        if len(root) != 32:
            raise Malformed("a checkpoint's root is 32 bytes")
        return cls(lines[0], int(size), root, tuple(lines[3:]))


def is_name(name: str) -> bool:
    """Whether a key may have this name: not empty, no space, no plus."""
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name)


def sign(text: bytes, *signers: Signer) -> bytes:
    """A note signed by these keys. Raises Malformed when the text cannot be one."""
    _check_text(text)
    return text + b"\n" + "".join(signer.line(text) for signer in signers).encode()


def cosigners(note: bytes, witnesses: Sequence[Verifier]) -> set[str]:
    """Names of the witnesses whose cosignatures hold. Raises Malformed when one of them does not."""
    _, lines = _split(note)
    named = {(name, raw[:4]) for name, raw in lines}
    present = [one for one in witnesses if (one.name, one.key_id) in named]
    return {signature.name for signature in read(note, present)[1]} if present else set()


def read(note: bytes, verifiers: Sequence[Verifier]) -> tuple[bytes, list[Signature]]:
    """The text and the signatures of known keys, at least one. Raises Malformed, of that UnknownKey.

    Signatures of unknown keys are passed over; a wrong one of a known key spoils the note. A key that signed
    twice counts once.
    """
    text, lines = _split(note)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    found: dict[tuple[str, bytes], Signature] = {}
    for name, raw in lines:
        verifier = known.get((name, raw[:4]))
        if verifier and (name, raw[:4]) not in found:
            found[name, raw[:4]] = Signature(name, verifier.verify(text, raw[4:]))
    if not found:
        raise UnknownKey("no known key signed this note")
    return text, list(found.values())


def _split(note: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    text, blank, tail = note.rpartition(b"\n\n")
    if not blank or not tail.endswith(b"\n") or len(note) > _LONGEST:
        raise Malformed("a note is text, a blank line and signature lines")
    text += b"\n"
    _check_text(text)
    try:
        lines = tail.decode().split("\n")[:-1]
    except UnicodeDecodeError:
        raise Malformed("a note is UTF-8") from None
    if not 1 <= len(lines) <= _MOST_SIGNATURES:
        raise Malformed("a note has 1 to 100 signatures")
    return text, [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    words = line.split(" ")
    if len(words) != 3 or words[0] != _DASH or not is_name(words[1]):
        raise Malformed("a signature line is a dash, a name and base64")
    raw = _base64(words[2])
    if len(raw) < 5:
        raise Malformed("a signature is longer than its key id")
    return words[1], raw


def _check_text(text: bytes) -> None:
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise Malformed("a note is UTF-8") from None
    if not text.endswith(b"\n") or any(letter < " " and letter != "\n" for letter in decoded):
        raise Malformed("a note's text ends with a newline and has no other control character")


def _cosigned(text: bytes, moment: int) -> bytes:
    return f"cosignature/v1\ntime {moment}\n".encode() + text


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("not base64") from None
