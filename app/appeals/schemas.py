"""Shapes of appeals in the API."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from app.core.lifecycle import Status
from app.core.terms import AppealOutcome, AppealState, EntryScope, OwnershipProof
from app.entries.schemas import InWords, Text

LONGEST_SIGNATURE = 40 * 1024


class NewAppeal(BaseModel):
    """A complaint. Nothing about the appellant is asked for; `proof` offers to show who owns the address."""

    model_config = ConfigDict(extra="forbid")

    url: str
    statement: Annotated[str, Field(min_length=20, max_length=4000, pattern=Text), InWords]
    proof: OwnershipProof | None = None
    list: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] | None = None


class FiledAppeal(BaseModel):
    """What the appellant keeps. The secret is shown once; the answer is the same for every address."""

    reference: str
    secret: str
    state: AppealState
    decide_by: datetime
    proof_token: str | None = None
    proof_instructions: str | None = None


class AppealStatus(BaseModel):
    """What the appellant reads with the secret. `reasons` go with all else half a year after the decision."""

    reference: str
    state: AppealState
    filed_at: datetime
    decide_by: datetime
    outcome: AppealOutcome | None = None
    reasons: str | None = None
    decided_at: datetime | None = None


class ConcernedEntry(BaseModel):
    """An entry that covers the address of an appeal."""

    id: str
    status: Status
    list: str
    scope: EntryScope
    legal_ground: str


class AppealView(BaseModel):
    """An appeal as a body that may decide it sees it. A person looks for the proof; the service does not.

    `log_id` is its name in the public log, and in what is signed.
    """

    reference: str
    log_id: str
    url: str
    statement: str
    filed_at: datetime
    decide_by: datetime
    proof: OwnershipProof | None
    proof_token: str | None
    appeal_key: str
    entries: list[ConcernedEntry]
    list: str | None


class Appeals(BaseModel):
    """Undecided appeals, oldest first. A page may hold fewer than asked for; `next_cursor` continues."""

    appeals: list[AppealView]
    next_cursor: str | None = None


class NewDecision(BaseModel):
    """A decision. `signature` is a compact JWS (ES256) over the statement of core/appeal."""

    model_config = ConfigDict(extra="forbid")

    outcome: AppealOutcome
    reason: Annotated[str, Field(min_length=1, max_length=4000, pattern=Text), InWords]
    ownership_confirmed: StrictBool = False
    signature: Annotated[str, Field(min_length=1, max_length=LONGEST_SIGNATURE)]


class DecisionView(BaseModel):
    """A decision that was taken in, and the entries it is about."""

    reference: str
    outcome: AppealOutcome
    decided_at: datetime
    entries: list[str]
