"""What is wrong with the database, in one sentence that holds nothing of its address."""

import sqlite3

import psycopg

from app.platform.database import is_outage

_AS_SERVICE = "run this as the service's account: `wardlist-admin COMMAND`"
_FULL = "the database's disk is full; make room there"
_IN_USE = "other writers took too long; try again"
_CROWDED = "the database's server takes no more connections; raise its max_connections, or try again"
_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: "the database's disk is full, or fails",
    sqlite3.SQLITE_CANTOPEN: f"the database's file cannot be opened; make its folder, or {_AS_SERVICE}",
    sqlite3.SQLITE_READONLY: f"the database's file cannot be written; {_AS_SERVICE}",
    sqlite3.SQLITE_BUSY: _IN_USE,
    sqlite3.SQLITE_LOCKED: _IN_USE,
    sqlite3.SQLITE_CORRUPT: "the database's file is damaged; restore a backup",
    sqlite3.SQLITE_NOTADB: "the database's file is none of SQLite",
}
"""By the low byte of its code: what else SQLite refuses was asked wrongly."""
_POSTGRESQL = {
    "25006": "the database only reads, as a standby does; name the primary in WARDLIST_DATABASE_URL",
    "40001": _IN_USE,
    "40P01": _IN_USE,
    "42501": "the database's role may not do this; make it the owner of the database",
    "53100": _FULL,
    "53200": "the database's server is out of memory",
    "53300": _CROWDED,
    "55P03": _IN_USE,
    "57014": "the database's server ended what was asked as it took too long; look at its timeouts",
}
_UNREACHED = "the database cannot be reached; is it up, and is WARDLIST_DATABASE_URL right?"
_MISSING = "the database does not exist; make it, or mend WARDLIST_DATABASE_URL"
_NOT_LET_IN = "the database refuses this login; mend the role, its password or WARDLIST_DATABASE_URL"
_CONNECTING = {
    _CROWDED: ("too many clients", "too many connections", "connection slots"),
    _NOT_LET_IN: ("authentication", "FATAL:  role", "no password", "pg_hba", "permission denied"),
}
_NOT_UNDERSTOOD = "WARDLIST_DATABASE_URL has options that PostgreSQL does not know"


def sentence(failure: Exception) -> str | None:
    """None when what was asked is wrong, and not the database."""
    cause = getattr(failure, "orig", None) or failure
    if isinstance(cause, sqlite3.Error):
        return _SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
    if isinstance(cause, psycopg.Error):
        is_asked = getattr(failure, "statement", None) is not None
        return _asked(cause) if cause.sqlstate or is_asked else _connecting(cause)
    return _IN_USE if is_outage(failure) else None


def _asked(cause: psycopg.Error) -> str | None:
    """Of a connection that stood."""
    known = _POSTGRESQL.get(cause.sqlstate or "")
    is_away = isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    return known or (_UNREACHED if is_away else None)


def _connecting(cause: psycopg.Error) -> str:
    """libpq gives no code to what it cannot connect to, only words."""
    words = str(cause)
    if isinstance(cause, psycopg.ProgrammingError):
        return _NOT_UNDERSTOOD
    if 'FATAL:  database "' in words and "does not exist" in words:
        return _MISSING
    said = (say for say, signs in _CONNECTING.items() if any(sign in words for sign in signs))
    return next(said, _UNREACHED)
