"""Shapes of exports in the API."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool

from app.audit.models import State


class NewExport(BaseModel):
    """What to export. The log is always whole; list and dates choose the manifests and openings.

    `reveal` adds the openings (commitment key and URL), sealed with age to the auditor's key.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    list: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    since: Annotated[AwareDatetime | None, Field(alias="from")] = None
    until: Annotated[AwareDatetime | None, Field(alias="to")] = None
    reveal: StrictBool = False


class ExportView(BaseModel):
    """An export's progress, in leaves. Once `ready`, the same address answers with the file."""

    id: str
    state: State
    list: str | None
    reveal: bool
    done: int
    total: int
    created_at: datetime
