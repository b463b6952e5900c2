"""What peers tell each other, and its form on the wire: signed inside, sealed outside.

A message is the RFC 8785 form of its claims, signed with the sender's key (RFC 7515, compact, ES256), and
the signature sealed to the receiver's recipient (age v1). The receiver is named in what is signed, so that
whoever opened a message cannot pass it on as one to somebody else; `id` makes its repetition known. There is
one spelling of each message: what reads alike but is written otherwise is refused.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self

import rfc8785
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from app.core import age, jose
from app.core.legal import Ground, Material
from app.core.terms import EntryScope, Measure, MessageType, RefusalReason

TYP: Final = "wardlist-exchange+jws"
MEDIA_TYPE: Final = "application/octet-stream"
PATH: Final = "/v1/exchange"
LARGEST: Final = 64 * 1024
"""Bytes of a sealed message."""
OLDEST: Final = timedelta(days=14)
"""How long after it was made a message is still taken, so that it can be sent again and again."""
SKEW: Final = timedelta(minutes=5)
"""How far a sender's clock may be ahead."""
_LONGEST_HEADER: Final = 4096
_MOST_STANZAS: Final = 16
"""Of the seal's header: one is for the receiver, some writers add a meaningless one. Anybody may write many,
and the time to read them grows with their square."""
_KID: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class Refused(ValueError):
    """No message of a peer to this instance. The text is for the operator's eyes, never for the sender."""


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Kid = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
Instant = Annotated[AwareDatetime, PlainSerializer(_instant, when_used="json")]
Text = Annotated[str, Field(min_length=20, max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Measures = Annotated[list[Measure], Field(min_length=1, max_length=len(Measure))]


class Referred(BaseModel):
    """An entry that is hosted in the receiver's country, as the sender's own review signed it off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, Field(min_length=1, max_length=8192)] = Field(repr=False)
    scope: EntryScope
    measures: Measures
    legal_ground: Ground
    material: Material
    assessed_at: Instant
    statement: Text = Field(repr=False)
    hosting_country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    scope_reason: Text | None = Field(default=None, repr=False)
    hosting_provider: Line | None = Field(default=None, repr=False)
    hosting_address: Annotated[str, Field(min_length=2, max_length=45)] | None = Field(
        default=None, repr=False
    )


class Message(BaseModel):
    """One message. `sender` and `receiver` are the thumbprints of their keys (RFC 7638).

    `referral` names what it is about: for a referral, the message itself. `at` is when it was first made.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: Id
    type: MessageType
    sender: Kid = Field(alias="from")
    receiver: Kid = Field(alias="to")
    at: Instant
    referral: Id
    entry: Referred | None = None
    state: Literal["removed", "refused", "unreachable"] | None = None
    reason: RefusalReason | None = None

    @model_validator(mode="after")
    def _holds_what_its_type_asks(self) -> Self:
        is_referral = self.type is MessageType.REFERRAL
        if (self.entry is not None) != is_referral or (is_referral and self.referral != self.id):
            raise ValueError("a referral, and nothing else, holds an entry and is called by its own id")
        if (self.state is not None) != (self.type is MessageType.OUTCOME):
            raise ValueError("an outcome, and nothing else, says a state")
        if (self.reason is not None) != (self.state == "refused"):
            raise ValueError("a refusal, and nothing else, gives a reason")
        return self

    def to_bytes(self) -> bytes:
        """Its one spelling."""
        return rfc8785.dumps(self.model_dump(mode="json", by_alias=True, exclude_none=True))


def seal(message: Message, private_jwk: dict[str, Any], recipient: str) -> bytes:
    """The message as it travels. Raises age.Invalid for a recipient that is none."""
    return age.seal_bytes(jose.sign(message.to_bytes(), private_jwk, TYP).encode(), [recipient])


def unseal(sealed: bytes, identity: str) -> str:
    """The signature inside, of whom nothing is known yet. Raises Refused."""
    if len(sealed) > LARGEST:
        raise Refused("it is too large")
    if not _has_short_header(sealed):
        raise Refused("its seal's header is too long")
    try:
        return age.unseal_bytes(sealed, [identity]).decode("ascii")
    except (age.Unopened, UnicodeDecodeError):
        raise Refused("it is not sealed to this instance") from None


def _has_short_header(sealed: bytes) -> bool:
    """Whether the header ends soon, and names few recipients (age v1, "Header")."""
    header, end, _ = sealed[:_LONGEST_HEADER].partition(b"\n---")
    return bool(end) and header.count(b"\n->") <= _MOST_STANZAS


def signer(token: str) -> str:
    """The thumbprint of the key that is said to have signed it. Raises Refused."""
    try:
        header = jose.header(token, LARGEST)
    except jose.Invalid as wrong:
        raise Refused(str(wrong)) from None
    kid = header.get("kid")
    is_named = isinstance(kid, str) and _KID.fullmatch(kid)
    if header.keys() != {"alg", "kid", "typ"} or header["typ"] != TYP or not is_named:
        raise Refused("its header is not that of a message between peers")
    return str(kid)


def read(token: str, public_jwk: dict[str, Any], receiver: str, now: datetime) -> Message:
    """The message, once it is by the holder of this key, to `receiver`, and in time. Raises Refused."""
    try:
        message = _parsed(jose.verify(token, public_jwk, LARGEST))
    except jose.Invalid as wrong:
        raise Refused(str(wrong)) from None
    if (message.sender, message.receiver) != (public_jwk["kid"], receiver):
        raise Refused("it is not from its signer, or not to this instance")
    if not now - OLDEST <= message.at <= now + SKEW:
        raise Refused("it is too old, or from the future")
    return message


def _parsed(payload: bytes) -> Message:
    try:
        message = Message.model_validate(jose.claims(payload))
        is_canonical = message.to_bytes() == payload
    except jose.Invalid:
        raise
    except ValueError:
        raise Refused("its content is not that of a message between peers") from None
    if not is_canonical:
        raise Refused("it is not written in its one spelling")
    return message
