"""Every table of every capability, for the migrations."""

from sqlalchemy import MetaData
from sqlmodel import SQLModel

import app.appeals.models
import app.audit.models
import app.audit.report.models
import app.distribution.models
import app.entries.models
import app.identity.models
import app.identity.people.models
import app.lists.fence
import app.lists.models
import app.log.models
import app.reviews.models
import app.takedown.models  # noqa: F401

metadata: MetaData = SQLModel.metadata
"""The whole schema; importing this module is what fills it."""
