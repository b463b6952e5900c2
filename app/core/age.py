"""Sealing files to several recipients, and opening them: age v1 with X25519 recipients.

Source: the age specification (C2SP, age.md). pyrage does the work.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

import pyrage
from pyrage import x25519

SUFFIX = ".age"
MAGIC = b"age-encryption.org/v1"
"""What a sealed file starts with."""
_UNOPENED = "none of these identities opens it, or it is damaged"


class Unopened(ValueError):
    """A file that these identities do not open, or that is no age file. The text says no more."""


class Invalid(ValueError):
    """A recipient or identity that is not written as it must be."""


class Writer(Protocol):
    """Takes bytes."""

    def write(self, data: bytes, /) -> int:
        """Take in all of it; how many bytes that were."""

    def flush(self) -> object:
        """Hand on what was taken in."""


def generate() -> tuple[str, str]:
    """A new (identity, recipient): `AGE-SECRET-KEY-1...`, secret, and `age1...`, public."""
    identity = x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def recipient_of(identity: str) -> str:
    """The public half. Raises Invalid."""
    return str(_identity(identity).to_public())


def check_recipient(text: str) -> str:
    """The recipient as age writes it. Raises Invalid."""
    return str(_recipient(text))


def seal(chunks: Iterable[bytes], to: Writer, recipients: Iterable[str]) -> None:
    """Write the sealed form of `chunks`. With no recipient nobody opens it again.

    Raises Invalid, and what `chunks` and `to` raise.
    """
    wanted = [_recipient(one) for one in recipients] or [x25519.Identity.generate().to_public()]
    source, sink = _Reader(chunks), _Writer(to)
    try:
        pyrage.encrypt_io(source, sink, wanted)
    except (pyrage.EncryptError, OSError) as failure:
        raise source.failure or sink.failure or failure from None


def seal_bytes(data: bytes, recipients: Iterable[str]) -> bytes:
    """A small text sealed. Raises Invalid."""
    sealed: bytes = pyrage.encrypt(data, [_recipient(one) for one in recipients])
    return sealed


def unseal(chunks: Iterable[bytes], to: Writer, identities: Iterable[str]) -> None:
    """Write the opened form; what was written before this raises is worth nothing.

    Raises Unopened, Invalid, and what `chunks` and `to` raise.
    """
    own = [_identity(one) for one in identities]
    source, sink = _Reader(chunks), _Writer(to)
    try:
        pyrage.decrypt_io(source, sink, own)
    except (pyrage.DecryptError, OSError):
        raise source.failure or sink.failure or Unopened(_UNOPENED) from None


def unseal_bytes(data: bytes, identities: Iterable[str]) -> bytes:
    """A small text opened. Raises Unopened or Invalid."""
    try:
        opened: bytes = pyrage.decrypt(data, [_identity(one) for one in identities])
    except pyrage.DecryptError:
        raise Unopened(_UNOPENED) from None
    return opened


class _Reader:
    """A file to read from, over chunks. pyrage hides what went wrong here, so it is kept."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._left = memoryview(b"")
        self.failure: BaseException | None = None

    def read(self, size: int = -1, /) -> bytes:
        try:
            while not self._left:
                chunk = next(self._chunks, None)
                if chunk is None:
                    return b""
                self._left = memoryview(chunk)
        except BaseException as failure:
            self.failure = failure
            raise
        size = len(self._left) if size < 0 else size
        taken, self._left = self._left[:size], self._left[size:]
        return bytes(taken)


class _Writer:
    """A file to write to, which keeps what went wrong."""

    def __init__(self, to: Writer) -> None:
        self._to = to
        self.failure: BaseException | None = None

    def write(self, data: bytes, /) -> int:
        try:
            return self._to.write(data)
        except BaseException as failure:
            self.failure = failure
            raise

    def flush(self) -> None:
        self._to.flush()


def _recipient(text: str) -> x25519.Recipient:
    try:
        return x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError:
        raise Invalid("an age recipient is written age1...") from None


def _identity(text: str) -> x25519.Identity:
    try:
        return x25519.Identity.from_str(text.strip())
    except pyrage.IdentityError:
        raise Invalid("an age identity is written AGE-SECRET-KEY-1...") from None
