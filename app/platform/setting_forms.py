"""What some settings must look like. Each raises ValueError, which says what to write."""

from urllib.parse import urlsplit

from app.platform.key_forms import LIST, LOG, ONLINE, SECRETS, SIGNING

_DATABASES = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")
KEY_ROLES = sorted((*SECRETS, *SIGNING, *ONLINE, LOG, LIST.rstrip("-"), "dkim", "epoch"))
"""What `key_days` may name; `list` is every list's key."""


def database(address: str | None) -> str | None:
    """An address that SQLAlchemy takes, of a database that wardlist works on; None and "" stand for none."""
    if not address:
        return None
    # Commands that open no database do without: it is slow to load.
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        place = make_url(address)
        is_known = place.drivername in _DATABASES
    except (ArgumentError, ValueError):
        is_known = False
    if is_known and place.drivername.startswith("sqlite"):
        is_known = bool(place.database) and not place.host
    if not is_known:
        raise ValueError("write postgresql+psycopg://USER@HOST/NAME or sqlite:////FOLDER/FILE")
    return address


def origin(address: str | None) -> str | None:
    """An http or https address with a host, and a port at most; None and "" stand for none."""
    if not address:
        return None
    try:
        place = urlsplit(address)
        is_whole = place.scheme in ("http", "https") and bool(place.hostname) and place.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or place.path.strip("/") or "@" in place.netloc or set(address) & set("?# \t\r\n"):
        raise ValueError("write https://HOST or https://HOST:PORT, without a path")
    return address


def key_days(text: str) -> str:
    """`ROLE=DAYS` for roles there are, separated by commas."""
    for pair in filter(None, text.split(",")):
        role = pair.partition("=")[0]
        if role not in KEY_ROLES:
            raise ValueError(f"there is no key {role}; write one of {', '.join(KEY_ROLES)}")
    return text
