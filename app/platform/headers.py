"""What every answer says of itself, so that no browser makes more of it than it is.

Pages say more (app/web/pages.py); what an answer says already is left as it is. Sources: RFC 6797 (HSTS), RFC
9111 section 5.2.2.5, Content Security Policy level 3, Fetch (Cross-Origin-Resource-Policy, nosniff), Referrer
Policy.
"""

from collections.abc import Iterable

Header = tuple[bytes, bytes]
NOSNIFF = (b"x-content-type-options", b"nosniff")
ALWAYS: tuple[Header, ...] = (
    NOSNIFF,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
"""Without subdomains: they may be somebody else's to decide on."""
NO_STORE = (b"cache-control", b"no-store")


def always(address: str) -> tuple[Header, ...]:
    """What every answer of the service at this public address says."""
    return (*ALWAYS, STRICT_TRANSPORT) if address.startswith("https://") else ALWAYS


def added(said: Iterable[Header], more: Iterable[Header]) -> list[Header]:
    """What is said, and of what there is more all that is not said yet."""
    kept = list(said)
    names = {name.lower() for name, _ in kept}
    return kept + [header for header in more if header[0] not in names]
