"""What only one process of an installation does at a time, and by which lock each is led."""

from app.lists.publisher_lock import LOCK
from app.platform.database import Database
from app.platform.leader import Leadership
from app.platform.settings import Settings

PUBLISHER, DUTIES, EXPORTS = "publisher", "duties", "exports"
_LOCKS = {PUBLISHER: LOCK, DUTIES: "duties.lock", EXPORTS: "exports.lock"}
ROLES = tuple(_LOCKS)


def leadership(role: str, settings: Settings, database: Database) -> Leadership:
    """The lead of one of the roles, not taken yet."""
    return Leadership(role, settings.home / _LOCKS[role], database)
