"""The statement a reviewer signs: keyed digests only, so that it can stand whole in the public log.

Source: design section 3 ("Sign-off is provable by anyone"); RFC 8785; RFC 7515 (compact JWS).
"""

from collections.abc import Mapping

import rfc8785

CRITERIA = ("depicts_child", "sexually_explicit", "url_in_scope", "narrowest_scope", "removal_pursued")


def statement(
    *,
    criteria: Mapping[str, bool],
    decision: str,
    entry: str,
    entry_digest: str,
    iat: int,
    in_list: str,
    reason_digest: str,
) -> bytes:
    """The exact bytes to sign. `iat` is seconds since 1970; digests are 64 hex digits."""
    return rfc8785.dumps(
        {
            "criteria": {name: bool(criteria[name]) for name in CRITERIA},
            "decision": decision,
            "entry": entry,
            "entry_digest": entry_digest,
            "iat": iat,
            "list": in_list,
            "reason_digest": reason_digest,
        }
    )
