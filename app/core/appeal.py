"""The statement a review body signs when it decides an appeal: ids and a keyed digest, for the public log.

Source: design section 3 ("Sign-off is provable by anyone"); RFC 8785; RFC 7515 (compact JWS).
"""

from collections.abc import Iterable

import rfc8785

MEMBERS = frozenset({"appeal", "entries", "iat", "outcome", "reason_digest"})


def statement(*, appeal: str, entries: Iterable[str], iat: int, outcome: str, reason_digest: str) -> bytes:
    """The exact bytes to sign. `entries` are ids, in any order; `iat` is seconds since 1970.

    `reason_digest` is `commitment.reason_digest` under the appeal's key.
    """
    return rfc8785.dumps(
        {
            "appeal": appeal,
            "entries": sorted(entries),
            "iat": iat,
            "outcome": outcome,
            "reason_digest": reason_digest,
        }
    )
