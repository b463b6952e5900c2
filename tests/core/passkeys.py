"""Signatures of a passkey in software, for tests of how they are verified."""

import json
from typing import Any

from app.core import jose, passkey
from tests.programs.webclient import Passkey

STATEMENT = b'{"act":"test","iat":1}'
ORIGIN, SITE = "https://console.example", "console.example"


def public_jwk(signer: Passkey, **more: str) -> dict[str, str]:
    """Its public JWK, with the site it is bound to."""
    numbers = signer.private.public_key().public_numbers()
    point = {name: jose.encode(getattr(numbers, name).to_bytes(32, "big")) for name in ("x", "y")}
    return jose.public_part({"kty": "EC", "crv": "P-256", **point, "rp_id": signer.rp_id, **more})


def signed(signer: Passkey, statement: bytes = STATEMENT, **said: Any) -> str:
    """A statement's signature; `said` replaces members of what the browser says, or adds some."""
    asked = {"challenge": jose.encode(passkey.challenge(statement))}
    answer = json.loads(signer.asserted(asked, **said))["response"]
    return passkey.token(
        statement,
        kid=public_jwk(signer)["kid"],
        authenticator_data=jose.decode(answer["authenticatorData"]),
        client_data=jose.decode(answer["clientDataJSON"]),
        signature=jose.decode(answer["signature"]),
    )


def signed_words(signer: Passkey, words: bytes, statement: bytes = STATEMENT) -> str:
    """A statement's signature over what a browser says in exactly these words."""
    data, signature = signer.over(words)
    kid = public_jwk(signer)["kid"]
    return passkey.token(statement, kid=kid, authenticator_data=data, client_data=words, signature=signature)


def with_header(token: str, **changes: Any) -> str:
    """The token with members of its header replaced, in the one form."""
    header, payload, signature = token.split(".")
    members = json.loads(jose.decode(header)) | changes
    text = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return ".".join((jose.encode(text.encode("utf-8", "surrogatepass")), payload, signature))
