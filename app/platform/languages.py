"""The languages that public pages speak, and which of them a browser prefers (RFC 9110, section 12.5.4)."""

LANGUAGES = ("en", "fr", "de")


def language(accepted: str, otherwise: str = LANGUAGES[0]) -> str:
    """The best of our languages for an Accept-Language header, or the other one."""
    wishes = []
    for part in accepted.split(",")[:20]:
        name, _, weight = part.partition(";")
        found = name.strip().lower().partition("-")[0]
        if found in LANGUAGES:
            wishes.append((_weight(weight), found))
    best = max((weight for weight, _ in wishes), default=0.0)
    given = otherwise if otherwise in LANGUAGES else LANGUAGES[0]
    return next((found for weight, found in wishes if weight == best > 0), given)


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    try:
        return min(1.0, max(0.0, float(value))) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
