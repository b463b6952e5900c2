"""The statement a review body signs when it decides an appeal: ids and keyed digests, for the public log.

Only an upheld appeal names entries: a denied one would tell its appellant, who knows the address, what is
listed. Source: design section 3 ("Sign-off is provable by anyone"); RFC 8785; RFC 7515 (compact JWS).
"""

from collections.abc import Iterable, Mapping

import rfc8785

from app.core import commitment
from app.core.terms import AppealOutcome

_ALWAYS = frozenset({"appeal", "iat", "outcome", "reason_digest"})
MEMBERS: Mapping[AppealOutcome, frozenset[str]] = {
    AppealOutcome.UPHELD: _ALWAYS | {"entries"},
    AppealOutcome.DENIED: _ALWAYS | {"entries_digest"},
}
"""What a statement of each outcome holds, and nothing else."""


def statement(
    key: bytes, *, appeal: str, entries: Iterable[str], iat: int, outcome: AppealOutcome, reason: str
) -> bytes:
    """The exact bytes to sign. `key` is the appeal's, `appeal` its `log_id`, `entries` ids in any order.

    `iat` is seconds since 1970.
    """
    ids = sorted(entries)
    is_upheld = outcome is AppealOutcome.UPHELD
    named = {"entries": ids} if is_upheld else {"entries_digest": commitment.entries_digest(key, ids)}
    return rfc8785.dumps(
        {
            "appeal": appeal,
            "iat": iat,
            "outcome": outcome.value,
            "reason_digest": commitment.reason_digest(key, reason),
            **named,
        }
    )
