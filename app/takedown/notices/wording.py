"""A notice in words: subject and text in the language of whoever is told, English where there is none.

The words are in templates/, one folder a language; a template's first line is the subject. What others wrote
goes in as text that cannot pass for ours: on one line, or quoted line by line, without control characters and
without marks that turn the direction of writing. No address of the material is written so that a program
would follow it (`https` becomes `hxxps`, `://` becomes `[:]//`, a host's dots become `[.]`): mail filters
open links, and a slip of the hand would. The link by which a notice is answered is the only one.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from textwrap import fill

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.core.legal import GROUNDS, Ground
from app.platform.languages import LANGUAGES
from app.platform.settings import Settings
from app.takedown.notices.parcels import Parcel

_FOLDER = Path(__file__).parent / "templates"
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HTTP = re.compile(r"http(s?)://", re.IGNORECASE)
_HOST_DOT = re.compile(r"(?<=[^\W_])\.(?=[^\W\d_]{2})")
"""In what may be the name of a host."""
_LONGEST_LINE = 300
_NUMBERED = re.compile(r"[0-9]\. ")


@dataclass(frozen=True)
class Text:
    """What somebody reads. Neither is shown by repr: the text names what it is about."""

    subject: str
    body: str

    def __repr__(self) -> str:
        return "Text(...)"


def text(parcel: Parcel, settings: Settings) -> Text:
    """The words of a parcel of any kind."""
    language = spoken(parcel.language)
    template = _templates().get_template(f"{language}/{parcel.kind.value}.txt")
    made = template.render(
        language=language,
        is_reminder=parcel.report != parcel.id,
        contact_kind=parcel.contact_kind.value,
        contact_name=line(parcel.contact_name),
        entry_id=parcel.entry_id,
        list=parcel.list,
        scope=parcel.scope,
        is_blocked="blocking" in parcel.measures,
        letter=parcel.legal_ground.rpartition("-")[2],
        cybercrime=_cybercrime(parcel.legal_ground),
        material=parcel.material,
        country=parcel.hosting_country,
        jurisdiction=parcel.jurisdiction,
        assessed_at=_utc(parcel.assessed_at),
        due_at=_utc(parcel.removal_due_at),
        held_until=_utc(parcel.held_until),
        expires_at=_utc(parcel.expires_at),
        link=parcel.link,
        address=defanged(parcel.url) if parcel.url else None,
        hosting_address=line(parcel.hosting_address or ""),
        statement=quoted(parcel.statement or ""),
        scope_reason=quoted(parcel.scope_reason or ""),
        service=settings.address,
        sender=settings.mail_from,
    )
    subject, _, body = made.partition("\n")
    return Text(subject.strip(), _wrapped(body.strip("\n")) + "\n")


def spoken(language: str) -> str:
    """The language of these that is meant, English where none is."""
    short = language.lower().partition("-")[0]
    return short if short in LANGUAGES else "en"


def line(text: str) -> str:
    """What somebody else wrote, on one line of at most 300 characters."""
    shown = "".join(letter if _is_shown(letter) else " " for letter in text)
    return " ".join(shown.split())[:_LONGEST_LINE]


def quoted(text: str) -> str:
    """What somebody else wrote, each line quoted, and no address in it that a program would follow."""
    lines = ("".join(filter(_is_shown, one.expandtabs())).rstrip() for one in text.splitlines())
    return "\n".join(f"> {_HOST_DOT.sub('[.]', _unlinked(one))}".rstrip() for one in lines)


def defanged(address: str) -> str:
    """A canonical URL as people write one that nobody is to open."""
    return _unlinked(address).replace(".", "[.]")


def _unlinked(text: str) -> str:
    return _HTTP.sub(r"hxxp\1[:]//", text).replace("://", "[:]//")


def _wrapped(text: str) -> str:
    """Our own paragraphs, each of which the templates have on one line, at 76 characters; no quoted one."""
    return "\n".join(one if one.startswith(">") else _filled(one) for one in text.splitlines())


def _filled(paragraph: str) -> str:
    hanging = "   " if _NUMBERED.match(paragraph) else ""
    return fill(paragraph, 76, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)


def _is_shown(letter: str) -> bool:
    return letter not in _TURNS and unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp")


def _utc(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(UTC)


def _cybercrime(ground: str) -> str | None:
    """The letter of article 9(1) of the Budapest Convention that says the same, where one does."""
    same = GROUNDS[Ground(ground)].budapest
    return same and same.rpartition("-")[2]


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  # nosec B701  # plain text, for mails
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
