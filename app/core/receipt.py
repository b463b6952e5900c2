"""The statement an internet provider signs about a version it was given: applied, held or failed.

Source: design section 2 ("receipt"); RFC 8785; RFC 7515 (compact JWS).
"""

import rfc8785


def statement(*, applied_at: str, content_sha256: str, in_list: str, outcome: str, version: int) -> bytes:
    """The exact bytes to sign. `applied_at` is RFC 3339, UTC, whole seconds; the digest 64 hex digits."""
    return rfc8785.dumps(
        {
            "applied_at": applied_at,
            "content_sha256": content_sha256,
            "list": in_list,
            "outcome": outcome,
            "version": version,
        }
    )
