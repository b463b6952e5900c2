"""One way to verify what people and programs sign; neither's signature passes for the other's."""

import pytest

from app.core import jose, signature
from app.core.jose import Invalid
from tests.core.passkeys import ORIGIN, SITE, STATEMENT, public_jwk, signed, with_header
from tests.programs.webclient import Passkey

SIGNER = Passkey(ORIGIN, SITE)
BOUND = public_jwk(SIGNER)
UNBOUND = {name: value for name, value in BOUND.items() if name != "rp_id"}


def private_jwk() -> dict[str, str]:
    """The passkey's own private key, as no authenticator gives it out."""
    secret = SIGNER.private.private_numbers().private_value
    return {**UNBOUND, "d": jose.encode(secret.to_bytes(32, "big"))}


def test_each_key_verifies_its_own_form() -> None:
    assert signature.verify(signed(SIGNER), BOUND) == STATEMENT
    assert signature.verify(jose.sign(STATEMENT, private_jwk()), UNBOUND) == STATEMENT


def test_a_jws_of_a_passkeys_key_is_refused() -> None:
    for typ in (None, "JWT", "wardlist-passkey"):
        with pytest.raises(Invalid):
            signature.verify(jose.sign(STATEMENT, private_jwk(), typ), BOUND)


def test_a_passkeys_signature_is_refused_for_a_key_that_is_none() -> None:
    with pytest.raises(Invalid, match="no passkey"):
        signature.verify(signed(SIGNER), UNBOUND)
    with pytest.raises(Invalid):
        signature.verify(with_header(signed(SIGNER), typ="JWT"), UNBOUND)


def test_the_same_key_bound_to_another_site_does_not_verify() -> None:
    with pytest.raises(Invalid, match="another site"):
        signature.verify(signed(SIGNER), {**BOUND, "rp_id": "elsewhere.example"})


@pytest.mark.parametrize(
    "more", [{"note": "a word"}, {"typ": "a word"}, {"jku": "https://elsewhere.example"}]
)
def test_a_programs_header_says_no_more_than_it_must(more: dict[str, str]) -> None:
    token = with_header(jose.sign(STATEMENT, private_jwk()), **more)
    with pytest.raises(Invalid):
        signature.kid(token)


@pytest.mark.parametrize("site", ["", "-", "a b", "A.example", "x" * 300, "console.example.", 7, None])
def test_a_site_that_is_no_host_name_is_refused(site: object) -> None:
    with pytest.raises(Invalid, match="rp_id"):
        jose.public_part({**BOUND, "rp_id": site})
