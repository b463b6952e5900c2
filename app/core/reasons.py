"""The statement of reasons for a decision, by the field names of the DSA Transparency Database.

Sources: Regulation (EU) 2022/2065 (Digital Services Act), arts. 17(3) and 24(5); the database's API
documentation, whose closed values stand here. The document is made to be handed on: no field holds an
address, and addresses that people wrote into their texts are taken out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.core.decision import CRITERIA
from app.core.legal import GROUNDS, MATERIALS, Ground, Material
from app.core.terms import Decision, Measure

_TREATIES = {
    "lanzarote": "Lanzarote Convention (CETS 201)",
    "budapest": "Budapest Convention (CETS 185)",
}
_ADDRESS = re.compile(r"\S*(?:://|\[:\]//|\bwww\.)\S*|(?:[\w-]+\.)+[\w-]{2,}(?::\d+)?/\S*", re.IGNORECASE)
_REMOVED = "[address]"


class Visibility(StrEnum):
    """What a measure does to content. No measure of ours amounts to one of the database's other values."""

    REMOVED = "DECISION_VISIBILITY_CONTENT_REMOVED"
    DISABLED = "DECISION_VISIBILITY_CONTENT_DISABLED"


_VISIBILITY = {Measure.TAKEDOWN: Visibility.REMOVED, Measure.BLOCKING: Visibility.DISABLED}


class Statement(BaseModel):
    """The database's fields in its order, null where one does not apply.

    Money, services and accounts are never restricted; terms of service are no ground; the date of upload and
    the language are not known to a service that never fetches what it lists. Automation is always none.
    """

    decision_visibility: list[Visibility]
    decision_visibility_other: None = None
    end_date_visibility_restriction: date | None
    decision_monetary: None = None
    decision_monetary_other: None = None
    end_date_monetary_restriction: None = None
    decision_provision: None = None
    end_date_service_restriction: None = None
    decision_account: None = None
    end_date_account_restriction: None = None
    account_type: None = None
    decision_ground: Literal["DECISION_GROUND_ILLEGAL_CONTENT"] | None
    decision_ground_reference_url: None = None
    illegal_content_legal_ground: Annotated[str, Field(max_length=500)] | None
    illegal_content_explanation: Annotated[str, Field(max_length=2000)] | None
    incompatible_content_ground: None = None
    incompatible_content_explanation: None = None
    incompatible_content_illegal: None = None
    category: Literal["STATEMENT_CATEGORY_PROTECTION_OF_MINORS"] = "STATEMENT_CATEGORY_PROTECTION_OF_MINORS"
    category_addition: None = None
    category_specification: list[Literal["KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL"]] = [
        "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL"
    ]
    category_specification_other: None = None
    content_type: list[Literal["CONTENT_TYPE_OTHER"]] = ["CONTENT_TYPE_OTHER"]
    """What was assessed is a visual depiction; which of the database's media it is was never recorded."""
    content_type_other: Annotated[str, Field(max_length=500)]
    content_language: None = None
    content_date: None = None
    territorial_scope: list[str]
    application_date: date
    decision_facts: Annotated[str, Field(max_length=5000)] | None
    source_type: Literal["SOURCE_TYPE_OTHER_NOTIFICATION"] = "SOURCE_TYPE_OTHER_NOTIFICATION"
    """A hotline's notice. Trusted flagger is a status under art. 22 that this service cannot know of."""
    source_identity: None = None
    automated_detection: Literal["No"] = "No"
    automated_decision: Literal["AUTOMATED_DECISION_NOT_AUTOMATED"] = "AUTOMATED_DECISION_NOT_AUTOMATED"
    puid: str


@dataclass(frozen=True)
class Decided:
    """A decision, and from when to when it restricts. `facts` is None for whoever may not read it."""

    entry: str
    decision: Decision
    ground: Ground
    material: Material
    measures: Sequence[Measure]
    bodies: int
    jurisdiction: str | None
    applied_on: date
    ends_on: date | None
    facts: str | None


def statement(one: Decided) -> Statement:
    """The database's statement of one decision. A rejection restricts nothing, so it names no ground."""
    is_restricted = one.decision is Decision.APPROVE
    return Statement(
        decision_visibility=[_VISIBILITY[measure] for measure in one.measures] if is_restricted else [],
        end_date_visibility_restriction=one.ends_on if is_restricted else None,
        decision_ground="DECISION_GROUND_ILLEGAL_CONTENT" if is_restricted else None,
        illegal_content_legal_ground=legal_ground(one.ground, one.material) if is_restricted else None,
        illegal_content_explanation=explanation(one) if is_restricted else None,
        content_type_other=MATERIALS[one.material],
        territorial_scope=[one.jurisdiction] if one.jurisdiction else [],
        application_date=one.applied_on,
        decision_facts=one.facts,
        puid=one.entry,
    )


def legal_ground(ground: Ground, material: Material) -> str:
    """The ground in words, with the article of each treaty it rests on."""
    text = GROUNDS[ground]
    stated = f"{article(ground)}: {text.summary}; art. 20(2): {MATERIALS[material]}"
    return f"{stated}; {article(text.budapest)}" if text.budapest else stated


def article(code: str) -> str:
    """The treaty and article of a code: `budapest-9-1-b` is art. 9(1)(b) of the Budapest Convention."""
    treaty, number, *paragraphs = code.split("-")
    return f"{_TREATIES[treaty]}, art. {number}" + "".join(f"({one})" for one in paragraphs)


def explanation(one: Decided) -> str:
    """Why the content is illegal, and on whose word."""
    bodies = "1 independent review body" if one.bodies == 1 else f"{one.bodies} independent review bodies"
    criteria = ", ".join(name.replace("_", " ") for name in CRITERIA)
    return (
        f"What was assessed is a {MATERIALS[one.material]}. The conduct that the ground names is "
        f"{GROUNDS[one.ground].summary}. {bodies} answered every criterion with yes: {criteria}."
    )


def without_addresses(text: str, host: str) -> str:
    """The text with every address taken out, and every word that names the entry's own host."""
    words = _ADDRESS.sub(_REMOVED, text)
    return re.sub(rf"\S*{re.escape(host)}\S*", _REMOVED, words, flags=re.IGNORECASE)
