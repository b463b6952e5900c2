"""A person's or a program's signature over a statement, whichever key made it.

A key of a program signs as RFC 7515 has it; a passkey, known by the `rp_id` beside its public key, as
app/core/passkey.py has it. Neither passes for the other.
"""

from collections.abc import Mapping

from app.core import jose, passkey
from app.core.jose import Invalid


def kid(token: str) -> object:
    """The thumbprint of the key that is said to have signed, once the header says no more than it must.

    What else a signer could write there would be published with it. Raises Invalid.
    """
    header = jose.header(token)
    if passkey.is_one(header):
        passkey.require_plain(token, header)
    elif not header.keys() <= {"alg", "kid", "typ"} or header.get("typ", "JWT") != "JWT":
        raise Invalid("the header may hold alg, kid and typ JWT only")
    return header.get("kid")


def verify(token: str, jwk: Mapping[str, str]) -> bytes:
    """The statement, once the signature by this public JWK holds. Raises Invalid."""
    if "rp_id" in jwk:
        return passkey.verify(token, jwk)
    if passkey.is_one(jose.header(token)):
        raise Invalid("this key is no passkey")
    return jose.verify(token, dict(jwk))
