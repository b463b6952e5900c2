"""What an internet provider sends the operator to take part, and what it gets back.

The sign-up file holds public halves only: the client's key, the age recipients, and a signature by that key
over the rest, which shows that the sender has its private half and that nothing was exchanged on the way.
Whoever could put a file of its own in place of it is found out by comparing the key's fingerprint by another
way. Sources: RFC 8785; RFC 7515 (compact JWS); RFC 7638.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.core import age, jose

SIGNUP: Final = "wardlist-signup/1"
WELCOME: Final = "wardlist-welcome/1"
LARGEST = 1024 * 1024
"""Bytes of either file."""
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]


class Invalid(ValueError):
    """A file that is not what it must be. The text names the fault."""


class Signup(BaseModel):
    """A sign-up that holds. `jwk` is public; `country` is ISO 3166-1 alpha-2."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["wardlist-signup/1"] = SIGNUP
    name: Text
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    jwk: dict[str, str]
    recipients: Annotated[list[str], Field(min_length=1, max_length=8)]

    @classmethod
    def made(cls, name: str, country: str, private_jwk: dict[str, Any], recipients: Sequence[str]) -> bytes:
        """The file, for a provider that has this key. Raises Invalid."""
        public = jose.public_part(private_jwk)
        try:
            made = cls(name=name, country=country, jwk=public, recipients=list(recipients))
        except ValidationError as wrong:
            raise Invalid(_fault(wrong)) from None
        plain = made.model_dump()
        return _file({**plain, "proof": jose.sign(rfc8785.dumps(plain), private_jwk)})

    @classmethod
    def read(cls, data: bytes) -> Self:
        """The content, once the proof and each recipient hold. Raises Invalid."""
        whole = _object(data)
        proof = str(whole.pop("proof", ""))
        try:
            found = cls.model_validate(whole)
            public = jose.public_part(found.jwk)
            if jose.verify(proof, public) != rfc8785.dumps(whole):
                raise Invalid("the proof is of something else")
            recipients = [age.check_recipient(one) for one in found.recipients]
        except ValidationError as wrong:
            raise Invalid(_fault(wrong)) from None
        except (jose.Invalid, age.Invalid) as wrong:
            raise Invalid(str(wrong)) from None
        return found.model_copy(update={"jwk": public, "recipients": recipients})


class Welcome(BaseModel):
    """The operator's answer: where to sign in and as whom, and what to trust. Nothing in it is secret.

    `kid` is the thumbprint of the provider's own key, `root` the text of 1.root.json, `log_vkey` the log's
    verifier key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["wardlist-welcome/1"] = WELCOME
    issuer: Annotated[str, Field(max_length=2048, pattern=r"^https?://[!-~]+$")]
    token_endpoint: Annotated[str, Field(max_length=2048, pattern=r"^https?://[!-~]+$")]
    client_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    organisation: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    kid: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
    lists: Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]], Field(max_length=1000)]
    log_vkey: Annotated[str, Field(max_length=500, pattern=r"^[!-~]+$")]
    root: Annotated[str, Field(max_length=LARGEST)]
    root_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    def to_bytes(self) -> bytes:
        """The file."""
        return _file(self.model_dump())

    @classmethod
    def read(cls, data: bytes) -> Self:
        """The content, once the root is the one whose digest is given. Raises Invalid."""
        try:
            found = cls.model_validate(_object(data))
        except ValidationError as wrong:
            raise Invalid(_fault(wrong)) from None
        if hashlib.sha256(found.root.encode()).hexdigest() != found.root_sha256:
            raise Invalid("root is not what root_sha256 says")
        return found


def fingerprint(kid: str) -> str:
    """A key's RFC 7638 thumbprint to read out: 64 hex digits in groups of four."""
    return grouped(jose.decode(kid).hex())


def grouped(digits: str) -> str:
    """Hex digits in groups of four."""
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > LARGEST:
        raise Invalid("the file is too large")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise Invalid("the file is not JSON") from None
    if not isinstance(found, dict):
        raise Invalid("the file holds no object")
    return found


def _file(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"


def _fault(wrong: ValidationError) -> str:
    first = wrong.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
