"""Shapes of receipts in the API."""

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
