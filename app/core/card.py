"""The card by which one instance makes itself known to another as a peer: public halves only.

It is signed with the key it names, which shows that whoever made it has that key and that address, recipient
and key belong together. Whoever could put a card of its own in place of it is found out by comparing the
key's fingerprint by another way (app/core/signup.py does the same for providers).
Sources: RFC 8785; RFC 7515 (compact JWS); RFC 7638.
"""

import json
from typing import Annotated, Any, Final, Literal, Self

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.core import age, jose, signup

FORMAT: Final = "wardlist-peer/1"
LARGEST: Final = 64 * 1024
"""Bytes."""


class Invalid(ValueError):
    """A card that is not what it must be. The text names the fault."""


class Card(BaseModel):
    """A card that holds. `address` has no trailing slash; `recipient` is what messages are sealed to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["wardlist-peer/1"] = FORMAT
    name: signup.Text
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    address: Annotated[str, Field(max_length=1000, pattern=r"^https?://[!-~]*[!-.0-~]$")]
    jwk: dict[str, str]
    recipient: str

    @property
    def kid(self) -> str:
        """The key's thumbprint (RFC 7638)."""
        return self.jwk["kid"]

    @property
    def fingerprint(self) -> str:
        """The thumbprint to read out by telephone."""
        return signup.fingerprint(self.kid)

    @classmethod
    def made(cls, name: str, country: str, address: str, private_jwk: dict[str, Any], recipient: str) -> Self:
        """The card of an instance that has this key. Raises Invalid."""
        public = jose.public_part(private_jwk)
        try:
            return cls(name=name, country=country, address=address, jwk=public, recipient=recipient)
        except ValidationError as wrong:
            raise Invalid(_fault(wrong)) from None

    def to_bytes(self, private_jwk: dict[str, Any]) -> bytes:
        """The file, with its proof."""
        plain = self.model_dump()
        whole = {**plain, "proof": jose.sign(rfc8785.dumps(plain), private_jwk)}
        return json.dumps(whole, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def read(cls, data: bytes) -> Self:
        """The content, once proof and recipient hold. Raises Invalid."""
        whole = _object(data)
        proof = str(whole.pop("proof", ""))
        try:
            found = cls.model_validate(whole)
            public = jose.public_part(found.jwk)
            if jose.verify(proof, public) != rfc8785.dumps(whole):
                raise Invalid("the proof is of something else")
            recipient = age.check_recipient(found.recipient)
        except ValidationError as wrong:
            raise Invalid(_fault(wrong)) from None
        except (jose.Invalid, age.Invalid) as wrong:
            raise Invalid(str(wrong)) from None
        return found.model_copy(update={"jwk": public, "recipient": recipient})


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data) if len(data) <= LARGEST else None
    except (ValueError, RecursionError):
        raise Invalid("the file is not JSON") from None
    if not isinstance(found, dict):
        raise Invalid("the file holds no object, or is too large")
    return found


def _fault(wrong: ValidationError) -> str:
    first = wrong.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
