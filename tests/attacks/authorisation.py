"""docs/authorisation.md as data: who may do what, as the tests hold the service to it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from app.core.terms import Kind
from app.identity.permissions import Scope

DOCUMENT = Path(__file__).parents[2] / "docs" / "authorisation.md"


class Part(StrEnum):
    """What a kind of organisation that may hold a scope of the row gets to see."""

    ALL = "all"
    OWN = "own"
    NO = "no"
    HOLDER = "holder"


@dataclass(frozen=True)
class Route:
    """A method and a path."""

    method: str
    path: str

    @property
    def name(self) -> str:
        """As it is called in tests."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Row(Route):
    """One route of the API, or of the console where `scopes` may be empty for everybody."""

    scopes: frozenset[Scope]
    parts: tuple[tuple[Kind, Part], ...]

    def part(self, kind: Kind, scopes: frozenset[Scope]) -> Part | None:
        """What a client of this kind with these scopes may see; None for nothing."""
        held = not self.scopes or bool(self.scopes & scopes)
        return dict(self.parts).get(kind) if held else None


@dataclass(frozen=True)
class Open(Route):
    """A route that is open to anyone, and what it answers to who brings nothing."""

    status: int


def api() -> list[Row]:
    """Rows of the API."""
    return [_row(cells) for cells in _table("The API")]


def pages() -> list[Row]:
    """Rows of the console; `method` is `any` where it stands for all."""
    return [_row(cells) for cells in _table("Pages of the console")]


def public() -> list[Open]:
    """Rows of what is open to anyone."""
    return [Open(cells[0], cells[1], int(cells[3])) for cells in _table("Open to anyone")]


def _row(cells: list[str]) -> Row:
    scopes = frozenset() if cells[2] == "any" else frozenset(map(Scope, cells[2].split()))
    parts = tuple((kind, Part(cell)) for kind, cell in zip(Kind, cells[3:], strict=True) if cell)
    return Row(cells[0], cells[1], scopes, parts)


def _table(heading: str) -> list[list[str]]:
    text = DOCUMENT.read_text(encoding="utf-8")
    section = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert section, heading
    lines = [line for line in section[1].splitlines() if line.startswith("|")]
    header, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in lines)
    if len(header) > 4:
        assert header[3:] == [kind.value for kind in Kind]
    return rows
