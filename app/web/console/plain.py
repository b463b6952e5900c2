"""The closed words of entries in plain English, for people who decide on them.

Sources: the treaties' own articles (app/core/legal.py); design section 2.
"""

from collections.abc import Mapping
from datetime import timedelta

from app.core.collateral import SuffixClass
from app.core.decision import CRITERIA
from app.core.legal import GROUNDS, MATERIALS, Ground, Material
from app.core.lifecycle import Takedown
from app.core.reasons import article
from app.core.terms import EntryScope
from app.entries.timeline import Step

SCOPES: Mapping[EntryScope, str] = {
    EntryScope.URL: "this one address and nothing else",
    EntryScope.PATH: "every address that begins with this path",
    EntryScope.HOST: "every page of this host",
    EntryScope.DOMAIN: "every page of this domain and of every host below it",
}
QUESTIONS: Mapping[str, str] = dict(
    zip(
        CRITERIA,
        (
            "Does the material depict a child, that is a person under 18?",
            "Is it sexually explicit in the sense of article 20(2) of the Lanzarote Convention?",
            "Does the address of this entry show this material?",
            "Is this the narrowest scope that works?",
            "Is removal at the source pursued, or is it not possible?",
        ),
        strict=True,
    )
)
"""What each criterion of a decision asks."""
SUFFIXES: Mapping[SuffixClass, str] = {
    SuffixClass.REGISTRY: "an ordinary name: what lies below it is its owner's",
    SuffixClass.SHARED_HOSTING: "shared hosting: names beside this one belong to others",
}
TAKEDOWNS: Mapping[Takedown, str] = {
    Takedown.NOT_STARTED: "nobody was told to remove it yet",
    Takedown.NOTIFIED: "somebody was told to remove it",
    Takedown.ACKNOWLEDGED: "whoever was told has answered and is at it",
    Takedown.REMOVED: "said to be removed",
    Takedown.REFUSED: "whoever was told refused to remove it",
    Takedown.UNREACHABLE: "nobody who was told could be reached",
}
_STEPS: Mapping[str, str] = {
    "entry.submitted": "Submitted",
    "entry.protected": "Protected hosts changed, and with them how many bodies must agree",
    "entry.corroborated": "Corroborated by another hotline",
    "entry.reviewed": "A review body decided",
    "entry.approved": "Approved: enough bodies agree",
    "entry.rejected": "Rejected: enough bodies agree",
    "entry.reopened": "Back in review: a decision no longer counts",
    "entry.withdrawn": "Withdrawn",
    "entry.listed": "Listed",
    "entry.delisted": "Taken off its list",
    "entry.hastened": "To leave its list at once",
    "entry.taken_back": "Taken back with its version",
    "entry.reinstated": "Brought back: its appeal was denied",
    "entry.rechecked": "A hotline looked again",
    "entry.reaffirmed": "Reaffirmed",
    "entry.erased": "Erased",
    "takedown.notified": "Somebody was told to remove it",
    "takedown.escalated": "The next one was told to remove it",
    "takedown.reminded": "Whoever was told was reminded",
    "takedown.acknowledged": "Whoever was told answered",
    "takedown.removed": "Said to be removed",
    "takedown.refused": "Removal was refused",
    "takedown.unreachable": "Nobody could be reached",
    "takedown.reopened": "Found to be there still",
    "takedown.confirmed": "A hotline saw that it is gone",
    "takedown.excused": "No notice is possible",
    "takedown.held": "Notices wait for law enforcement",
    "takedown.released": "Notices wait no longer",
}
_UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


def ground(code: str) -> tuple[str, str]:
    """A legal ground: the conduct in words, and the articles that say so."""
    text = GROUNDS[Ground(code)]
    sources = [article(code)] + ([article(text.budapest)] if text.budapest else [])
    return text.summary, "; ".join(sources)


def material(code: str) -> tuple[str, str]:
    """A class of material in words, and the article that says so."""
    return MATERIALS[Material(code)], "Lanzarote Convention (CETS 201), art. 20(2)"


def step(one: Step) -> str:
    """A step of an entry's timeline as a sentence."""
    said = _STEPS.get(one.what, one.what.partition(".")[2].replace("_", " ").capitalize())
    said += f", version {one.version}" if one.version else ""
    said += f": {one.note.replace('_', ' ')}" if one.note else ""
    return said + (f", until {one.until:%Y-%m-%d}" if one.until else "")


def span(length: timedelta) -> str:
    """How long, in whole units of the largest kind that fits."""
    for unit, name in _UNITS:
        if length >= unit:
            return f"{length // unit} {name}" + ("" if length // unit == 1 else "s")
    return "less than a minute"
