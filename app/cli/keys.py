"""Reading a public key that its owner made."""

import json
from pathlib import Path

from app.cli.output import fail
from app.core import jose, signup


def read_public_key(file: Path, as_json: bool) -> dict[str, str]:
    """The key in a public JWK, or in a signup.json once its proof holds; otherwise the command ends."""
    try:
        data = file.read_bytes()
        found = json.loads(data)
        if isinstance(found, dict) and found.get("format") == signup.SIGNUP:
            return signup.Signup.read(data).jwk
    except OSError as failure:
        fail(f"{file}: {failure.strerror}", as_json)
    except signup.Invalid as wrong:
        fail(f"{file}: {wrong}; no key is added", as_json)
    except (ValueError, RecursionError):
        fail(f"{file}: not JSON", as_json)
    if not isinstance(found, dict):
        fail(f"{file}: not a JWK", as_json)
    if "d" in found:
        fail(f"{file}: holds a private key; its owner keeps it and gives the public half", as_json)
    try:
        return jose.public_part(found)
    except jose.Invalid as wrong:
        fail(f"{file}: {wrong}", as_json)
