"""Tables of the transparency report: what is counted of the log so far, and the closed months.

Counts are the log's own, gone through in order (app/core/tally.py says what belongs to which month); when a
month is closed, what was counted of it goes. No row names an organisation or an entry.
"""

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlmodel import Field, SQLModel

from app.platform.database import UtcDateTime


class ReportProgress(SQLModel, table=True):
    """One row: how far the log is counted (`leaf_id`), and the month that is to be closed next."""

    __tablename__ = "report_progress"

    id: int = Field(primary_key=True)
    leaf_id: int
    period: str
    counted_at: datetime = Field(sa_type=UtcDateTime)


class ReportCount(SQLModel, table=True):
    """A count of a month without a report. `dimension` is empty where `value` is: that is the total."""

    __tablename__ = "report_count"

    period: str = Field(primary_key=True)
    list: str = Field(primary_key=True)
    measure: str = Field(primary_key=True)
    dimension: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    count: int


class ReportDecision(SQLModel, table=True):
    """How long one decision took, in a month without a report."""

    __tablename__ = "report_decision"

    id: int | None = Field(default=None, primary_key=True)
    period: str = Field(index=True)
    list: str
    seconds: int


class Report(SQLModel, table=True):
    """A closed month: the document as signed (RFC 8785), its JWS, and the row of its leaf."""

    __tablename__ = "transparency_report"

    period: str = Field(primary_key=True)
    document: bytes = Field(sa_type=LargeBinary)
    jws: str
    sha256: str
    leaf_id: int = Field(foreign_key="leaf.id")
    closed_at: datetime = Field(sa_type=UtcDateTime)
