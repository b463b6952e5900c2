"""The closed codes on which an entry may rest, with their treaty sources.

Council of Europe Convention on the Protection of Children against Sexual Exploitation and Sexual
Abuse (Lanzarote, CETS 201), art. 20; Convention on Cybercrime (Budapest, CETS 185), art. 9.
There is no free-text ground.
"""

from dataclasses import dataclass
from enum import StrEnum


class Ground(StrEnum):
    """The conduct: Lanzarote Convention art. 20(1) a to f."""

    PRODUCING = "lanzarote-20-1-a"
    OFFERING = "lanzarote-20-1-b"
    DISTRIBUTING = "lanzarote-20-1-c"
    PROCURING = "lanzarote-20-1-d"
    POSSESSING = "lanzarote-20-1-e"
    ACCESSING = "lanzarote-20-1-f"


class Material(StrEnum):
    """The class of material: Lanzarote Convention art. 20(2)."""

    CONDUCT_REAL = "lanzarote-20-2-conduct-real"
    CONDUCT_SIMULATED = "lanzarote-20-2-conduct-simulated"
    ORGANS = "lanzarote-20-2-organs"


@dataclass(frozen=True)
class GroundText:
    """What a ground says, its Budapest counterpart, and how far a state may reserve it."""

    summary: str
    budapest: str | None
    reservable: str | None


GROUNDS: dict[Ground, GroundText] = {
    Ground.PRODUCING: GroundText(
        "producing the material", "budapest-9-1-a", "art. 20(3): simulated or own, privately held"
    ),
    Ground.OFFERING: GroundText("offering it or making it available", "budapest-9-1-b", None),
    Ground.DISTRIBUTING: GroundText("distributing or transmitting it", "budapest-9-1-c", None),
    Ground.PROCURING: GroundText(
        "procuring it for oneself or another", "budapest-9-1-d", "Budapest art. 9(4)"
    ),
    Ground.POSSESSING: GroundText(
        "possessing it", "budapest-9-1-e", "art. 20(3): simulated or own, privately held"
    ),
    Ground.ACCESSING: GroundText(
        "knowingly obtaining access to it through information technology", None, "art. 20(4): whole or part"
    ),
}

MATERIALS: dict[Material, str] = {
    Material.CONDUCT_REAL: "visual depiction of a child in real sexually explicit conduct",
    Material.CONDUCT_SIMULATED: "visual depiction of a child in simulated sexually explicit conduct",
    Material.ORGANS: "depiction of a child's sexual organs for primarily sexual purposes",
}

_RESERVED: dict[str, frozenset[str]] = {}
"""ISO 3166-1 alpha-2 of a state -> the grounds it declared itself not bound by.

Empty by choice: declarations change, and a wrong row here would silence a lawful ground or allow an
unlawful one. An operator records its own state's declarations from the Treaty Office's list.
"""


def reserved_by(ground: Ground, declarations: dict[str, frozenset[str]] | None = None) -> frozenset[str]:
    """States (ISO 3166-1 alpha-2) that reserved this ground, from recorded declarations."""
    table = _RESERVED if declarations is None else declarations
    return frozenset(state for state, grounds in table.items() if ground.value in grounds)
