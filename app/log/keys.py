"""The keys of the public log: which sign its checkpoints now, and which ones ever did.

While a key is changed, the new and the old one both sign: C2SP signed-note lets a note have signatures of
several keys of one name, and a reader passes over those it does not know.
"""

from dataclasses import dataclass
from datetime import datetime

from app.core import note
from app.platform.keyring import Keyring
from app.platform.settings import Settings


@dataclass(frozen=True)
class LogKeys:
    """Of the log named `origin`; looked up anew at each use, so that a change is seen without a restart."""

    origin: str
    keyring: Keyring

    @classmethod
    def of(cls, settings: Settings, keyring: Keyring) -> "LogKeys":
        """The installation's."""
        return cls(settings.log_origin, keyring)

    @property
    def verifiers(self) -> list[note.Verifier]:
        """The key that a reader is given first, then every other one that ever signed."""
        return self.keyring.log_verifiers(self.origin)

    def sign(self, checkpoint: note.Checkpoint) -> bytes:
        """The checkpoint as a note signed by all that sign. Raises KeyUnusable."""
        return note.sign(checkpoint.text(), *self.keyring.log_signers(self.origin))

    def read(self, signed: bytes) -> note.Checkpoint:
        """A checkpoint of ours. Raises note.Malformed."""
        return note.Checkpoint.parse(note.read(signed, self.verifiers)[0])

    def is_signed_by_one_in_force(self, signed: bytes, now: datetime) -> bool:
        """Whether a key that was not ended signed it: what an ended one signs now may be a thief's."""
        try:
            return bool(note.read(signed, self.keyring.log_verifiers(self.origin, now))[1])
        except note.Malformed:
            return False

    def all_signed(self, signed: bytes) -> bool:
        """Whether every key that signs now has signed this checkpoint of ours."""
        wanted = [one.verifier for one in self.keyring.log_signers(self.origin)]
        try:
            return len(note.read(signed, wanted)[1]) == len(wanted)
        except note.Malformed:
            return False
