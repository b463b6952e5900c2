"""Addresses in a form that no program turns into a link, and no hand opens by mistake."""

import re

_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)


def defanged(address: str) -> str:
    """An address so."""
    return address.replace("://", "[:]//", 1).replace(".", "[.]").replace("http", "hxxp", 1)


def unlinked(text: str) -> str:
    """A text with every web address in it so."""
    return _ADDRESS.sub(lambda found: defanged(found[0]), text)
