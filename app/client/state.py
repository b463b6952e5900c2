"""What the daemon remembers of a list between two runs, in one small file that is replaced whole.

Whatever line a crash strikes at, the next start reads here what is still to be done. No address is in it.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from app.client.store import Store
from app.core.terms import ReceiptOutcome
from app.files import write_durably

_TOLD_KEPT, _OUTBOX_KEPT = 50, 100


@dataclass
class Held:
    """A version that the brake keeps out. `since` is when the hold began, seconds since 1970."""

    version: int
    content_sha256: str
    since: float
    added: int
    removed: int


@dataclass
class Rejected:
    """What the filter's own checker did not pass. `again_at`: seconds since 1970."""

    made_from: str
    tries: int
    again_at: float


@dataclass
class State:
    """`rendered` says for each file (its path) what it was made from and its SHA-256.

    `reload_due` is set before a file is swapped; `reload_due_since` is when, seconds since 1970, and stays
    through reloads that fail, `reload_failures` of them. `told` has the last receipt that was made of each
    version, `outbox` those not sent. `heard_at` is about when the service last gave a verified word;
    `unheard_since` is when its silence began where that is not known, or not over by the clock.
    """

    rendered: dict[str, list[str]] = field(default_factory=dict)
    reload_due: bool = False
    held: Held | None = None
    rejected: Rejected | None = None
    told: list[str] = field(default_factory=list)
    outbox: list[dict[str, Any]] = field(default_factory=list)
    reload_due_since: float | None = None
    reload_failures: int = 0
    heard_at: float | None = None
    unheard_since: float | None = None

    @classmethod
    def read(cls, path: Path) -> "State":
        """The remembered state; a fresh one when there is none that can be read: then all is done again."""
        try:
            found = json.loads(path.read_bytes())
            held, rejected = found.pop("held"), found.pop("rejected")
            return cls(
                **found,
                held=Held(**held) if held else None,
                rejected=Rejected(**rejected) if rejected else None,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, path: Path) -> None:
        """Raises OSError."""
        write_durably(path, json.dumps(asdict(self)).encode())

    def is_told(self, version: int, outcome: ReceiptOutcome) -> bool:
        """Whether this outcome is the last that a receipt was made of for the version."""
        return f"{version} {outcome.value}" in self.told

    def tell(self, version: int, outcome: ReceiptOutcome, body: dict[str, Any]) -> None:
        """Put a receipt into the outbox."""
        others = [one for one in self.told if not one.startswith(f"{version} ")]
        self.told = [*others, f"{version} {outcome.value}"][-_TOLD_KEPT:]
        self.outbox = [*self.outbox, body][-_OUTBOX_KEPT:]

    def untell(self, body: dict[str, Any]) -> None:
        """A receipt of this kind is to be made again."""
        self.told = [one for one in self.told if one != f"{body['version']} {body['outcome']}"]


def path_of(store: Store, name: str) -> Path:
    """Where a list's state is kept. Raises OSError."""
    return store.home(name) / "watch.json"


def approve(store: Store, name: str, content_sha256: str) -> None:
    """The operator of this provider lets one exact content in. Raises OSError."""
    write_durably(_approval(store, name), content_sha256.encode())


def approved(store: Store, name: str) -> str | None:
    """The content that was let in, if any."""
    try:
        return _approval(store, name).read_text()
    except (OSError, ValueError):
        return None


def forget_approval(store: Store, name: str) -> None:
    """It was used. Raises OSError."""
    _approval(store, name).unlink(missing_ok=True)


def _approval(store: Store, name: str) -> Path:
    return store.home(name) / "release"
