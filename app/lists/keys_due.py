"""When a key should be changed, and when what it signed runs out.

A policy says how many days a key of a role may sign: `POLICY`, and `WARDLIST_KEY_DAYS` over it. Roles
without days are not changed by age: what is derived from them would have to be made anew with them. What a
role signed runs out by itself (TUF); the publisher renews it long before, people renew root and register.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.lists.key_inventory import KeyInfo, Standing, inventory
from app.lists.repository import LIFE
from app.platform.clock import instant
from app.platform.settings import Settings
from app.platform.signers import LIST

POLICY: Mapping[str, int] = {
    "token": 90,
    "manifest": 365,
    "log": 730,
    "targets": 365,
    "snapshot": 365,
    "timestamp": 180,
    "list": 365,
    "dkim": 365,
}
"""Days by role; `list` is every list's."""
BY_HAND = ("root", "register")
"""Signed offline, so that people renew them."""
_RENEWED = {"timestamp": LIFE["timestamp"] / 2}
"""How long before its end the publisher has renewed a role at the latest; otherwise a quarter of its life."""


@dataclass(frozen=True)
class Due:
    """`rotate_by` None: not by age, or its age is not known here. `expires_at` None: nothing ends.

    From `warn_rotate_at` and `warn_expire_at` on somebody should see to it.
    """

    role: str
    id: str
    rotate_by: datetime | None
    expires_at: datetime | None
    warn_rotate_at: datetime | None
    warn_expire_at: datetime | None

    def warnings(self, now: datetime) -> list[str]:
        """What is to be done, in words; nothing when all is well."""
        found = []
        if self.expires_at and self.warn_expire_at and now >= self.warn_expire_at:
            does = "ended" if now >= self.expires_at else "ends"
            found.append(f"what {self.role} signed {does} {instant(self.expires_at)}")
        if self.rotate_by and self.warn_rotate_at and now >= self.warn_rotate_at:
            does = "was to be changed" if now >= self.rotate_by else "is to be changed"
            found.append(f"the key {does} by {instant(self.rotate_by)}")
        return found


def due(settings: Settings) -> list[Due]:
    """Of every key in force; no private byte is in it. Raises KeyUnusable, and tuf's StorageError."""
    return [of(one, settings) for one in inventory(settings) if one.standing is Standing.SIGNS]


def of(key: KeyInfo, settings: Settings) -> Due:
    """When that key is due."""
    kind = "list" if key.role.startswith(LIST) else key.role
    days = settings.key_days_by_role.get(kind, POLICY.get(kind))
    warn = timedelta(days=settings.key_warn_days)
    rotate_by = key.since + timedelta(days=days) if days and key.since else None
    before = warn if kind in BY_HAND else _RENEWED.get(kind, LIFE.get(kind, timedelta()) / 4)
    return Due(
        key.role,
        key.id,
        rotate_by,
        key.expires_at,
        rotate_by and rotate_by - min(warn, timedelta(days=days or 0) / 4),
        key.expires_at and key.expires_at - before,
    )
