"""Made-up entries, others for each provider, so that a leaked file names its source.

They lie below names the operator owns, never on a real site; they are in no figure, no log and no version's
digest. Everything about them is derived from one key of the installation, so nothing is kept.
"""

import base64
import hashlib
import hmac
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.core import commitment
from app.core.policy import WIDE, Policy
from app.core.terms import EntryScope

_LABEL = 16
_NARROW = (EntryScope.URL, EntryScope.PATH)


@dataclass(frozen=True)
class CanaryEntries:
    """`key` is secret; `suffixes` are the operator's names. Without a suffix there are no canary entries."""

    key: bytes
    suffixes: Sequence[str]

    def __repr__(self) -> str:
        return "CanaryEntries(...)"

    def lines(self, name: str, organisation: str, policy: Policy) -> list[bytes]:
        """Canonical lines for one subscriber: a narrow and a wide entry, where the list takes such."""
        if not self.suffixes:
            return []
        wanted = [
            [one for one in kinds if one in policy.scopes] for kinds in (_NARROW, sorted(WIDE, reverse=True))
        ]
        return [self._line(name, organisation, scopes[0]) for scopes in wanted if scopes]

    def every_line(self, name: str, organisation: str) -> list[bytes]:
        """Canonical lines for one subscriber under whatever policy the list ever had."""
        return [self._line(name, organisation, scope) for scope in EntryScope] if self.suffixes else []

    def names(self, name: str, organisation: str) -> list[str]:
        """The host names of a subscriber's canary entries on a list."""
        return [self._host(name, organisation, scope) for scope in EntryScope] if self.suffixes else []

    def labels_in(self, text: str) -> set[str]:
        """Host names below the operator's names that occur in a text of any format."""
        ends = "|".join(re.escape(one) for one in sorted(self.suffixes, key=len, reverse=True))
        # Some formats write a dot of a name as `\\.`, so backslashes are left out of account.
        plain = text.replace("\\", "").lower()
        return set(re.findall(rf"[a-z2-7]{{{_LABEL}}}\.(?:{ends})", plain)) if ends else set()

    def _line(self, name: str, organisation: str, scope: EntryScope) -> bytes:
        path = "" if scope in WIDE else self._derived(name, organisation, scope, "path").hex()[:12]
        entry = str(uuid.UUID(bytes=self._derived(name, organisation, scope, "entry")[:16], version=4))
        url = f"http://{self._host(name, organisation, scope)}/{path}"
        key = self._derived(name, organisation, scope, "commitment")
        return commitment.list_line(key, entry=entry, scope=scope.value, url=url)

    def _host(self, name: str, organisation: str, scope: EntryScope) -> str:
        raw = self._derived(name, organisation, scope, "host")
        label = base64.b32encode(raw).decode().lower()[:_LABEL]
        return f"{label}.{self.suffixes[raw[-1] % len(self.suffixes)]}"

    def _derived(self, name: str, organisation: str, scope: EntryScope, use: str) -> bytes:
        bound = "\n".join(("wardlist/canary/v1", use, name, organisation, scope.value))
        return hmac.digest(self.key, bound.encode(), hashlib.sha256)


def is_touched(suffixes: Iterable[str], scope: EntryScope, host: str) -> bool:
    """Whether an entry of this scope on this host would lie on, or cover, one of the operator's names."""
    return any(
        f".{host}".endswith(f".{one}") or (scope is EntryScope.DOMAIN and one.endswith(f".{host}"))
        for one in suffixes
    )
