"""Shapes of receipts, webhooks and coverage in the API."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.core.terms import ReceiptOutcome


class NewReceipt(BaseModel):
    """What became of a version: `signature` is a compact JWS (ES256) by a key of this client.

    It covers the RFC 8785 form of `{"applied_at","content_sha256","list","outcome","version"}`, just as sent.
    """

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
    content_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    applied_at: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")]
    """RFC 3339, UTC, whole seconds."""
    outcome: ReceiptOutcome
    signature: Annotated[str, Field(min_length=1, max_length=4096)]

    @field_validator("applied_at")
    @classmethod
    def _is_a_moment(cls, text: str) -> str:
        datetime.fromisoformat(text)
        return text


class ReceiptView(BaseModel):
    """A receipt as it was taken in."""

    list: str
    version: int
    content_sha256: str
    applied_at: datetime
    outcome: ReceiptOutcome
    at: datetime


class NewWebhook(BaseModel):
    """Where to tell of new versions."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=1, max_length=2000)]
    """https on the default port, in visible ASCII characters, without user name and fragment."""


class WebhookView(BaseModel):
    """A webhook in force."""

    id: str
    url: str
    created_at: datetime


class WebhookMade(WebhookView):
    """A new webhook, and for this once the secret that its messages are signed with."""

    secret: str


class Webhooks(BaseModel):
    """All of an organisation's webhooks in force."""

    webhooks: list[WebhookView]


class Objection(BaseModel):
    """A version that a provider held or could not apply."""

    version: int
    outcome: ReceiptOutcome
    applied_at: datetime


class ProviderCoverage(BaseModel):
    """How far one provider is, by its receipts.

    `applied_version` is the newest that it applied and did not report otherwise since; `outcome` what it said
    last of the newest version it spoke of. `seconds_behind` counts from when the first version it lacks was
    made, or from its subscription if that was later.
    """

    organisation: str
    name: str
    applied_version: int | None
    applied_at: datetime | None
    outcome: ReceiptOutcome | None
    versions_behind: int
    seconds_behind: int
    last_held_or_failed: Objection | None


class SecondsToUnblock(BaseModel):
    """From when an entry was to leave the list to a provider's first receipt of a version without it."""

    count: int
    median: int | None
    p90: int | None


Providers = list[ProviderCoverage]
"""`Coverage` has a field called list, which hides the type inside the class."""


class Coverage(BaseModel):
    """What became of a list at its subscribers."""

    list: str
    newest_version: int | None
    published_at: datetime | None
    providers: Providers
    applied_by_percent: float | None
    seconds_to_unblock: SecondsToUnblock
